"""`waitproof list`: the scenarios of a suite and what they prove."""

from __future__ import annotations

import argparse
import sys

from waitproof.cli.console import make_console
from waitproof.cli.options import add_suite_options, suite_of
from waitproof.errors import InputError
from waitproof.run import ExitCode
from waitproof.suite import read_suite
from waitproof.text import plural

__all__ = ["add_options", "execute"]

add_options = add_suite_options


def execute(options: argparse.Namespace) -> ExitCode:
    """Print every scenario that can be read, then raise for the files that can't."""
    suite, mistakes = read_suite(suite_of(options), options.scenarios)
    console = make_console(sys.stdout)
    for scenario in suite.scenarios:
        console.print(scenario.id, style="bold", markup=False, highlight=False)
        console.print(f"    {scenario.summary}", markup=False, highlight=False, soft_wrap=True)
        console.print(f"    proves {', '.join(scenario.proves)}", style="dim", markup=False, soft_wrap=True)
    proved = {name for scenario in suite.scenarios for name in scenario.proves}
    every = plural(len(suite.contract.requirements), "requirement")
    what = every if len(proved) == len(suite.contract.requirements) else f"{len(proved)} of {every}"
    is_one = len(suite.scenarios) == 1
    head = f"{plural(len(suite.scenarios), 'scenario')} {'proves' if is_one else 'prove'} {what}"
    for name in suite.left_out:
        console.print(f"left out: {name}, because this suite promises nothing that it proves", markup=False)
    console.print(head, markup=False, highlight=False)
    if mistakes:
        raise InputError(mistakes)
    return ExitCode.KEPT
