"""`waitproof doctor`: checks an adapter against the protocol, step by step."""

from __future__ import annotations

import argparse
import sys

from waitproof.adapter import find_adapter
from waitproof.cli.console import make_console, print_plain
from waitproof.cli.options import add_suite_option, prepare_all, suite_folder
from waitproof.run import ExitCode, examine
from waitproof.suite import contract_file, load_contract
from waitproof.text import escape

__all__ = ["add_options", "execute"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("adapter", metavar="ADAPTER", help="a folder with an adapter.yaml, or a command")
    add_suite_option(parser)


def execute(options: argparse.Namespace) -> ExitCode:
    """Prepare the adapter and print each step's result."""
    contract = load_contract(contract_file(suite_folder(options.suite)))
    spec = find_adapter(options.adapter)
    console = make_console(sys.stdout)
    prepare_all([spec], console)
    is_good = examine(spec.launch(), contract, lambda line: print_plain(console, escape(line)))
    return ExitCode.KEPT if is_good else ExitCode.UNKNOWN
