"""`waitproof lint`: every mistake in suites and scenario files, without running them."""

from __future__ import annotations

import argparse
from pathlib import Path

from waitproof.cli.options import add_suite_option
from waitproof.errors import InputError, Mistake
from waitproof.run import ExitCode, impossible_expectations
from waitproof.suite import lint_file, lint_suite, suite_folder

__all__ = ["add_options", "execute"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "paths", nargs="*", type=Path, help="suite folders or scenario files (default: the whole suite)"
    )
    add_suite_option(parser)


def execute(options: argparse.Namespace) -> ExitCode:
    """Print a line for each path; raise with all mistakes of all of them."""
    mistakes: list[Mistake] = []
    lines: list[str] = []
    for path in options.paths or [suite_folder(options.suite)]:
        try:
            if path.is_dir():
                suite, found = lint_suite(path)
                mistakes += found or impossible_expectations(suite)
                count = f"{len(suite.scenarios)} scenarios, {len(suite.contract.requirements)} requirements"
                lines.append(f"{path}: {count}")
            else:
                mistakes += impossible_expectations(lint_file(path))
                lines.append(f"{path}: fine")
        except InputError as error:
            mistakes += error.mistakes
    if mistakes:
        raise InputError(mistakes)
    print("\n".join(lines))
    return ExitCode.KEPT
