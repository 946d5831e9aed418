"""Why a run has failures: after it, the suspected defects are played in virtual time.

Which defects those are, and which of them explain the failures, is decided in `defects`. How long it may take
is counted in processor time, so that a busy machine takes longer and does not find less.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.pool
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from waitproof.defects import Bench, Defect, Prediction, find_causes, findings, library, predict
from waitproof.errors import HarnessError
from waitproof.protocol import Hello
from waitproof.run.result import AdapterResult, RunResult
from waitproof.suite import Scenario, Suite

__all__ = ["add_causes"]

LIMIT_S = 12.0  # of every core, for all adapters of a run together: what is known by then has to do
PATIENCE = 5  # how much longer than that it may take where others have the cores
SAMPLE_SHARE = 0.6  # of an adapter's time: the sample is worth nothing without the second look
FEW = 200  # plays of a scenario for which starting processes takes longer than playing them


def add_causes(
    result: RunResult, on_search: Callable[[], object] = lambda: None, *, limit_s: float = LIMIT_S
) -> None:
    """Set the causes of each adapter of a run that has ended; a run without failures costs nothing.

    Args:
        result: The run.
        on_search: Called before a search, which takes a while; not if there is nothing to look for.
        limit_s: How long it may take on a machine that has nothing else to do.
    """
    failed = [each for each in result.adapters if findings(each.verdicts()).failures]
    if result.interrupted or result.stopped or not failed:
        return
    on_search()
    with _Players(result.suite, limit_s) as players:
        for number, adapter in enumerate(failed):
            _explain(players, result.suite, adapter, 1 / (len(failed) - number))


def _explain(players: _Players, suite: Suite, adapter: AdapterResult, share: float) -> None:
    hello = adapter.hello
    if hello is None:  # nothing was played: its verdicts cannot be about the SDK
        return
    actual = findings(adapter.verdicts())
    ids = {name for name, _ in (*actual.failures, *actual.passed)}
    played = [each.scenario for name, each in adapter.scenarios.items() if name in ids]
    end = players.end_of(share)
    ends = iter((players.end_of(share * SAMPLE_SHARE), end))

    def play(defects: Sequence[Defect], scenarios: Sequence[Scenario]) -> Iterator[Prediction]:
        return players.play(hello, defects, scenarios, next(ends))

    found = find_causes(play, suite.contract, library(suite.contract), hello, actual, played)
    explains_most = 2 * len(found.unexplained) < len(actual.failures)
    if explains_most or not players.is_over(end):  # else nobody knows: the machine was too busy
        adapter.causes = found


class _End(NamedTuple):
    """When to stop, by whichever comes first.

    Attributes:
        spent_s: The processor time of all plays so far.
        clock_s: The wall clock, which all processes share.
    """

    spent_s: float
    clock_s: float


class _Job(NamedTuple):
    name: str
    hello: Hello
    scenarios: frozenset[str]
    end: _End


class _Spent:
    """Processor time that only this process counts: shared memory would start a process that tracks it."""

    def __init__(self) -> None:
        self.value = 0.0

    def get_lock(self) -> contextlib.AbstractContextManager[None]:
        """Return a lock that nobody else asks for."""
        return contextlib.nullcontext()


class _Players:
    """Plays suspects, many of them in processes."""

    def __init__(self, suite: Suite, limit_s: float) -> None:
        self._suite = suite
        self._spent_s: Any = _Spent()
        self._end = _End(limit_s * (os.cpu_count() or 1), time.time() + limit_s * PATIENCE)
        self._exit = contextlib.ExitStack()
        self._pool: multiprocessing.pool.Pool | None = None

    def __enter__(self) -> _Players:
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def end_of(self, share: float) -> _End:
        """Return when a share of the time that is left will be spent."""
        spent_s, clock_s = self._spent_s.value, time.time()
        return _End(
            spent_s + share * (self._end.spent_s - spent_s), clock_s + share * (self._end.clock_s - clock_s)
        )

    def is_over(self, end: _End) -> bool:
        """Return whether it is time to stop."""
        return _is_over(self._spent_s.value, end)

    def play(
        self, hello: Hello, defects: Sequence[Defect], scenarios: Sequence[Scenario], end: _End
    ) -> Iterator[Prediction]:
        """Yield what fails with each defect, until the end."""
        by_name = {each.name: each for each in defects}
        ids = frozenset(each.id for each in scenarios)
        jobs = [_Job(name, hello, ids, end) for name in by_name]
        for name, failures in self._results(jobs, len(jobs) * len(ids), end):
            if failures is not None:
                yield Prediction(by_name[name], failures)

    def _results(self, jobs: Sequence[_Job], plays: int, end: _End) -> Iterator[tuple[str, Any]]:
        if plays <= FEW:
            _begin_work(self._suite, self._spent_s)
            yield from map(_work, jobs)
            return
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._spent_s = context.Value("d", self._spent_s.value)
            arguments = self._suite, self._spent_s
            self._pool = self._exit.enter_context(context.Pool(None, _begin_work, arguments))
        found = self._pool.imap_unordered(_work, jobs)
        with contextlib.suppress(StopIteration, multiprocessing.TimeoutError):
            while True:
                yield found.next(max(0.0, end.clock_s - time.time()))


_state: dict[str, Any] = {}


def _begin_work(suite: Suite, spent_s: Any) -> None:
    _state.update(bench=Bench(suite), library=library(suite.contract), spent_s=spent_s)


def _is_over(spent_s: float, end: _End) -> bool:
    return spent_s >= end.spent_s or time.time() >= end.clock_s


def _work(job: _Job) -> tuple[str, Any]:
    """Return what fails with a defect; None when it is too late, or its client never comes to an end."""
    spent_s = _state["spent_s"]
    if _is_over(spent_s.value, job.end):
        return job.name, None
    bench: Bench = _state["bench"]
    scenarios = [each for each in bench.suite.scenarios if each.id in job.scenarios]
    began_s = time.process_time()
    try:
        return job.name, predict(bench, _state["library"].named(job.name), job.hello, scenarios).failures
    except HarnessError:
        return job.name, None
    finally:
        with spent_s.get_lock():
            spent_s.value += time.process_time() - began_s
