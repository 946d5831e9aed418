"""The program in `make binary`: waitproof, and the Python that its own child processes are started with.

The package starts children as `python -P -c PROGRAM …` and `python -P -m MODULE …`. In one executable that
Python is this file.
"""

import os
import runpy
import sys


def _restore_environment() -> None:
    """Undo what the executable's loader set for itself: an adapter finds its own libraries."""
    for name in ("LD_LIBRARY_PATH", "LIBPATH"):
        before = os.environ.pop(f"{name}_ORIG", None)
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before


def main() -> int:
    """Run what the arguments ask for and return its exit code."""
    _restore_environment()
    match sys.argv[1:]:
        case ["-P", "-c", program, *arguments]:
            sys.argv = ["-c", *arguments]
            exec(program, {"__name__": "__main__"})  # noqa: S102 - the package's own text
            return 0
        case ["-P", "-m", module, *arguments]:
            sys.argv = [module, *arguments]
            runpy.run_module(module, run_name="__main__", alter_sys=True)
            return 0
    from waitproof.__main__ import main as run  # noqa: PLC0415 - a child needs none of it

    return run()


if __name__ == "__main__":
    sys.exit(main())
