"""The command line: thin over `runner`, like the pytest plugin.

Its own business is options, what is printed where, Ctrl-C, and exit codes. Bad input is told on stderr and
ends in 2; nothing here may end in a traceback.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

from rich.console import Console

from harness.adapter_folder import AdapterSpec, find_adapter, load_baseline, prepare, unique_names
from harness.contract import Level, Requirement
from harness.doctor import examine
from harness.errors import InputError, Mistake, WaitproofError, nearest
from harness.report import data, text
from harness.report.progress import BarListener, LineListener
from harness.runner import Runner, RunResult
from harness.scenario import Scenario, scenario_schema
from harness.selection import select
from harness.suite import Suite, bundled_suite, lint, load_contract, load_scenario, load_suite, read_file
from harness.summary import ExitCode, exit_code

__all__ = ["main", "suite_folder"]

PLAIN_WIDTH = 200  # of a table that no terminal limits


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    options = _parser().parse_args(argv)
    try:
        return int(options.command(options))
    except WaitproofError as error:
        print(text.plain(f"{error}"), file=sys.stderr)
        return int(ExitCode.WRONG_USE if isinstance(error, InputError) else ExitCode.UNKNOWN)
    except KeyboardInterrupt:
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # Whoever read the output has seen enough; Python must not complain about it at exit.
        with contextlib.suppress(OSError):
            sys.stdout.close()
        return int(ExitCode.KEPT)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="waitproof",
        description="Proves that an SDK's wait-for-task helper keeps the promises of its documentation.",
    )
    parser.add_argument("--version", action="version", version=f"waitproof {data.waitproof_version()}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run the suite against adapters and print their verdicts")
    run.add_argument("adapters", nargs="*", metavar="ADAPTER", help="folder with an adapter.yaml")
    run.add_argument("--adapter", action="append", default=[], metavar="X", help="a folder, else a command")
    _suite_option(run)
    run.add_argument(
        "-k",
        action="append",
        default=[],
        metavar="PATTERN",
        dest="patterns",
        help="only what matches: part of, or glob for, scenario or scenario:requirement; may be repeated",
    )
    run.add_argument("--json", type=Path, metavar="FILE", help="write report.json there")
    run.add_argument("--fail-on", choices=["must", "should"], default="must", help="default: must")
    run.add_argument("--port", type=int, default=0, help="port of the mock server; default: a free one")
    run.set_defaults(command=_run)

    listing = commands.add_parser("list", help="list the scenarios and what they prove")
    _suite_option(listing)
    listing.set_defaults(command=_list)

    explain = commands.add_parser("explain", help="explain a requirement or a scenario")
    explain.add_argument("name", nargs="?", help="its id; without one, all requirements are listed")
    _suite_option(explain)
    explain.set_defaults(command=_explain)

    checking = commands.add_parser("lint", help="check scenario files without running them")
    checking.add_argument("paths", nargs="*", type=Path, help="suites or scenario files; default: the suite")
    _suite_option(checking)
    checking.set_defaults(command=_lint)

    doctor = commands.add_parser("doctor", help="check an adapter against the protocol, step by step")
    doctor.add_argument("adapter", metavar="ADAPTER", help="a folder, else a command")
    _suite_option(doctor)
    doctor.set_defaults(command=_doctor)

    schema = commands.add_parser("schema", help="print the JSON Schema of scenario files, for editors")
    schema.set_defaults(command=_schema)
    return parser


def _suite_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--suite", default="stream", metavar="DIR", help="folder with a contract.yaml; default: stream"
    )


# --- run ----------------------------------------------------------------------------------------------


def _run(options: argparse.Namespace) -> ExitCode:
    suite = load_suite(suite_folder(options.suite))
    wanted = [*options.adapters, *options.adapter]
    if not wanted:
        raise InputError(
            Mistake(
                "waitproof run",
                "no adapter is named",
                expected="a folder with an adapter.yaml, or --adapter with a command",
                mend="waitproof run adapters/reference-client",
            )
        )
    scenarios = select(suite.scenarios, options.patterns)
    if options.json is not None and not options.json.absolute().parent.is_dir():
        raise InputError(Mistake("--json", f"the folder of {options.json} does not exist", mend="make it"))
    console = _console(sys.stdout)
    specs = unique_names([find_adapter(argument) for argument in wanted])
    baselines = {spec.name: load_baseline(spec) for spec in specs}
    _prepare_all(specs, console)
    listener: BarListener | LineListener
    if console.is_terminal:
        listener = BarListener(console, [spec.name for spec in specs], len(scenarios))
    else:
        listener = LineListener(console)
    runner = Runner(
        suite,
        [spec.launch() for spec in specs],
        scenarios=scenarios,
        baselines=baselines,
        listener=listener,
        port=options.port,
    )
    with listener:
        result = _run_interruptibly(runner)
    level = Level(options.fail_on.upper())
    code = exit_code(
        [list(adapter.verdicts()) for adapter in result.adapters],
        fail_on=level,
        interrupted=result.interrupted,
    )
    text.print_report(console, result)
    _print_end(console, result, suite)
    if options.json is not None:
        data.write(data.document(result, exit_code=code, fail_on=level), options.json)
    return code


def _print_end(console: Console, result: RunResult, suite: Suite) -> None:
    played = sum(bool(each.verdicts) for adapter in result.adapters for each in adapter.scenarios.values())
    wanted = sum(len(adapter.scenarios) for adapter in result.adapters)
    head = f"{suite.name}: {played} scenarios in {result.seconds:.1f} s"
    if result.interrupted:
        head = f"{suite.name}: interrupted after {result.seconds:.1f} s: {played} of {wanted} scenarios"
    console.print(head, markup=False, highlight=False)


def _run_interruptibly(runner: Runner) -> RunResult:
    """Run in a thread, so that Ctrl-C and SIGTERM are heard at once and what is known is kept."""
    trouble: list[BaseException] = []

    def body() -> None:
        try:
            runner.run()
        except BaseException as error:  # noqa: BLE001 - raised below, in the main thread
            trouble.append(error)

    thread = threading.Thread(target=body, name="run", daemon=True)
    with _signals(runner.cancel):
        thread.start()
        while thread.is_alive():
            try:
                thread.join(0.2)
            except KeyboardInterrupt:
                runner.cancel()
    if trouble:
        raise trouble[0]
    return runner.result


@contextlib.contextmanager
def _signals(cancel: Callable[[], None]) -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_term(_number: int, _frame: FrameType | None) -> None:
        threading.Thread(target=cancel, daemon=True).start()

    before = signal.signal(signal.SIGTERM, on_term)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _prepare_all(specs: Sequence[AdapterSpec], console: Console) -> None:
    mistakes: list[Mistake] = []
    for spec in specs:
        try:
            prepare(spec, lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True))
        except InputError as error:
            mistakes += error.mistakes
    if mistakes:
        raise InputError(mistakes)


def suite_folder(argument: str) -> Path:
    """Return the folder that `--suite` means: a path, else the name of a suite that comes with waitproof.

    Raises:
        InputError: It is neither.
    """
    folder = Path(argument)
    return folder if folder.is_dir() else bundled_suite(argument)


# --- the other commands -------------------------------------------------------------------------------


def _list(options: argparse.Namespace) -> ExitCode:
    suite = load_suite(suite_folder(options.suite))
    console = _console(sys.stdout)
    for scenario in suite.scenarios:
        console.print(scenario.id, style="bold", markup=False, highlight=False)
        console.print(f"    {scenario.summary}", markup=False, highlight=False, soft_wrap=True)
        console.print(f"    proves {', '.join(scenario.proves)}", style="dim", markup=False, soft_wrap=True)
    head = f"{len(suite.scenarios)} scenarios prove {len(suite.contract.requirements)} requirements"
    console.print(head, markup=False, highlight=False)
    return ExitCode.KEPT


def _explain(options: argparse.Namespace) -> ExitCode:
    suite = load_suite(suite_folder(options.suite))
    requirements = {each.id: each for each in suite.contract.requirements}
    scenarios = {each.id: each for each in suite.scenarios}
    console = _console(sys.stdout)
    lines: list[str]
    if options.name is None:
        lines = [f"{each.level.value:<7} {each.id}" for each in requirements.values()]
    elif options.name in requirements:
        lines = _explain_requirement(suite, requirements[options.name])
    elif options.name in scenarios:
        lines = _explain_scenario(suite, scenarios[options.name])
    else:
        known = [*requirements, *scenarios]
        mend = nearest(options.name, known) or "'waitproof list' and 'waitproof explain' show them all"
        raise InputError(Mistake("explain", f"nothing is called '{options.name}'", mend=mend))
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return ExitCode.KEPT


def _explain_requirement(suite: Suite, requirement: Requirement) -> list[str]:
    origin = f"says {suite.contract.source}" if requirement.quote else "by reason"
    arguments = f" {json.dumps(requirement.with_)}" if requirement.with_ else ""
    lines = [f"{requirement.id} ({requirement.level.value}, {origin})"]
    lines += textwrap.wrap(requirement.sentence, 96, initial_indent="  ", subsequent_indent="  ")
    limits = requirement.applies_to.model_dump(exclude_none=True)
    if limits:
        lines.append("  applies to: " + ", ".join(f"{name} {value}" for name, value in limits.items()))
    lines.append(f"  check: {requirement.check}{arguments}")
    lines.append("  proved by:")
    lines += [f"    {each.id}" for each in suite.scenarios if requirement.id in each.proves]
    return lines


def _explain_scenario(suite: Suite, scenario: Scenario) -> list[str]:
    place = suite.files[scenario.id]
    return [f"{scenario.id} ({place})", "", *read_file(place).splitlines()]


def _lint(options: argparse.Namespace) -> ExitCode:
    paths = options.paths or [suite_folder(options.suite)]
    mistakes: list[Mistake] = []
    told: list[str] = []
    for path in paths:
        try:
            if path.is_dir():
                suite = load_suite(path)
                mistakes += lint(suite)
                count = f"{len(suite.scenarios)} scenarios, {len(suite.contract.requirements)} requirements"
                told.append(f"{path}: {count}")
            else:
                _lint_file(path)
                told.append(f"{path}: fine")
        except InputError as error:
            mistakes += error.mistakes
    if mistakes:
        raise InputError(mistakes)
    print("\n".join(told))
    return ExitCode.KEPT


def _lint_file(path: Path) -> None:
    """Check one scenario file against the contract above it."""
    folder = next((each for each in path.absolute().parents if (each / "contract.yaml").is_file()), None)
    if folder is None:
        mend = "put it below the folder of a suite"
        raise InputError(Mistake(str(path), "no contract.yaml lies above this file", mend=mend))
    contract_file = folder / "contract.yaml"
    contract = load_contract(contract_file)
    if path.absolute() != contract_file:
        load_scenario(path.absolute(), folder, contract)


def _doctor(options: argparse.Namespace) -> ExitCode:
    suite = load_suite(suite_folder(options.suite))
    spec = find_adapter(options.adapter)
    console = _console(sys.stdout)
    _prepare_all([spec], console)
    return ExitCode.KEPT if examine(spec.launch(), suite.contract, print) else ExitCode.UNKNOWN


def _schema(_options: argparse.Namespace) -> ExitCode:
    print(json.dumps(scenario_schema(), indent=2))
    return ExitCode.KEPT


def _console(stream: object) -> Console:
    console = Console(file=stream)  # type: ignore[arg-type]
    if not console.is_terminal:
        console = Console(file=stream, width=PLAIN_WIDTH, color_system=None)  # type: ignore[arg-type]
    return console


if __name__ == "__main__":
    sys.exit(main())
