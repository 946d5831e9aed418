"""`waitproof lint`: every mistake in suites and scenario files, without running them."""

from __future__ import annotations

import argparse
from pathlib import Path

from waitproof.cli.options import add_suite_options, suite_of
from waitproof.errors import InputError, Mistake
from waitproof.run import ExitCode, impossible_expectations
from waitproof.suite import Suite, lint_file, lint_suite
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
    folder = None if options.suite is None else suite_of(options)
    for path in options.paths or [suite_of(options)]:
        try:
            if path.is_dir():
                suite, found = lint_suite(path, options.scenarios)
                mistakes += found or impossible_expectations(suite)
                lines.append(f"{path}: {_count(suite)}")
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
