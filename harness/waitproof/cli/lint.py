"""`waitproof lint`: every mistake in suites and scenario files, without running them."""

from __future__ import annotations

import argparse
from pathlib import Path

from waitproof.cli.options import add_suite_option
from waitproof.errors import InputError, Mistake
from waitproof.run import ExitCode, impossible_expectations
from waitproof.suite import CONTRACT, id_of, lint_file, lint_suite, read_suite, suite_above, suite_folder

__all__ = ["add_options", "execute"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("paths", nargs="*", type=Path, help="suites or scenario files (default: the suite)")
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
                lint_file(path)
                mistakes += _impossible_in(path)
                lines.append(f"{path}: fine")
        except InputError as error:
            mistakes += error.mistakes
    if mistakes:
        raise InputError(mistakes)
    print("\n".join(lines))
    return ExitCode.KEPT


def _impossible_in(path: Path) -> list[Mistake]:
    """Return what only playing a scenario file shows; it has been checked, and other files may be wrong."""
    whole = path.absolute()
    folder = suite_above(whole)
    if folder is None or whole == folder / CONTRACT:
        return []
    suite, _ = read_suite(folder)
    name = id_of(whole, folder)
    return impossible_expectations(suite, [each for each in suite.scenarios if each.id == name])
