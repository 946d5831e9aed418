"""`waitproof new`: a working adapter for a new SDK, or a suite for a new API."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from waitproof.adapter import languages, new_adapter
from waitproof.cli.options import add_api_option, api_of
from waitproof.judge import checks
from waitproof.run import ExitCode
from waitproof.suite import new_suite

__all__ = ["add_options", "execute"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    kinds = parser.add_subparsers(required=True, metavar="adapter|suite", dest="kind")
    adapter = kinds.add_parser(
        "adapter", help="copy a language's kit, which is a working adapter, to a folder"
    )
    adapter.add_argument("language", help=", ".join(languages()))
    adapter.add_argument("folder", type=Path, help="a folder that does not exist yet")
    add_api_option(adapter)
    suite = kinds.add_parser("suite", help="create a suite with a commented contract and its first scenarios")
    suite.add_argument("folder", type=Path, help="a folder that does not exist yet")
    suite.add_argument(
        "--extends",
        metavar="SUITE",
        help="add to another suite, a folder or a bundled one's name, in place of a whole new one",
    )


def execute(options: argparse.Namespace) -> ExitCode:
    """Create the folder and print what to do next."""
    if options.kind == "suite":
        return _new_suite(options)
    files = new_adapter(options.language, options.folder, *api_of(options, options.folder))
    folder = shlex.quote(str(options.folder))
    print(f"{options.folder}: {', '.join(str(file) for file in files)}")
    print(f"It works as it is: waitproof doctor {folder}")
    print(f"Then call your SDK where it calls the task client, and run: waitproof run {folder}")
    return ExitCode.KEPT


def _new_suite(options: argparse.Namespace) -> ExitCode:
    files = new_suite(options.folder, checks(), options.extends)
    folder = shlex.quote(str(options.folder))
    print(f"{options.folder}: {', '.join(str(file) for file in files)}")
    print(f"It is right as it is: waitproof lint {folder}")
    print(f"Put your API's words into {folder}/contract.yaml; its promises can be judged by what this shows:")
    print("  waitproof explain --checks")
    print(f"Then see what it would catch, and judge an SDK: waitproof prove --suite {folder}")
    print(f"  waitproof run ADAPTER --suite {folder}")
    return ExitCode.KEPT
