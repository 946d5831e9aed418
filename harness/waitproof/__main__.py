"""The program `waitproof`: `cli`, after what must be done before `serve` imports anything.

A server that is to answer within a third of a second cannot import what runs and reports; so this module
looks at the first word before anything is imported.
"""

from __future__ import annotations

import gc
import os
import sys

__all__ = ["main"]


def main() -> int:
    """Run the command line and return its exit code."""
    if sys.argv[1:2] == ["serve"]:
        gc.disable()  # until it serves: nothing that is imported is garbage
        os.environ["PYDANTIC_DISABLE_PLUGINS"] = "1"  # it would look through every installed package for one
    from waitproof.streams import guard_streams, lost_output  # noqa: PLC0415

    guard_streams()
    from waitproof.cli import main as run  # noqa: PLC0415

    try:
        code = run()
    except SystemExit as ended:  # of the parser, after --help and the like
        code = ended.code if isinstance(ended.code, int) else 0
    if (lost := lost_output()) != "":
        sys.stderr.write(f"stdout: it cannot be written: {lost}\n")
        return code or 2
    return code


if __name__ == "__main__":
    sys.exit(main())
