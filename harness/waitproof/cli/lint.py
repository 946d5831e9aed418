"""`waitproof lint`: every mistake in suites and scenario files, without running them."""

from __future__ import annotations

import argparse
from pathlib import Path

from waitproof.cli.options import add_suite_options, suite_of
from waitproof.errors import InputError, Mistake
from waitproof.run import ExitCode, impossible_expectations
from waitproof.suite import Suite, bundled_names, lint_file, lint_suite, suite_above
from waitproof.text import plural

__all__ = ["add_options", "execute"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "paths", nargs="*", type=Path, help="suite folders or scenario files (default: the whole suite)"
    )
    add_suite_options(parser)


def execute(options: argparse.Namespace) -> ExitCode:
    """Print a line for each path; raise with all mistakes of all of them."""
    mistakes: list[Mistake] = []
    lines: list[str] = []
    is_typed = "suite" not in options.configured
    named = None if options.suite is None else suite_of(options)
    loose = () if options.paths and "scenarios" in options.configured else options.scenarios
    for path in options.paths or [suite_of(options)]:
        # The configuration's suite is for files that are in no other one.
        folder = named if is_typed or suite_above(path.absolute()) is None else None
        try:
            if path.is_dir():
                suite, found = lint_suite(path, loose)
                mistakes += found or impossible_expectations(suite)
                lines.append(f"{path}: {_count(suite)}")
            elif str(path) in bundled_names() and not path.exists():
                fix = f"a bundled suite is named by an option: --suite {path}"
                mistakes.append(Mistake(str(path), "there is no such file or folder", fix=fix))
            else:
                mistakes += impossible_expectations(lint_file(path, folder))
                lines.append(f"{path}: fine")
        except InputError as error:
            mistakes += error.mistakes
    if mistakes:
        raise InputError(mistakes)
    print("\n".join(lines))
    return ExitCode.KEPT


def _count(suite: Suite) -> str:
    counts = [
        plural(len(suite.scenarios), "scenario"),
        plural(len(suite.contract.requirements), "requirement"),
    ]
    if suite.left_out:
        counts.append(f"{plural(len(suite.left_out), 'inherited scenario')} left out")
    return ", ".join(counts)
