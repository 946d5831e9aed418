"""The command line: finds the command, imports that command's module alone, and turns errors into exit codes.

Each command's module has `add_options(parser)` and the function that carries it out. Bad input is reported on
stderr and exits with 2; nothing here may end in a traceback.
"""

from __future__ import annotations

import argparse
import importlib
import io
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from waitproof.errors import HarnessError, InputError, WaitproofError
from waitproof.text import escape

if TYPE_CHECKING:
    from waitproof.run import ExitCode

__all__ = ["COMMANDS", "main"]

COMMANDS = {  # name: (module:function, help)
    "run": ("waitproof.cli.run:execute", "run the suite against adapters and print their verdicts"),
    "list": ("waitproof.cli.list:execute", "list the scenarios and what they prove"),
    "explain": ("waitproof.cli.explain:execute", "explain a requirement or a scenario"),
    "lint": ("waitproof.cli.lint:execute", "check scenario files without running them"),
    "doctor": ("waitproof.cli.doctor:execute", "check an adapter against the protocol, step by step"),
    "serve": ("waitproof.serve.command:serve", "serve mock tasks while you develop a client"),
    "prove": ("waitproof.cli.prove:execute", "show which standard defects a suite catches"),
    "report": (
        "waitproof.cli.report:execute",
        "make HTML, Markdown, JUnit XML and more of report.json files",
    ),
    "baseline": ("waitproof.cli.baseline:execute", "bring an adapter's known deviations up to date"),
    "diff": (
        "waitproof.cli.diff:execute",
        "show what changed between two runs, such as two builds of an SDK",
    ),
    "new": ("waitproof.cli.new:execute", "create a working adapter for a new SDK"),
    "schema": ("waitproof.cli.schema:execute", "print the JSON Schema of scenario files or of report.json"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that only knows ASCII is no reason to give up
        sys.stdout.reconfigure(errors="backslashreplace")
    arguments = list(sys.argv[1:] if argv is None else argv)
    options = _parser(next((each for each in arguments if each in COMMANDS), "")).parse_args(arguments)
    try:
        code = int(options.execute(options))
        sys.stdout.flush()
    except (WaitproofError, KeyboardInterrupt, BrokenPipeError) as error:
        return int(_exit_code(error))
    return code


def _exit_code(error: BaseException) -> ExitCode:
    """Return what the program exits with after an error, and report it if somebody can fix it."""
    from waitproof.run import ExitCode  # noqa: PLC0415 - `serve`, which must start quickly, needs none of this

    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    if isinstance(error, BrokenPipeError):
        from waitproof.cli.console import discard_stdout  # noqa: PLC0415

        discard_stdout()
        return ExitCode.KEPT
    print(escape(str(error)), file=sys.stderr)
    if isinstance(error, InputError):
        return ExitCode.WRONG_USE
    return ExitCode.INTERNAL if isinstance(error, HarnessError) else ExitCode.UNKNOWN


def _parser(command: str) -> argparse.ArgumentParser:
    """Return the parser; only the named command has its options, because only its module is imported."""
    parser = argparse.ArgumentParser(
        prog="waitproof",
        description="Proves that an SDK's wait-for-task helper keeps the promises of its documentation.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (place, summary) in COMMANDS.items():
        subparser = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        if name == command:
            module_name, _, function = place.partition(":")
            module = importlib.import_module(module_name)
            module.add_options(subparser)
            subparser.set_defaults(execute=getattr(module, function))
    return parser


class _Version(argparse.Action):
    """Look the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

        try:
            number = version("waitproof")
        except PackageNotFoundError:
            number = "unknown"
        print(f"waitproof {number}")
        parser.exit()
