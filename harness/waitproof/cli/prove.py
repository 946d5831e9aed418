"""`waitproof prove`: which standard defects a suite catches, and whether it accuses a correct client."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from rich.console import Console

from waitproof.cli.options import add_suite_option, suite_folder
from waitproof.defects import Line, library, markdown, reasons, sentence_of, summary
from waitproof.errors import InputError, Mistake
from waitproof.run import ExitCode, prove_live, prove_simulated
from waitproof.suite import load_suite

__all__ = ["add_options", "execute"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_suite_option(parser)
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
    suite = load_suite(suite_folder(options.suite))
    known = library(suite.contract)
    chosen = [
        each
        for each in (*known.defects.values(), *known.equivalents.values())
        if _is_meant(options, each.name)
    ]
    not_applicable = {name: why for name, why in known.not_applicable.items() if _is_meant(options, name)}
    if not chosen and not not_applicable:
        fix = "'waitproof prove' shows all names"
        raise InputError(
            Mistake("-k", f"no defect or correct client matches {', '.join(options.patterns)}", fix=fix)
        )
    console = Console(width=None if sys.stdout.isatty() else 200, color_system=None)

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    def say_line(line: Line) -> None:
        say(sentence_of(known, line))

    lines: list[Line] = []
    for reason in reasons(not_applicable):
        say(reason)
    if options.simulated or not options.live:
        began_s = time.monotonic()
        lines = prove_simulated(suite, chosen, processes=os.cpu_count() or 1)
        for line in lines:
            say_line(line)
        say(summary(lines, len(not_applicable), time.monotonic() - began_s, "simulated"))
        page = lines
    if options.live:
        began_s = time.monotonic()
        live = prove_live(suite, chosen, say_line)
        say(summary(live, len(not_applicable), time.monotonic() - began_s, "live"))
        page = lines or live
        lines += live
    if options.markdown is not None:
        options.markdown.write_text(markdown(suite.contract, known, page), encoding="utf-8")
    return ExitCode.KEPT if all(line.outcome.is_right for line in lines) else ExitCode.NOT_KEPT


def _is_meant(options: argparse.Namespace, name: str) -> bool:
    return not options.patterns or any(pattern in name for pattern in options.patterns)
