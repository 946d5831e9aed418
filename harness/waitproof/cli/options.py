"""Options that several commands share, and what they mean."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from waitproof.adapter import AdapterSpec, prepare
from waitproof.cli.console import print_plain
from waitproof.errors import InputError, Mistake
from waitproof.suite import bundled_suite

__all__ = ["DEFAULT_SUITE", "add_suite_option", "prepare_all", "suite_folder"]

DEFAULT_SUITE = "stream"


def add_suite_option(parser: argparse.ArgumentParser) -> None:
    """Add `--suite`."""
    parser.add_argument(
        "--suite",
        default=DEFAULT_SUITE,
        metavar="DIR",
        help="folder with a contract.yaml, or the name of a bundled suite (default: %(default)s)",
    )


def suite_folder(argument: str) -> Path:
    """Return the folder that `--suite` means: a path, else the name of a suite that comes with waitproof.

    Raises:
        InputError: It is neither.
    """
    folder = Path(argument)
    return folder if folder.is_dir() else bundled_suite(argument)


def prepare_all(specs: Sequence[AdapterSpec], console: Console) -> None:
    """Prepare every adapter, and report all that cannot be prepared at once.

    Raises:
        InputError: At least one of them cannot be prepared.
    """
    mistakes: list[Mistake] = []
    for spec in specs:
        try:
            prepare(spec, lambda line: print_plain(console, line))
        except InputError as error:
            mistakes += error.mistakes
    if mistakes:
        raise InputError(mistakes)
