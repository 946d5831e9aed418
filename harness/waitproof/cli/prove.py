"""`waitproof prove`: which standard defects a suite catches, and whether it accuses a correct client."""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path

from waitproof.cli.console import say
from waitproof.cli.options import add_suite_options, suite_of
from waitproof.defects import Line, library, markdown, not_caught, reasons, sentence_of, summary
from waitproof.errors import InputError, Mistake
from waitproof.report import clear_paths, write_file
from waitproof.run import ExitCode, prove_live, prove_simulated
from waitproof.suite import load_suite

__all__ = ["add_options", "execute"]

MAX_NAMES = 3  # defects that do not apply and that a line names; the page of --markdown has them all


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_suite_options(parser)
    parser.add_argument(
        "--simulated", action="store_true", help="run the defects in virtual time (the default)"
    )
    parser.add_argument("--live", action="store_true", help="run them over real sockets, which takes minutes")
    parser.add_argument(
        "-k",
        action="append",
        default=[],
        metavar="PATTERN",
        dest="patterns",
        help="run only defects and correct clients whose name contains PATTERN; repeatable",
    )
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="write the results to FILE as a Markdown page"
    )


def execute(options: argparse.Namespace) -> ExitCode:
    """Prove what the options ask for, and print a line for each defect and equivalent.

    Returns:
        KEPT where every defect was caught for its reason and no correct client was accused.

    Raises:
        InputError: The suite cannot be read, or no name matches.
    """
    if options.markdown is not None:
        clear_paths({"--markdown": options.markdown})
    suite = load_suite(suite_of(options), options.scenarios)
    known = library(suite.contract)
    clients = {**known.defects, **known.equivalents}
    chosen = [each for name, each in clients.items() if _is_meant(options, name)]
    not_applicable = {name: why for name, why in known.not_applicable.items() if _is_meant(options, name)}
    if not chosen and not not_applicable:
        fact = f"no defect or correct client matches {' or '.join(map(repr, options.patterns))}"
        raise InputError(Mistake("-k", fact, fix="'waitproof prove' shows all names"))

    def say_line(line: Line) -> None:
        say(sentence_of(known, line))

    def say_end(began_s: float, where: str) -> None:
        missed = not_caught(known, proofs[-1])
        if missed:
            say(missed)
        say(summary(proofs[-1], len(not_applicable), time.monotonic() - began_s, where))

    for reason in reasons(not_applicable, MAX_NAMES):
        say(reason)
    proofs: list[list[Line]] = []
    if options.simulated or not options.live:
        began_s = time.monotonic()
        proofs.append(prove_simulated(suite, chosen, processes=os.cpu_count() or 1))
        for line in sorted(
            proofs[-1], key=lambda line: not line.outcome.is_right
        ):  # what is wrong comes last
            say_line(line)
        say_end(began_s, "simulated")
    if options.live:
        began_s = time.monotonic()
        proofs.append(prove_live(suite, chosen, say_line))
        say_end(began_s, "live")
    if options.markdown is not None:
        page = next((lines for lines in proofs if lines), [])
        write_file(
            options.markdown,
            markdown(suite.contract, replace(known, not_applicable=not_applicable), page),
            "page",
        )
    is_right = all(line.outcome.is_right for lines in proofs for line in lines)
    return ExitCode.KEPT if is_right else ExitCode.NOT_KEPT


def _is_meant(options: argparse.Namespace, name: str) -> bool:
    return not options.patterns or any(pattern in name for pattern in options.patterns)
