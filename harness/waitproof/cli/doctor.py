"""`waitproof doctor`: checks an adapter against the protocol, step by step."""

from __future__ import annotations

import argparse
import os

from waitproof.adapter import find_adapter
from waitproof.cli.console import say
from waitproof.cli.options import add_prepare_option, add_suite_options, prepare_all, suite_of
from waitproof.errors import InputError
from waitproof.report import commands_off
from waitproof.run import ExitCode, examine, find_example
from waitproof.suite import read_suite

__all__ = ["add_options", "execute"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("adapter", metavar="ADAPTER", help="a folder with an adapter.yaml, or a command")
    add_suite_options(parser)
    add_prepare_option(parser)


def execute(options: argparse.Namespace) -> ExitCode:
    """Prepare the adapter and print each step's result."""
    spec = find_adapter(options.adapter)
    suite, mistakes = read_suite(suite_of(options, spec), options.scenarios)
    contract = suite.contract
    if contract.example is not None and contract.example not in {each.id for each in suite.scenarios}:
        raise InputError(mistakes)  # the example's are among them
    example = find_example(contract, suite.scenarios)
    with commands_off(os.environ, say):
        prepare_all([spec], say, again=options.prepare)
        return ExitCode.KEPT if examine(spec.launch(), contract, say, example) else ExitCode.UNKNOWN
