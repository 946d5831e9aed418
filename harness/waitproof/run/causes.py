"""Why a run has failures: after it, the suspected defects are played in virtual time.

Which defects those are, and which of them explain the failures, is decided in `defects`.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import multiprocessing.pool
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from waitproof.defects import Bench, Defect, Prediction, find_causes, findings, library, predict
from waitproof.errors import HarnessError
from waitproof.protocol import Hello
from waitproof.run.result import AdapterResult, RunResult
from waitproof.suite import Scenario, Suite

__all__ = ["add_causes"]

LIMIT_S = 8.0  # for all adapters of a run together: what has been found out by then has to do
FEW = 200  # plays of a scenario for which starting processes takes longer than playing them


def add_causes(result: RunResult, *, limit_s: float = LIMIT_S) -> None:
    """Set the causes of each adapter of a run that has ended; a run without failures costs nothing.

    Args:
        result: The run.
        limit_s: How long it may take.
    """
    failed = [each for each in result.adapters if findings(each.verdicts()).failures]
    if result.interrupted or result.stopped or not failed:
        return
    ends_s = time.time() + limit_s
    with _Players(result.suite) as players:
        for number, adapter in enumerate(failed):
            players.ends_s = time.time() + (ends_s - time.time()) / (len(failed) - number)
            _explain(players, result.suite, adapter)


def _explain(players: _Players, suite: Suite, adapter: AdapterResult) -> None:
    hello = adapter.hello
    if hello is None:  # nothing was played: its verdicts cannot be about the SDK
        return
    actual = findings(adapter.verdicts())
    ids = {name for name, _ in (*actual.failures, *actual.passed)}
    played = [each.scenario for name, each in adapter.scenarios.items() if name in ids]
    play = functools.partial(players.play, hello)
    found = find_causes(play, suite.contract, library(suite.contract), hello, actual, played)
    if found.causes or time.time() < players.ends_s:  # else nobody knows: the machine was too busy
        adapter.causes = found


class _Job(NamedTuple):
    name: str
    hello: Hello
    scenarios: frozenset[str]
    ends_s: float


class _Players:
    """Plays suspects, many of them in processes.

    Attributes:
        ends_s: When to stop, by the wall clock, which all processes share.
    """

    def __init__(self, suite: Suite) -> None:
        self.ends_s = 0.0
        self._suite = suite
        self._exit = contextlib.ExitStack()
        self._pool: multiprocessing.pool.Pool | None = None

    def __enter__(self) -> _Players:
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def play(
        self, hello: Hello, defects: Sequence[Defect], scenarios: Sequence[Scenario]
    ) -> Iterator[Prediction]:
        """Yield what fails with each defect, until the time is up."""
        by_name = {each.name: each for each in defects}
        ids = frozenset(each.id for each in scenarios)
        jobs = [_Job(name, hello, ids, self.ends_s) for name in by_name]
        for name, failures in self._results(jobs, len(jobs) * len(ids)):
            if failures is not None:
                yield Prediction(by_name[name], failures)

    def _results(self, jobs: Sequence[_Job], plays: int) -> Iterator[tuple[str, Any]]:
        if plays <= FEW:
            _begin_work(self._suite)
            yield from map(_work, jobs)
            return
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = self._exit.enter_context(context.Pool(None, _begin_work, (self._suite,)))
        found = self._pool.imap_unordered(_work, jobs)
        with contextlib.suppress(StopIteration, multiprocessing.TimeoutError):
            while True:
                yield found.next(max(0.0, self.ends_s - time.time()))


_state: dict[str, Any] = {}


def _begin_work(suite: Suite) -> None:
    _state.update(bench=Bench(suite), library=library(suite.contract))


def _work(job: _Job) -> tuple[str, Any]:
    """Return what fails with a defect; None when it is too late, or its client never comes to an end."""
    if time.time() >= job.ends_s:
        return job.name, None
    bench: Bench = _state["bench"]
    scenarios = [each for each in bench.suite.scenarios if each.id in job.scenarios]
    try:
        return job.name, predict(bench, _state["library"].named(job.name), job.hello, scenarios).failures
    except HarnessError:
        return job.name, None
