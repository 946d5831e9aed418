"""The command line: finds the command, imports that command's module alone, and turns errors into exit codes.

Each command's module has `add_options(parser)` and `execute(options)`. Bad input is reported on
stderr and exits with 2, an error of our own exits with 4; nothing here may end in a traceback.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import os
import sys
from collections.abc import Iterable, Sequence

from waitproof.cli.failures import errors_in, noted_threads, report_failure
from waitproof.errors import HarnessError, InputError, Mistake, WaitproofError, nearest
from waitproof.signals import on_termination
from waitproof.text import escape, installed_version

__all__ = ["main"]

# Those of `run.ExitCode`, which `serve` has no time to import.
WRONG_USE, UNKNOWN, INTERNAL_ERROR, INTERRUPTED = 2, 3, 4, 130

COMMANDS = {  # name of its module, except for `serve`: help
    "init": "set a repository up to judge its SDK: adapter, configuration, CI",
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
    "schema": "print the JSON Schema of scenarios, contracts or report.json",
}
EXAMPLES = {  # of each command; `run` has more to say about its own
    "list": ("list --suite stream",),
    "explain": ("explain stops-at-terminal", "explain outcomes/completed"),
    "lint": ("lint my-suite", "lint my-scenario.yaml --suite my-suite"),
    "doctor": ("doctor my-adapter",),
    "serve": ("serve --judge", "serve --suite my-suite --port 8080"),
    "prove": ("prove --suite my-suite --simulated",),
    "report": (
        "report report.json --html report.html",
        "report go.json java.json --results results.md",
        "report runs/ --site site/",
    ),
    "baseline": ("baseline update my-adapter --report report.json",),
    "diff": ("diff before.json after.json",),
    "new": ("new adapter python my-adapter", "new suite my-suite"),
    "init": ("init", "init --language go --suite meilisearch"),
    "schema": ("schema --contract",),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        with on_termination(_interrupt), noted_threads() as unexpected:
            code = _run(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - whatever it is, it ends with an exit code of its own
        return _exit_code(error)
    return INTERNAL_ERROR if unexpected else code


def _interrupt() -> None:
    """Let SIGTERM and the end of the terminal be what Ctrl-C is; a command may do otherwise."""
    raise KeyboardInterrupt


def _run(arguments: list[str]) -> int:
    word = next((each for each in arguments if not each.startswith("-")), "")
    parser, known = _parser(word)
    if not arguments:
        parser.print_help(sys.stderr)
        return WRONG_USE
    first = arguments[0]
    if first == word and word not in COMMANDS:
        expected = f"{', '.join([*COMMANDS][:-1])} or {[*COMMANDS][-1]}"
        raise InputError(
            Mistake("waitproof", f"no command is called '{word}'", "", expected, nearest(word, COMMANDS))
        )
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        named = [each for each in unknown if each.startswith("-")]  # the others may be what these were given
        raise InputError([_unknown(word, each, known) for each in named or unknown])
    if word != "run":  # which removes the reports of an earlier run first of all
        from waitproof.cli.configuration import configure  # noqa: PLC0415 - `--version` needs none of it

        configure(word, options)
    code = int(options.execute(options))
    sys.stdout.flush()
    return code


def _unknown(command: str, argument: str, known: Iterable[str]) -> Mistake:
    """Return that the command has no such option, or takes no such argument."""
    name = argument.partition("=")[0]
    fix = nearest(name, known) or f"see: waitproof {command} --help"
    if name in known:
        fix = f"write it after the command: waitproof {command} {argument}"
    what = f"no option is called '{name}'" if name.startswith("-") else f"'{name}' is one argument too many"
    return Mistake(f"waitproof {command}", what, fix=fix)


def _exit_code(error: Exception) -> int:
    """Return what the program exits with after an error, and report it."""
    errors = errors_in(error)
    if not all(isinstance(each, WaitproofError) for each in errors):
        report_failure(error)
        return INTERNAL_ERROR
    from waitproof.report import commands_off  # noqa: PLC0415 - `serve`, which must start quickly, needs none of it

    with commands_off(os.environ, functools.partial(print, file=sys.stderr, flush=True)):
        # What an adapter wrote is in it.
        print(*(escape(str(each)) for each in errors), sep="\n\n", file=sys.stderr, flush=True)
    if any(isinstance(each, HarnessError) for each in errors):
        return INTERNAL_ERROR
    return WRONG_USE if any(isinstance(each, InputError) for each in errors) else UNKNOWN


def _parser(command: str) -> tuple[argparse.ArgumentParser, list[str]]:
    """Return the parser and the command's options; no other command has any, nor is its module imported."""
    parser = argparse.ArgumentParser(
        prog="waitproof",
        description="Proves that an SDK's wait helper keeps the promises of its documentation.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(
        required=True, metavar="COMMAND", title="commands (waitproof run --help shows one's options)"
    )
    known: list[str] = []
    for name, summary in COMMANDS.items():
        subparser = commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog="\n".join(["examples:", *(f"  waitproof {each}" for each in EXAMPLES.get(name, ()))]),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name == command:
            place = "waitproof.serve.command" if name == "serve" else f"waitproof.cli.{name}"
            module = importlib.import_module(place)
            module.add_options(subparser)
            subparser.set_defaults(execute=module.execute)
            known = [option for action in subparser._actions for option in action.option_strings]  # noqa: SLF001
    return parser, known


class _Version(argparse.Action):
    """Look the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"waitproof {installed_version()}")
        parser.exit()
