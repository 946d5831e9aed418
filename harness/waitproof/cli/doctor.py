"""`waitproof doctor`: checks an adapter against the protocol, step by step."""

from __future__ import annotations

import argparse

from waitproof.adapter import find_adapter
from waitproof.cli.console import say
from waitproof.cli.options import add_suite_option, prepare_all
from waitproof.run import ExitCode, examine, find_example
from waitproof.suite import contract_file, load_contract, load_scenario, load_suite, suite_folder

__all__ = ["add_options", "execute"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("adapter", metavar="ADAPTER", help="a folder with an adapter.yaml, or a command")
    add_suite_option(parser)


def execute(options: argparse.Namespace) -> ExitCode:
    """Prepare the adapter and print each step's result."""
    folder = suite_folder(options.suite)
    contract = load_contract(contract_file(folder))
    file = folder / f"{contract.example}.yaml"
    named = [load_scenario(file, folder, contract)] if contract.example else []
    example = find_example(contract, named) or find_example(contract, load_suite(folder).scenarios)
    spec = find_adapter(options.adapter)
    prepare_all([spec], say)
    return ExitCode.KEPT if examine(spec.launch(), contract, say, example) else ExitCode.UNKNOWN
