"""The command line: finds the command, imports that command's module alone, and turns errors into exit codes.

Each command's module has `add_options(parser)` and `execute(options)`. Bad input is reported on
stderr and exits with 2; nothing here may end in a traceback.
"""

from __future__ import annotations

import argparse
import importlib
import io
import sys
from collections.abc import Sequence

from waitproof.cli.configuration import configure
from waitproof.errors import HarnessError, InputError, WaitproofError
from waitproof.signals import discard_output
from waitproof.text import escape, installed_version

__all__ = ["main"]

COMMANDS = {  # name of its module, except for `serve`: help
    "run": "run the suite against adapters and print their verdicts",
    "list": "list the scenarios and what they prove",
    "explain": "explain a requirement, a scenario or a check",
    "lint": "check scenario files without running them",
    "doctor": "check an adapter against the protocol, step by step",
    "serve": "serve mock tasks while you develop a client",
    "prove": "show which standard defects a suite catches",
    "report": "make HTML, Markdown, JUnit XML and more from report.json files",
    "baseline": "bring an adapter's known deviations up to date",
    "diff": "show what changed between two runs, such as two builds of an SDK",
    "new": "create a working adapter for a new SDK, or a suite for a new API",
    "schema": "print the JSON Schema of scenario files, of contracts or of report.json",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that only knows ASCII is no reason to give up
        sys.stdout.reconfigure(errors="backslashreplace")
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = next((each for each in arguments if each in COMMANDS), "")
    options = _parser(command).parse_args(arguments)
    try:
        if command != "run":  # which removes the reports of an earlier run first of all
            configure(command, options)
        code = int(options.execute(options))
        sys.stdout.flush()
    except (WaitproofError, KeyboardInterrupt, BrokenPipeError) as error:
        return _exit_code(error)
    return code


def _exit_code(error: BaseException) -> int:
    """Return what the program exits with after an error, and report it if somebody can fix it."""
    from waitproof.run import ExitCode  # noqa: PLC0415 - `serve`, which must start quickly, needs none of this

    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    if isinstance(error, BrokenPipeError):
        discard_output(sys.stdout)
        return ExitCode.KEPT
    print(escape(str(error)), file=sys.stderr)
    if isinstance(error, InputError):
        return ExitCode.WRONG_USE
    return ExitCode.INTERNAL_ERROR if isinstance(error, HarnessError) else ExitCode.UNKNOWN


def _parser(command: str) -> argparse.ArgumentParser:
    """Return the parser; only the named command has its options, because only its module is imported."""
    parser = argparse.ArgumentParser(
        prog="waitproof",
        description="Proves that an SDK's wait-for-task helper keeps the promises of its documentation.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        subparser = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        if name == command:
            place = "waitproof.serve.command" if name == "serve" else f"waitproof.cli.{name}"
            module = importlib.import_module(place)
            module.add_options(subparser)
            subparser.set_defaults(execute=module.execute)
    return parser


class _Version(argparse.Action):
    """Look the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"waitproof {installed_version()}")
        parser.exit()
