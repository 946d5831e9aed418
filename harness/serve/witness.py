"""Verdicts about whoever waits on a served task, and how a terminal tells them.

The one module of `serve` that imports the judge, and so is imported itself when there is something to
judge: a server answers its first poll sooner without it.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.contract import Contract
from harness.journal import JournalEntry, Progress
from harness.judge import Sighting, Status, Verdict, sight
from harness.judge.witness import RUNS, verdicts
from harness.judge.words import seconds, timeline_line
from harness.observation import Poll, TaskRecord
from harness.scenario import Scenario, WaitOptions

if TYPE_CHECKING:
    from harness.serve.tasks import TaskView

__all__ = ["Witness", "told"]

TROUBLE = {Status.FAIL, Status.WARN, Status.INCONCLUSIVE, Status.ERROR}


class Witness:
    """Judges waits by their journal, and remembers what the waits before on the same scenario showed."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._lock = threading.Lock()
        self._earlier: dict[tuple[str, float, float], deque[tuple[str, Sighting]]] = {}

    def judge(
        self,
        wait_id: str,
        played: Scenario,
        entries: Sequence[JournalEntry],
        options: WaitOptions,
        *,
        origin_ns: int,
        now_ns: int,
        lag_s: float,
    ) -> tuple[Progress, tuple[Verdict, ...]]:
        """Return how far a wait is, and what can be said of it.

        Args:
            wait_id: Tells it from every other wait.
            played: The scenario, with the steps by which the polls were answered.
            entries: Its requests, in order of arrival.
            options: What its client passes to the helper.
            origin_ns: When it began, on the monotonic clock.
            now_ns: The time.
            lag_s: By how much the server's clock overslept at worst meanwhile.
        """
        polls = tuple(Poll.of(entry, origin_ns) for entry in entries if entry.kind == "poll")
        others = tuple(Poll.of(entry, origin_ns) for entry in entries if entry.kind != "poll")
        sighting = sight(
            self._contract,
            played,
            TaskRecord(1, wait_id, polls=polls, others=others),
            now_s=(now_ns - origin_ns) / 1e9,
            options=options,
            lag_s=lag_s,
        )
        with self._lock:
            before = self._before(wait_id, played, options, sighting)
        return sighting.progress, verdicts(self._contract, played, [*before, sighting])

    def _before(
        self, wait_id: str, played: Scenario, options: WaitOptions, sighting: Sighting
    ) -> list[Sighting]:
        """Return what the waits before showed; keep what this one shows for the next when it is over."""
        defaults = self._contract.defaults
        key = (played.id, options.interval_s(defaults), options.timeout_s(defaults))
        earlier = self._earlier.setdefault(key, deque(maxlen=RUNS))
        ids = [each for each, _ in earlier]
        until = ids.index(wait_id) if wait_id in ids else len(ids)
        before = [each for _, each in itertools.islice(earlier, until)]
        if sighting.progress.is_over and wait_id not in ids:
            earlier.append((wait_id, sighting))
        return before


def told(view: TaskView, counted: str) -> list[str]:
    """Return the verdicts about a wait as lines, what needs attention in full.

    Args:
        view: The task.
        counted: How many verdicts have each status.
    """
    polls = [Poll.of(entry, view.origin_ns) for entry in view.polls]
    span_s = polls[-1].arrived_s if polls else 0.0
    some = f"{len(polls)} poll{'' if len(polls) == 1 else 's'}"
    ended = f"{view.progress.value} after {some} in {seconds(span_s)}"
    lines = [f"{view.task_id} ({view.scenario}): {ended}: {counted}"]
    for verdict in view.verdicts:
        if verdict.status in TROUBLE:
            lines.append(f"  {verdict.status.value} {verdict.requirement} ({verdict.level.value})")
            rows = (("expected", verdict.expected), ("seen", verdict.seen), ("", verdict.explanation))
            lines += [f"    {f'{name}:' if name else '':<11}{text}" for name, text in rows if text]
    if len(lines) > 1:
        lines.append(f"    {'polls:':<11}{timeline_line(polls)}")
        lines.append(
            f"    {'judged by:':<11}an interval of {seconds(view.interval_s)}, a timeout of "
            f"{seconds(view.timeout_s)}; if your code passes others: --poll-interval, --timeout"
        )
    return lines
