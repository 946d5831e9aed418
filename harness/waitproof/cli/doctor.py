"""`waitproof doctor`: checks an adapter against the protocol, step by step."""

from __future__ import annotations

import argparse
import os

from waitproof.adapter import find_adapter
from waitproof.cli.console import say
from waitproof.cli.options import add_prepare_option, add_suite_options, no_adapter, prepare_all, suite_of
from waitproof.errors import InputError
from waitproof.report import commands_off
from waitproof.run import ExitCode, examine, find_example
from waitproof.suite import read_suite

__all__ = ["add_options", "execute"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "adapters",
        nargs="*",
        metavar="ADAPTER",
        help="a folder with an adapter.yaml, or a command (default: the configuration's)",
    )
    add_suite_options(parser)
    add_prepare_option(parser)


def execute(options: argparse.Namespace) -> ExitCode:
    """Prepare each adapter and print each step's result."""
    if not options.adapters:
        raise no_adapter("waitproof doctor")
    codes = []
    for argument in options.adapters:
        if len(options.adapters) > 1:
            say(f"{argument}:")
        codes.append(_examine(argument, options))
    return max(codes)


def _examine(argument: str, options: argparse.Namespace) -> ExitCode:
    spec = find_adapter(argument)
    suite, mistakes = read_suite(suite_of(options, spec), options.scenarios)
    contract = suite.contract
    if contract.example is not None and contract.example not in {each.id for each in suite.scenarios}:
        raise InputError(mistakes)  # the example's are among them
    example = find_example(contract, suite.scenarios)
    with commands_off(os.environ, say):
        prepare_all([spec], say, again=options.prepare)
        return ExitCode.KEPT if examine(spec.launch(), contract, say, example) else ExitCode.UNKNOWN
