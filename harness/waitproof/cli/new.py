"""`waitproof new adapter`: a working adapter for a new SDK."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from waitproof.adapter import languages, new_adapter
from waitproof.cli.options import DEFAULT_SUITE, add_suite_option
from waitproof.run import ExitCode
from waitproof.suite import contract_file, load_contract, suite_folder

__all__ = ["add_options", "execute"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    kinds = parser.add_subparsers(required=True, metavar="adapter")
    adapter = kinds.add_parser(
        "adapter", help="copy a language's kit, which is a working adapter, to a folder"
    )
    adapter.add_argument("language", help=", ".join(languages()))
    adapter.add_argument("folder", type=Path, help="a folder that does not exist yet")
    add_suite_option(adapter)


def execute(options: argparse.Namespace) -> ExitCode:
    """Create the folder and print what to do next."""
    source = suite_folder(options.suite)
    contract = load_contract(contract_file(source))
    suite = "" if options.suite == DEFAULT_SUITE else f"--suite {shlex.quote(_named(options.suite, source))}"
    files = new_adapter(options.language, options.folder, contract, suite)
    words = " ".join([*([suite] if suite else []), shlex.quote(str(options.folder))])
    print(f"{options.folder}: {', '.join(str(file) for file in files)}")
    print(f"It works as it is: waitproof doctor {words}")
    print(f"Then call your SDK where it calls the task client, and run: waitproof run {words}")
    return ExitCode.KEPT


def _named(suite: str, folder: Path) -> str:
    """Return how a command in any folder names a suite: a bundled one by its name, a folder by its path."""
    return str(folder.resolve()) if Path(suite).is_dir() else suite
