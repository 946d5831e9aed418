"""`waitproof new adapter`: a working adapter for a new SDK."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from waitproof.adapter import languages, new_adapter
from waitproof.run import ExitCode

__all__ = ["add_options", "execute"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    kinds = parser.add_subparsers(required=True, metavar="adapter")
    adapter = kinds.add_parser(
        "adapter", help="copy a language's kit, which is a working adapter, to a folder"
    )
    adapter.add_argument("language", help=", ".join(languages()))
    adapter.add_argument("folder", type=Path, help="a folder that does not exist yet")


def execute(options: argparse.Namespace) -> ExitCode:
    """Create the folder and print what to do next."""
    files = new_adapter(options.language, options.folder)
    folder = shlex.quote(str(options.folder))
    print(f"{options.folder}: {', '.join(str(file) for file in files)}")
    print(f"It works as it is: waitproof doctor {folder}")
    print(f"Then call your SDK where it calls the task client, and run: waitproof run {folder}")
    return ExitCode.KEPT
