"""Options that several commands share, and what they mean."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from waitproof.adapter import AdapterSpec, prepare
from waitproof.errors import InputError, Mistake
from waitproof.run import masker
from waitproof.suite import DEFAULT_SUITE, Contract, contract_file, load_contract, name_from, suite_folder

__all__ = [
    "add_api_option",
    "add_prepare_option",
    "add_suite_options",
    "api_of",
    "no_adapter",
    "prepare_all",
    "suite_arguments",
    "suite_of",
]


def add_suite_options(parser: argparse._ActionsContainer) -> None:
    """Add `--suite` and `--scenarios`."""
    parser.add_argument(
        "--suite",
        metavar="DIR",
        help="folder with a contract.yaml, or the name of a bundled suite "
        f"(default: what the adapter's adapter.yaml names, else {DEFAULT_SUITE})",
    )
    parser.add_argument(
        "--scenarios",
        action="append",
        default=[],
        type=Path,
        metavar="DIR",
        help="folder with more scenario files for the suite, or one such file; repeatable",
    )


def add_api_option(parser: argparse.ArgumentParser) -> None:
    """Add `--suite` of a command that creates an adapter."""
    parser.add_argument(
        "--suite",
        default=DEFAULT_SUITE,
        metavar="DIR",
        help="folder with a contract.yaml, or the name of a bundled suite: the API that the SDK calls "
        "(default: %(default)s)",
    )


def api_of(options: argparse.Namespace, adapter: Path) -> tuple[Contract, str]:
    """Return the contract that this option means, and its suite's name in an adapter's folder."""
    contract = load_contract(contract_file(suite_folder(options.suite)))
    return contract, "" if options.suite == DEFAULT_SUITE else name_from(adapter, options.suite)


def add_prepare_option(parser: argparse._ActionsContainer) -> None:
    """Add `--prepare`."""
    parser.add_argument(
        "--prepare",
        action="store_true",
        help="run the commands under 'prepare' of adapter.yaml, also if nothing has changed",
    )


def no_adapter(command: str) -> InputError:
    """Return the mistake that neither the command line nor a configuration names an adapter."""
    expected = "a folder with an adapter.yaml, or 'adapters' in waitproof.toml"
    fix = f"{command} FOLDER; 'waitproof new adapter' creates one"
    return InputError(Mistake(command, "no adapter is named", expected=expected, fix=fix))


def suite_of(options: argparse.Namespace, spec: AdapterSpec | None = None) -> Path:
    """Return the folder of the suite that the options name, else the adapter, else of the usual one.

    Raises:
        InputError: There is no such suite.
    """
    if options.suite is None and spec is not None and (own := spec.suite_folder()) is not None:
        return own
    return suite_folder(options.suite or DEFAULT_SUITE)


def suite_arguments(options: argparse.Namespace) -> list[str]:
    """Return the part of a command line that names the same suite again."""
    named = [] if options.suite is None else ["--suite", options.suite]
    return [*named, *(word for each in options.scenarios for word in ("--scenarios", str(each)))]


def prepare_all(specs: Sequence[AdapterSpec], say: Callable[[str], None], *, again: bool) -> None:
    """Prepare every adapter, and report all that cannot be prepared at once.

    Args:
        specs: The adapters.
        say: Prints a line.
        again: Prepare those in which nothing has changed, too.

    Raises:
        InputError: At least one of them cannot be prepared.
    """
    mistakes: list[Mistake] = []
    masked = masker(os.environ)
    for spec in specs:
        try:
            prepare(spec, lambda text: say(masked(text)), again=again)
        except InputError as error:
            mistakes += [replace(each, found=masked(each.found)) for each in error.mistakes]
    if mistakes:
        raise InputError(mistakes)
