"""Options that several commands share, and what they mean."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from waitproof.adapter import AdapterSpec, prepare
from waitproof.errors import InputError, Mistake

__all__ = ["DEFAULT_SUITE", "add_suite_option", "prepare_all"]

DEFAULT_SUITE = "stream"


def add_suite_option(parser: argparse.ArgumentParser) -> None:
    """Add `--suite`."""
    parser.add_argument(
        "--suite",
        default=DEFAULT_SUITE,
        metavar="DIR",
        help="folder with a contract.yaml, or the name of a bundled suite (default: %(default)s)",
    )


def prepare_all(specs: Sequence[AdapterSpec], say: Callable[[str], None]) -> None:
    """Prepare every adapter, and report all that cannot be prepared at once.

    Raises:
        InputError: At least one of them cannot be prepared.
    """
    mistakes: list[Mistake] = []
    for spec in specs:
        try:
            prepare(spec, say)
        except InputError as error:
            mistakes += error.mistakes
    if mistakes:
        raise InputError(mistakes)
