"""`waitproof run`: runs suites against adapters, shows the progress, and writes the reports.

Adapters of one suite run side by side, and one suite after the other.

What is not obvious: the run has its own thread, so that Ctrl-C and SIGTERM are noticed at once, and every
verdict known by then is written whatever ends it, before anything is printed.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

from rich.console import Console
from rich.text import Text

from waitproof import report
from waitproof.adapter import FILE_NAME, AdapterSpec, adapters_in, find_adapter, unique_names
from waitproof.cli.configuration import configure
from waitproof.cli.console import make_console, say
from waitproof.cli.failures import errors_in
from waitproof.cli.last_failed import LastFailed, failing
from waitproof.cli.options import no_adapter, prepare_all
from waitproof.cli.plan import SuiteRun, only_failed, plan
from waitproof.cli.run_options import add_options
from waitproof.cli.watch import watch
from waitproof.errors import InputError, Mistake
from waitproof.judge import Status
from waitproof.run import (
    Baseline,
    ExitCode,
    Runner,
    RunResult,
    add_causes,
    exit_code,
    jumping_clock,
    load_baseline,
    under_clock,
)
from waitproof.signals import on_termination
from waitproof.suite import Level
from waitproof.text import escape, plural

__all__ = ["add_options", "execute"]


def execute(options: argparse.Namespace) -> ExitCode:
    """Run, print and write everything requested.

    Raises:
        InputError: Wrong use, or a report that could not be written.
    """
    report.clear_paths(_requested(options))
    configure("run", options)
    for option, path in _requested(options).items():
        if option.removeprefix("--") in options.configured:
            with contextlib.suppress(OSError):  # `clear_paths` says what is wrong
                path.parent.mkdir(parents=True, exist_ok=True)
    options.fail_on = options.fail_on or "must"
    arguments = [*_without_collections(options.adapters), *options.adapter]
    if not arguments:
        raise no_adapter("waitproof run")
    if options.watch:
        ignored = _requested(options).values()
        return watch(options, arguments, ignored, lambda prepared: _run(options, arguments, prepared))
    return _run(options, arguments, lambda: None)


def _requested(options: argparse.Namespace) -> dict[str, Path]:
    """Return the files of all requested reports, by option."""
    return {**({"--json": options.json} if options.json else {}), **report.requested_paths(options)}


def _run(options: argparse.Namespace, arguments: Sequence[str], on_prepared: Callable[[], None]) -> ExitCode:
    """Run once; `on_prepared` is called when all adapters are prepared."""
    report.clear_paths(requested := _requested(options))
    specs = [_with_baseline(find_adapter(argument), options) for argument in arguments]
    runs = plan(options, unique_names(specs))
    state = LastFailed(options.configuration.folder if options.configuration else Path())
    if options.last_failed:
        runs = only_failed(runs, state, say, options.fail_on)
    for each in runs:
        report.clear_paths(each.paths(requested))
    console = make_console(sys.stdout)
    baselines = [[load_baseline(spec.baseline) for spec in each.specs] for each in runs]
    level = Level(options.fail_on.upper())
    noted = failing(options.fail_on) | {Status.INCONCLUSIVE}  # which a busy machine may have caused
    results: list[RunResult] = []
    mistakes: list[Mistake] = []
    signals: list[None] = []
    for each, known in zip(runs, baselines, strict=True):
        with report.commands_off(os.environ, say):
            if not results:
                prepare_all([spec for run in runs for spec in run.specs], say, again=options.prepare)
                on_prepared()
            if not each.is_only:
                say(f"{each.suite.name}: {', '.join(spec.name for spec in each.specs)}")
            with _until_written(signals):
                result, error = _play(each, options, console, known)
                error = error or _add_causes(result, console)
                raw = report.report_of(result, exit_code=_code([result], options), fail_on=level)
                merged = report.merge_reports([report.shown(raw)], [str(options.json or "the run")])
                mistakes += report.write_reports(merged, each.paths(requested), raw)
            report.print_report(console, merged, verbose=options.verbose)
            say(_last_line(each, result))
        report.publish(merged, os.environ, say)
        results.append(result)
        for spec, adapter in zip(each.specs, result.adapters, strict=True):
            state.note(spec, each.suite.name, adapter.verdicts(), noted)
        state.save()
        if error is not None:
            for mistake in mistakes:
                print(escape(str(mistake)), file=sys.stderr)
            raise error
        if result.interrupted or result.stopped or signals:
            break
    if len(results) > 1:
        say(_summary(results))
    if mistakes:
        raise InputError(mistakes)
    is_whole = len(results) == len(runs) or results[-1].stopped
    return _code(results, options) if is_whole else ExitCode.INTERRUPTED


@contextlib.contextmanager
def _until_written(signals: list[None]) -> Iterator[None]:
    """Let a first signal wait until the reports are written; a second one ends the program at once."""

    def on_signal() -> None:
        signals.append(None)
        if len(signals) > 1:
            raise KeyboardInterrupt

    with on_termination(on_signal):
        yield


def _add_causes(result: RunResult, console: Console) -> BaseException | None:
    """Look for causes, until a signal comes; return the error that ended that, if one did."""
    text = f"{result.suite.name}: looking for causes"

    def stop() -> None:
        raise KeyboardInterrupt

    def on_search() -> None:
        if _is_drawn_on(console):
            shown.enter_context(console.status(Text(escape(text)), spinner="line"))
        else:
            say(text)

    try:
        with on_termination(stop), contextlib.ExitStack() as shown:
            add_causes(result, on_search)
    except KeyboardInterrupt:
        result.interrupted = True
    except Exception as error:  # noqa: BLE001 - raised once all is written
        return _noted(result, error)
    return None


def _noted(result: RunResult, error: BaseException) -> BaseException:
    """Note in a run's result that an error of our own has ended it."""
    result.error = "\n".join(str(each) or type(each).__name__ for each in errors_in(error))
    result.interrupted = True
    return error


def _with_baseline(spec: AdapterSpec, options: argparse.Namespace) -> AdapterSpec:
    """Return an adapter with the baseline that the configuration names for it, if it names one.

    Raises:
        InputError: There is no such file.
    """
    found = options.configuration and options.configuration.baseline_of(spec.folder)
    if found and not found.is_file():
        fix = "write it, or leave the key out: deviations.yaml in the adapter's folder is found by itself"
        place = options.configuration.places["baseline"]
        raise InputError(Mistake(place, f"the baseline {found} is missing", fix=fix))
    return dataclasses.replace(spec, baseline=found) if found else spec


def _code(results: Sequence[RunResult], options: argparse.Namespace) -> ExitCode:
    adapters = [adapter for result in results for adapter in result.adapters]
    return exit_code(
        [list(adapter.verdicts()) for adapter in adapters],
        fail_on=Level(options.fail_on.upper()),
        failed=any(result.error for result in results),
        interrupted=any(result.interrupted for result in results),
        stale=any(adapter.stale for adapter in adapters),
        died=any(adapter.deaths for adapter in adapters),
        allow_inconclusive=options.allow_inconclusive,
    )


def _without_collections(arguments: Sequence[str]) -> list[str]:
    """Return the adapters that `adapters/*` means: a folder that only holds some is skipped, with a note."""
    adapters = []
    for argument in arguments:
        folder = Path(argument)
        if len(arguments) > 1 and not (folder / FILE_NAME).exists() and adapters_in(folder):
            print(escape(f"{argument}: skipped: it holds adapters but isn't one"), file=sys.stderr)
        else:
            adapters.append(argument)
    return adapters


def _play(
    run: SuiteRun,
    options: argparse.Namespace,
    console: Console,
    baselines: Sequence[Baseline],
) -> tuple[RunResult, BaseException | None]:
    """Play one suite's scenarios with its adapters and show the progress.

    Returns:
        What is known, and the error of the harness that ended the run, if one did.

    Raises:
        InputError: The run could not begin.
    """
    listener: report.BarListener | report.LineListener
    on_poll = None
    if _is_drawn_on(console):
        names = [spec.name for spec in run.specs]
        listener = report.BarListener(console, names, len(run.scenarios), run.suite.contract.meanings)
        on_poll = listener.polled
    else:
        listener = report.LineListener(console)
    with jumping_clock(jumps=options.clock_jump) as clock:
        runner = Runner(
            run.suite,
            [under_clock(spec.launch(), clock) for spec in run.specs],
            scenarios=run.scenarios,
            baselines=baselines,
            listener=listener,
            on_poll=on_poll,
            port=options.port,
            stop_at=failing(options.fail_on) if options.exitfirst else (),
        )
        runner.result.argument = options.suite or ""
        runner.result.scenarios_arguments = tuple(map(str, options.scenarios))
        with listener:
            return _run_in_thread(runner)


def _is_drawn_on(console: Console) -> bool:
    """Say whether progress can be drawn, so that nothing remains of it."""
    return console.is_terminal and not console.is_dumb_terminal


def _run_in_thread(runner: Runner) -> tuple[RunResult, BaseException | None]:
    ended: Future[RunResult] = Future()

    def body() -> None:
        try:
            ended.set_result(runner.run())
        except BaseException as error:  # noqa: BLE001 - raised in the main thread, once all is written
            ended.set_exception(error)

    thread = threading.Thread(target=body, name="run", daemon=True)
    # In a thread, so that a second Ctrl-C breaks nothing.
    with on_termination(lambda: threading.Thread(target=runner.cancel, daemon=True).start()):
        thread.start()
        while thread.is_alive():
            thread.join(0.2)
    error = ended.exception()
    if isinstance(error, InputError):
        raise error
    return runner.result, error and _noted(runner.result, error)


def _last_line(run: SuiteRun, result: RunResult) -> str:
    name = result.suite.name
    count = plural(len(run.scenarios), "scenario")
    adapters = f" with {len(result.adapters)} adapters" if len(result.adapters) > 1 else ""
    if result.interrupted or (result.stopped and not result.whole):
        played = [len({each.scenario for each in adapter.verdicts()}) for adapter in result.adapters]
        done = " to ".join(dict.fromkeys(map(str, (min(played), max(played)))))
        how = "interrupted" if result.interrupted else "stopped at the first failure (-x)"
        return f"{name}: {how} after {result.seconds:.1f} s: {done} of {count}{adapters}"
    if not result.whole:
        number, every = len(run.scenarios), len(result.suite.scenarios)
        less = ", and not all that they prove," if number == every else ""
        count = f"{number} of {plural(every, 'scenario')}{less}"
    left_out = ""
    if run.left_out:
        names = report.names_in_a_sentence([each.id for each in run.left_out])
        left_out = f"; --quick left out {names}"
    return f"{name}: {count}{adapters} in {result.seconds:.1f} s{left_out}"


def _summary(results: Sequence[RunResult]) -> str:
    adapters = sum(len(result.adapters) for result in results)
    seconds = sum(result.seconds for result in results)
    return f"{len(results)} suites with {plural(adapters, 'adapter')} in {seconds:.1f} s"
