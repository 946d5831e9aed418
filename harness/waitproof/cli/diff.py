"""`waitproof diff`: what changed between two runs."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from waitproof.cli.console import say
from waitproof.report import commands_off, compare, load, markdown_lines, plain_lines
from waitproof.run import ExitCode
from waitproof.text import escape

__all__ = ["add_options", "execute"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("old", type=Path, metavar="OLD", help="report.json of the older run")
    parser.add_argument("new", type=Path, metavar="NEW", help="report.json of the newer run")
    parser.add_argument("--markdown", action="store_true", help="print Markdown, for release notes")


def execute(options: argparse.Namespace) -> ExitCode:
    """Print the difference; the exit code says whether something got worse."""
    difference = compare(load(options.old), load(options.new))
    if options.markdown:  # for a file, rather than for a log
        print("\n".join(escape(line) for line in markdown_lines(difference)))
    else:
        with commands_off(os.environ, say):
            say("\n".join(plain_lines(difference)))
    return ExitCode.NOT_KEPT if difference.has_regression else ExitCode.KEPT
