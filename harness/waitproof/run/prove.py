"""Plays the standard defects against a suite: in the simulator, and live over real sockets.

What a defect is, and what its verdicts come to, is decided in `defects`.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from waitproof.adapter import AdapterCommand
from waitproof.defects import Bench, Defect, Ending, Line, clean, library, usual_words, weigh
from waitproof.judge import checks
from waitproof.run.runner import Runner
from waitproof.suite import Scenario, Suite

__all__ = ["live_command", "prove_live", "prove_simulated"]

FEW = 8  # defects for which starting a process takes longer than playing them


# --- in the simulator --------------------------------------------------------------------------------------


def prove_simulated(suite: Suite, defects: Sequence[Defect], *, processes: int = 1) -> list[Line]:
    """Play defects and equivalents in virtual time and return their lines, in the same order."""
    if processes == 1 or len(defects) <= FEW:
        bench = Bench(suite)
        return [bench.prove(defect) for defect in defects]
    # The equivalents take longest: they are played against everything.
    names = [defect.name for defect in sorted(defects, key=lambda defect: not defect.is_equivalent)]
    with multiprocessing.get_context("spawn").Pool(processes, _begin_work, (suite,)) as pool:
        lines = {line.name: line for line in pool.imap_unordered(_prove, names)}
    return [lines[defect.name] for defect in defects]


_work: dict[str, Any] = {}


def _begin_work(suite: Suite) -> None:
    _work.update(bench=Bench(suite), library=library(suite.contract))


def _prove(name: str) -> Line:
    bench: Bench = _work["bench"]
    return bench.prove(_work["library"].named(name))


# --- over real sockets -------------------------------------------------------------------------------------


def live_command(suite: Suite, defect: Defect) -> AdapterCommand:
    """Return what starts the model client with a defect as an adapter."""
    folder = suite.folder.absolute()
    argv = (sys.executable, "-P", "-m", "waitproof.run.model_adapter", str(folder), defect.name)
    return AdapterCommand(defect.name, argv, folder)


def prove_live(suite: Suite, defects: Sequence[Defect], report: Callable[[Line], object]) -> list[Line]:
    """Play defects and equivalents over real sockets.

    An equivalent plays every scenario, a defect the one in which the simulator catches it soonest.

    Args:
        suite: What to play.
        defects: What to play it with.
        report: Called with each line as it becomes known.
    """
    lines: list[Line] = []
    bench = Bench(suite)
    for group, scenarios in _groups(bench, defects):
        usual = {
            each.is_async: clean(is_async=each.is_async) for each in group if each.ending is Ending.RECORDED
        }
        runner = Runner(
            suite, [live_command(suite, each) for each in (*usual.values(), *group)], scenarios=scenarios
        )
        verdicts = {adapter.name: list(adapter.verdicts()) for adapter in runner.run().adapters}
        for defect in group:
            base = usual.get(defect.is_async)
            words = {} if base is None else usual_words(verdicts[base.name])
            lines.append(weigh(suite.contract, defect, verdicts[defect.name], words))
            report(lines[-1])
    return lines


def _groups(bench: Bench, defects: Sequence[Defect]) -> Iterator[tuple[Sequence[Defect], Sequence[Scenario]]]:
    """Yield the defects that share a run, and its scenarios.

    A defect of time has a run of its own, because suspicions are settled by re-runs of the whole scenario.
    """
    suite = bench.suite
    for stated in dict.fromkeys(defect.requirements(suite.contract) for defect in defects):
        group = [defect for defect in defects if defect.requirements(suite.contract) == stated]
        if not stated:
            yield group, suite.scenarios
        elif checks()[group[0].check].timed:
            yield from (([defect], bench.soonest(defect)) for defect in group)
        else:
            needed = {scenario.id for defect in group for scenario in bench.soonest(defect)}
            yield group, [scenario for scenario in suite.scenarios if scenario.id in needed]
