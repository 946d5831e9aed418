"""The command line: thin over `runner`, like the pytest plugin.

Its own business is options, what is printed where, Ctrl-C, and exit codes. Bad input is told on stderr and
ends in 2; nothing here may end in a traceback.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shlex
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import IO, Any

from rich.console import Console

from waitproof.adapter.folder import (
    FILE_NAME,
    AdapterSpec,
    adapters_in,
    baseline_file,
    find_adapter,
    load_baseline,
    prepare,
    unique_names,
)
from waitproof.adapter.kits import languages, new_adapter
from waitproof.errors import InputError, Mistake, WaitproofError, nearest
from waitproof.report import data, github, outputs, text
from waitproof.report.diff import compare, markdown_lines, plain_lines
from waitproof.report.model import Report, load, merge, parse
from waitproof.report.progress import BarListener, LineListener
from waitproof.report.results import results_page
from waitproof.run.baseline import Baseline
from waitproof.run.baseline_update import Run, Update, update
from waitproof.run.doctor import examine
from waitproof.run.runner import Runner, RunResult
from waitproof.run.summary import ExitCode, exit_code
from waitproof.serve import command as serve
from waitproof.signals import heard
from waitproof.suite.contract import Level, Requirement
from waitproof.suite.files import (
    CONTRACT,
    Suite,
    bundled_suite,
    contract_file,
    lint,
    lint_scenario,
    load_contract,
    load_scenario,
    load_suite,
    read_file,
    read_suite,
    suite_above,
)
from waitproof.suite.scenario import Scenario, scenario_schema
from waitproof.suite.select import select

__all__ = ["main", "suite_folder"]

DEFAULT_SUITE = "stream"
PLAIN_WIDTH = 200  # of a table that no terminal limits


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that knows ASCII alone is no reason to give up
        sys.stdout.reconfigure(errors="backslashreplace")
    given = list(sys.argv[1:] if argv is None else argv)
    options = _parser(is_proof="prove" in given).parse_args(given)
    try:
        code = int(options.command(options))
        sys.stdout.flush()
    except WaitproofError as error:
        print(text.plain(f"{error}"), file=sys.stderr)
        return int(ExitCode.WRONG_USE if isinstance(error, InputError) else ExitCode.UNKNOWN)
    except KeyboardInterrupt:
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        _discard_stdout()
        return int(ExitCode.KEPT)
    return code


def _parser(*, is_proof: bool) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="waitproof",
        description="Proves that an SDK's wait-for-task helper keeps the promises of its documentation.",
    )
    parser.add_argument("--version", action="version", version=f"waitproof {data.waitproof_version()}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    _run_parser(commands)

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

    serving = commands.add_parser("serve", help="serve mock tasks for whoever develops an SDK")
    serve.add_options(serving)
    serving.set_defaults(command=serve.serve)

    proving = commands.add_parser("prove", help="prove that the suite catches every known defect")
    if is_proof:  # it imports the reference client, which no other command needs
        from waitproof.defects import proof  # noqa: PLC0415

        proof.add_options(proving)
        proving.set_defaults(command=proof.main)

    _report_parser(commands)
    _baseline_parser(commands)
    _diff_parser(commands)

    new = commands.add_parser("new", help="lay down a working adapter for a new SDK")
    kinds = new.add_subparsers(required=True, metavar="adapter")
    adapter = kinds.add_parser("adapter", help="copy a language's kit, a working adapter, to a folder")
    adapter.add_argument("language", help=", ".join(languages()))
    adapter.add_argument("folder", type=Path, help="a folder that does not exist yet")
    adapter.set_defaults(command=_new_adapter)

    schema = commands.add_parser("schema", help="print the JSON Schema of scenario files, for editors")
    schema.set_defaults(command=_schema)
    return parser


def _run_parser(commands: Any) -> None:
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
    outputs.add_options(run)
    run.add_argument("--fail-on", choices=["must", "should"], default="must", help="default: must")
    run.add_argument("--port", type=int, default=0, help="port of the mock server; default: a free one")
    run.set_defaults(command=_run)


def _report_parser(commands: Any) -> None:
    report = commands.add_parser(
        "report", help="make HTML, Markdown, JUnit XML and more of report.json files"
    )
    report.add_argument("reports", nargs="+", type=Path, metavar="REPORT", help="written by run --json")
    report.add_argument("--results", type=Path, metavar="FILE", help="write a Markdown page of results there")
    outputs.add_options(report)
    report.add_argument(
        "--adapter",
        action="append",
        default=[],
        metavar="NAME",
        help="only this adapter in --html, --markdown, --junit and --badge; may be repeated",
    )
    report.add_argument(
        "--not-run", action="append", default=[], metavar="NAME", help="an adapter that was not run"
    )
    report.set_defaults(command=_report)


def _baseline_parser(commands: Any) -> None:
    baseline = commands.add_parser("baseline", help="bring an adapter's known deviations up to date")
    kinds = baseline.add_subparsers(required=True, metavar="update")
    updating = kinds.add_parser(
        "update", help="write what is new into deviations.yaml, take out what is kept"
    )
    updating.add_argument("adapters", nargs="+", metavar="ADAPTER", help="folder with an adapter.yaml")
    updating.add_argument("--report", type=Path, metavar="FILE", help="written by waitproof run --json")
    updating.add_argument(
        "--wide", action="store_true", help="one entry for a requirement that no scenario keeps"
    )
    updating.add_argument("--check", action="store_true", help="change nothing; exit with 1 where it would")
    updating.set_defaults(command=_update_baselines)


def _diff_parser(commands: Any) -> None:
    differing = commands.add_parser(
        "diff", help="say what changed between two runs, such as two builds of an SDK"
    )
    differing.add_argument("old", type=Path, metavar="OLD", help="written by waitproof run --json")
    differing.add_argument("new", type=Path, metavar="NEW", help="the same of the newer build")
    differing.add_argument("--markdown", action="store_true", help="print it for a release's notes")
    differing.set_defaults(command=_diff)


def _suite_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--suite",
        default=DEFAULT_SUITE,
        metavar="DIR",
        help="folder with a contract.yaml; default: %(default)s",
    )


# --- run ----------------------------------------------------------------------------------------------


def _run(options: argparse.Namespace) -> ExitCode:
    suite = load_suite(suite_folder(options.suite))
    wanted = [*_without_collections(options.adapters), *options.adapter]
    if not wanted:
        raise InputError(
            Mistake(
                "waitproof run",
                "no adapter is named",
                expected="a folder with an adapter.yaml, or --adapter with a command",
                fix="waitproof run adapters/reference-client",
            )
        )
    scenarios = select(suite.scenarios, options.patterns)
    _check_report_files(options)
    console = _console(sys.stdout)
    specs = unique_names([find_adapter(argument) for argument in wanted])
    baselines = {spec.name: load_baseline(spec) for spec in specs}
    level = Level(options.fail_on.upper())

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, emoji=False, soft_wrap=True)

    with github.commands_off(os.environ, say):
        _prepare_all(specs, console)
        result = _play(suite, scenarios, specs, wanted, options, console, baselines)
        text.print_report(console, result)
        _print_end(console, result, suite)
    code = exit_code(
        [list(adapter.verdicts()) for adapter in result.adapters],
        fail_on=level,
        interrupted=result.interrupted,
        stale=any(adapter.stale for adapter in result.adapters),
    )
    _write_reports(result, code, level, options, say)
    return code


def _play(
    suite: Suite,
    scenarios: Sequence[Scenario],
    specs: Sequence[AdapterSpec],
    arguments: Sequence[str],
    options: argparse.Namespace,
    console: Console,
    baselines: Mapping[str, Baseline],
) -> RunResult:
    """Play the scenarios with every adapter, shown as they go; `arguments` name the adapters."""
    listener: BarListener | LineListener
    on_poll = None
    if console.is_terminal and not console.is_dumb_terminal:
        names = [spec.name for spec in specs]
        listener = BarListener(console, names, len(scenarios), suite.contract.statuses)
        on_poll = listener.polled
    else:
        listener = LineListener(console)
    runner = Runner(
        suite,
        [spec.launch() for spec in specs],
        scenarios=scenarios,
        baselines=baselines,
        listener=listener,
        on_poll=on_poll,
        port=options.port,
    )
    runner.result.argument = "" if options.suite == DEFAULT_SUITE else options.suite
    for adapter, argument in zip(runner.result.adapters, arguments, strict=True):
        adapter.argument = argument
    with listener:
        return _run_interruptibly(runner)


def _check_report_files(options: argparse.Namespace) -> None:
    """Find out before a run, rather than after it, that one of its reports cannot be written."""
    outputs.check_paths({**({"--json": options.json} if options.json else {}), **outputs.paths(options)})


def _write_reports(
    result: RunResult, code: ExitCode, level: Level, options: argparse.Namespace, say: Callable[[str], None]
) -> None:
    """Write what is wanted of a run; what cannot be written is told when all else is there."""
    wanted = outputs.paths(options)
    is_shown = bool(wanted) or github.is_wanted(os.environ)
    if options.json is None and not is_shown:
        return
    document = data.document(result, exit_code=code, fail_on=level)
    mistakes: list[Mistake] = []
    if options.json is not None:
        try:
            data.write(document, options.json)
        except InputError as error:  # whoever wants more than it shall have that
            mistakes += error.mistakes
    if is_shown:
        place = str(options.json or "the run")
        merged = merge([parse(document, place)], [place])
        github.tell(merged, os.environ, say)
        mistakes += outputs.write_reports(merged, wanted)
    if mistakes:
        raise InputError(mistakes)


def _without_collections(arguments: Sequence[str]) -> list[str]:
    """Return the adapters that `adapters/*` means: a folder that only holds some is skipped, and told."""
    if len(arguments) < 2:
        return list(arguments)
    wanted = []
    for argument in arguments:
        folder = Path(argument)
        if not (folder / FILE_NAME).exists() and adapters_in(folder):
            print(text.plain(f"{argument}: skipped, it holds adapters and is none"), file=sys.stderr)
        else:
            wanted.append(argument)
    return wanted


def _print_end(console: Console, result: RunResult, suite: Suite) -> None:
    played = sum(bool(each.verdicts) for adapter in result.adapters for each in adapter.scenarios.values())
    wanted = sum(len(adapter.scenarios) for adapter in result.adapters)
    each = len(result.adapters[0].scenarios)
    head = f"{suite.name}: {each} scenario{'' if each == 1 else 's'}"
    head += f" with {len(result.adapters)} adapters" if len(result.adapters) > 1 else ""
    head += f" in {result.seconds:.1f} s"
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
    # In a thread, so that a second Ctrl-C breaks nothing.
    with heard(lambda: threading.Thread(target=runner.cancel, daemon=True).start()):
        thread.start()
        while thread.is_alive():
            thread.join(0.2)
    if trouble:
        raise trouble[0]
    return runner.result


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
    suite, mistakes = read_suite(suite_folder(options.suite))
    console = _console(sys.stdout)
    for scenario in suite.scenarios:
        console.print(scenario.id, style="bold", markup=False, highlight=False)
        console.print(f"    {scenario.summary}", markup=False, highlight=False, soft_wrap=True)
        console.print(f"    proves {', '.join(scenario.proves)}", style="dim", markup=False, soft_wrap=True)
    head = f"{len(suite.scenarios)} scenarios prove {len(suite.contract.requirements)} requirements"
    console.print(head, markup=False, highlight=False)
    if mistakes:
        raise InputError(mistakes)
    return ExitCode.KEPT


def _explain(options: argparse.Namespace) -> ExitCode:
    suite, mistakes = read_suite(suite_folder(options.suite))
    requirements = {each.id: each for each in suite.contract.requirements}
    named = [each for each in suite.files if each.rpartition("/")[2] == options.name]
    chosen = named[0] if options.name not in suite.files and len(named) == 1 else options.name
    console = _console(sys.stdout)
    lines: list[str]
    if options.name is None:
        lines = [f"{each.level.value:<7} {each.id}" for each in requirements.values()]
    elif options.name in requirements:
        lines = _explain_requirement(suite, requirements[options.name])
    elif chosen in suite.files:
        if chosen not in {each.id for each in suite.scenarios}:
            load_scenario(suite.files[chosen], suite.folder, suite.contract)  # it says why it cannot be read
        lines = _explain_scenario(suite, chosen)
    else:
        known = [*requirements, *suite.files]
        fix = nearest(options.name, known) or "'waitproof list' and 'waitproof explain' show them all"
        raise InputError(Mistake("explain", f"nothing is called '{options.name}'", fix=fix))
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if mistakes:
        suite_named = [] if options.suite == DEFAULT_SUITE else ["--suite", options.suite]
        linting = shlex.join(["waitproof", "lint", *suite_named])
        print(text.plain(f"this suite has mistakes; to see them: {linting}"), file=sys.stderr)
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


def _explain_scenario(suite: Suite, scenario_id: str) -> list[str]:
    place = suite.files[scenario_id]
    return [f"{scenario_id} ({place})", "", *read_file(place).splitlines()]


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
    folder = suite_above(path.absolute())
    if folder is None:
        fix = "put it below the folder of a suite"
        raise InputError(Mistake(str(path), f"no {CONTRACT} lies above this file", fix=fix))
    contract = load_contract(folder / CONTRACT)
    if path.absolute() == folder / CONTRACT:
        return
    scenario = load_scenario(path.absolute(), folder, contract)
    alone = Suite(folder, contract, (scenario,), {scenario.id: path.absolute()})
    mistakes = list(lint_scenario(alone, scenario))
    if mistakes:
        raise InputError(mistakes)


def _doctor(options: argparse.Namespace) -> ExitCode:
    contract = load_contract(contract_file(suite_folder(options.suite)))
    spec = find_adapter(options.adapter)
    console = _console(sys.stdout)
    _prepare_all([spec], console)

    def say(line: str) -> None:
        console.print(text.plain(line), markup=False, highlight=False, soft_wrap=True)

    return ExitCode.KEPT if examine(spec.launch(), contract, say) else ExitCode.UNKNOWN


def _report(options: argparse.Namespace) -> ExitCode:
    wanted = outputs.paths(options)
    results = {} if options.results is None else {"--results": options.results}
    outputs.check_paths({**results, **wanted}, read=options.reports)
    reports = [load(path) for path in options.reports]
    merged = merge(reports, [str(path) for path in options.reports])
    if wanted:
        for note in merged.notes:
            print(text.plain(note), file=sys.stderr)
        mistakes = outputs.write_reports(merged.only(options.adapter), wanted)
        if mistakes:
            raise InputError(mistakes)
    if options.results is None and not wanted:
        print(results_page(reports, options.not_run), end="")
    elif options.results is not None:
        _write_page(results_page(reports, options.not_run), options.results)
    return ExitCode.KEPT


def _write_page(page: str, path: Path) -> None:
    try:
        path.write_text(page, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        fact = f"the page cannot be written: {(error.strerror or str(error)).lower()}"
        raise InputError(Mistake(str(path), fact)) from None


def _update_baselines(options: argparse.Namespace) -> ExitCode:
    if options.report is None:
        run = shlex.join(["waitproof", "run", *options.adapters, "--json", "report.json"])
        fix = f"{run}; then the same command with --report report.json"
        raise InputError(Mistake("--report", "what has a run seen? No report is named", fix=fix))
    report = load(options.report)
    updates = [_update_of(argument, report, options) for argument in options.adapters]
    for file, new in updates:
        if new.changes and new.text is not None and not options.check:
            _write_whole(file, new.text)
        print("\n".join(text.plain(line) for line in _told(file, new, is_check=options.check)))
    changed = any(new.changes for _, new in updates)
    return ExitCode.NOT_KEPT if options.check and changed else ExitCode.KEPT


def _update_of(argument: str, report: Report, options: argparse.Namespace) -> tuple[Path, Update]:
    name, file = baseline_file(argument)
    played = {each.name: each for each in report.adapters}
    if name not in played:
        fact = f"the report has nothing about the adapter '{name}'"
        fix = shlex.join(["waitproof", "run", argument, "--json", str(options.report)])
        raise InputError(Mistake(str(options.report), fact, expected=", ".join(played), fix=fix))
    adapter = played[name]
    run = Run(
        report.started[:10],
        adapter.named_sdk,
        adapter.judged,
        report.is_complete,
        [each.id for each in report.requirements],
    )
    before = read_file(file) if os.path.lexists(file) else None
    return file, update(before, str(file), run, date.today(), wide=options.wide)


def _write_whole(file: Path, content: str) -> None:
    try:
        file.write_bytes(content.encode("utf-8"))
    except OSError as error:
        fact = f"the baseline cannot be written: {(error.strerror or str(error)).lower()}"
        raise InputError(Mistake(str(file), fact)) from None


def _told(file: Path, new: Update, *, is_check: bool) -> Iterator[str]:
    would = "would be " if is_check else ""
    parts = [f"{len(new.added)} {would}added"] if new.added else []
    parts += [f"{len(new.removed)} {would}taken out"] if new.removed else []
    yield f"{file}: {', '.join(parts) or 'nothing to change'}"
    yield from (f"  + {each.deviation}" for each in new.added)
    yield from (
        f"  - {each.entry.known.deviation}: {each.problem.value.replace('_', ' ')}" for each in new.removed
    )
    yield from (f"  ! {each.expiry}" for each in new.expired if each.expiry is not None)


def _diff(options: argparse.Namespace) -> ExitCode:
    difference = compare(load(options.old), load(options.new))
    lines = markdown_lines(difference) if options.markdown else plain_lines(difference)
    print("\n".join(text.plain(line) for line in lines))
    return ExitCode.NOT_KEPT if difference.has_regression else ExitCode.KEPT


def _new_adapter(options: argparse.Namespace) -> ExitCode:
    files = new_adapter(options.language, options.folder)
    print(f"{options.folder}: {', '.join(str(file) for file in files)}")
    print(f"It works as it is: waitproof doctor {shlex.quote(str(options.folder))}")
    print("Then call your SDK where it calls the task client, and run: waitproof run", options.folder)
    return ExitCode.KEPT


def _schema(_options: argparse.Namespace) -> ExitCode:
    print(json.dumps(scenario_schema(), indent=2))
    return ExitCode.KEPT


class _Console(Console):
    """A console whose reader may go away: a run goes on, for its report and its exit code."""

    def on_broken_pipe(self) -> None:
        """Write on into nothing."""
        self.quiet = True
        _discard_stdout()


def _discard_stdout() -> None:
    """Whoever read the output has seen enough; Python must not complain about it at exit."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)


def _console(stream: IO[str]) -> Console:
    console = _Console(file=stream)
    if not console.is_terminal:
        console = _Console(file=stream, width=PLAIN_WIDTH, color_system=None)
    return console
