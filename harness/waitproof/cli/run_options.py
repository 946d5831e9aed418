"""The options of `waitproof run`, in the groups in which `--help` shows them."""

from __future__ import annotations

import argparse
from pathlib import Path

from waitproof import report
from waitproof.cli.options import add_prepare_option, add_suite_options
from waitproof.cli.plan import QUICK_S

__all__ = ["add_options"]

_EXAMPLES = """\
examples:
  waitproof run my-adapter --quick                         a first look
  waitproof run my-adapter -k "timeout and not faults"     some scenarios
  waitproof run my-adapter --html report.html              a page to share
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.usage = "waitproof run [ADAPTER ...] [options]"
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EXAMPLES
    parser.add_argument(
        "adapters",
        nargs="*",
        metavar="ADAPTER",
        help="a folder with an adapter.yaml (default: those of the configuration)",
    )
    judged = parser.add_argument_group("what is judged, and by what")
    judged.add_argument(
        "--adapter",
        action="append",
        default=[],
        metavar="X",
        help="a folder with an adapter.yaml, or a command; repeatable",
    )
    add_suite_options(judged)
    selecting = parser.add_argument_group("which scenarios")
    selecting.add_argument(
        "-k",
        action="append",
        default=[],
        metavar="EXPR",
        dest="patterns",
        help="run only scenarios and requirements that match: patterns with 'and', 'or', 'not' and "
        "parentheses; a pattern is a substring or a glob; repeatable",
    )
    selecting.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="EXPR",
        help="leave out what matches, written as for -k; repeatable",
    )
    selecting.add_argument(
        "--quick", action="store_true", help=f"leave out scenarios that take {QUICK_S:g} s or longer"
    )
    selecting.add_argument(
        "--last-failed", "--lf", action="store_true", help="run only what failed when it was last run"
    )
    selecting.add_argument("-x", "--exitfirst", action="store_true", help="stop at the first failure")
    selecting.add_argument(
        "--watch",
        action="store_true",
        help="run what failed again when a file of the adapter or of its SDK changes, until Ctrl-C",
    )
    reports = parser.add_argument_group("reports")
    reports.add_argument("--json", type=Path, metavar="FILE", help="write report.json to FILE")
    report.add_options(reports)
    reports.add_argument("-v", "--verbose", action="store_true", help="print every requirement and failure")
    ending = parser.add_argument_group("exit code")
    ending.add_argument(
        "--fail-on",
        choices=["must", "should"],
        help="the lowest level whose failures make the run exit with 1 (default: must)",
    )
    ending.add_argument(
        "--allow-inconclusive",
        action="store_true",
        help="exit with 0 although the machine was too busy to tell in some scenarios (default: with 3)",
    )
    running = parser.add_argument_group("how it is run")
    add_prepare_option(running)
    running.add_argument(
        "--clock-jump",
        action="store_true",
        help="let the adapters' time of day jump on by an hour every 0.4 s (needs libfaketime; Linux)",
    )
    running.add_argument("--port", type=int, default=0, help="port of the mock server (default: a free one)")
