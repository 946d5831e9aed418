"""Why a run has failures: after it, the suspected defects are played in virtual time, in processes.

Which defects those are, and which of them explain the failures, is decided in `defects`.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.pool
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from waitproof.defects import Bench, Defect, Library, Prediction, find_causes, findings, library, predict
from waitproof.errors import HarnessError
from waitproof.protocol import Hello
from waitproof.run.result import AdapterResult, RunResult
from waitproof.suite import Scenario, Suite

__all__ = ["add_causes"]

LIMIT_S = 8.0  # for all adapters of a run together: what has been found out by then has to do


def add_causes(result: RunResult, *, limit_s: float = LIMIT_S) -> None:
    """Set the causes of each adapter of a run that has ended; a run without failures costs nothing.

    Args:
        result: The run.
        limit_s: How long it may take.
    """
    failed = [each for each in result.adapters if findings(each.verdicts()).failures]
    if result.interrupted or not failed:
        return
    ends_s = time.time() + limit_s
    known = library(result.suite.contract)
    with multiprocessing.get_context("spawn").Pool(None, _begin_work, (result.suite,)) as pool:
        for number, adapter in enumerate(failed):
            share_s = (ends_s - time.time()) / (len(failed) - number)
            _explain(pool, result.suite, known, adapter, time.time() + share_s)


def _explain(
    pool: multiprocessing.pool.Pool, suite: Suite, known: Library, adapter: AdapterResult, ends_s: float
) -> None:
    hello = adapter.hello
    if hello is None:  # nothing was played: its verdicts cannot be about the SDK
        return

    def play(defects: Sequence[Defect], scenarios: Sequence[Scenario]) -> Iterator[Prediction]:
        by_name = {each.name: each for each in defects}
        ids = frozenset(each.id for each in scenarios)
        found = pool.imap_unordered(_work, [_Job(name, hello, ids, ends_s) for name in by_name])
        with contextlib.suppress(StopIteration, multiprocessing.TimeoutError):
            while True:
                name, failures = found.next(max(0.0, ends_s - time.time()))
                if failures is not None:
                    yield Prediction(by_name[name], failures)

    actual = findings(adapter.verdicts())
    ids = {name for name, _ in (*actual.failures, *actual.passed)}
    played = [each.scenario for name, each in adapter.scenarios.items() if name in ids]
    found = find_causes(play, suite.contract, known, hello, actual, played)
    if found.causes or time.time() < ends_s:  # else nobody knows: the machine was too busy
        adapter.causes = found


# --- in the processes ---------------------------------------------------------------------------------------


class _Job(NamedTuple):
    name: str
    hello: Hello
    scenarios: frozenset[str]
    ends_s: float  # by the wall clock, which all processes share


_state: dict[str, Any] = {}


def _begin_work(suite: Suite) -> None:
    _state.update(bench=Bench(suite), library=library(suite.contract))


def _work(job: _Job) -> tuple[str, Any]:
    """Return what fails with a defect; None when it is too late, or its client never comes to an end."""
    bench: Bench = _state["bench"]
    scenarios = [each for each in bench.suite.scenarios if each.id in job.scenarios]
    if time.time() >= job.ends_s:
        return job.name, None
    try:
        return job.name, predict(bench, _state["library"].named(job.name), job.hello, scenarios).failures
    except HarnessError:
        return job.name, None
