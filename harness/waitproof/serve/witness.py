"""Verdicts about whoever waits on a served task, and how a terminal tells them.

The one module of `serve` that imports the judge, and so is imported itself when there is something to
judge: a server answers its first poll sooner without it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from waitproof.judge import Sighting, Status, Verdict, sight
from waitproof.judge.by_journal import RUNS, verdicts
from waitproof.judge.journal import JournalEntry, Progress
from waitproof.judge.observation import Poll, TaskRecord
from waitproof.judge.words import seconds, timeline_line
from waitproof.suite.contract import Contract
from waitproof.suite.scenario import Scenario, Step, WaitOptions

if TYPE_CHECKING:
    from waitproof.serve.tasks import TaskView

__all__ = ["Wait", "Witness", "told"]

MAX_SCENARIOS = 1_000  # whose waits are remembered, the latest
MAX_WAITS = 20  # of each

TROUBLE = {Status.FAIL, Status.WARN, Status.INCONCLUSIVE, Status.ERROR}


@dataclass(frozen=True)
class Wait:
    """One client's wait on a task, as far as the server has seen it.

    Attributes:
        wait_id: Tells it from every other wait.
        scenario: How its task was made.
        steps: The steps by which its polls were answered, those that were added by hand included.
        entries: Its requests, in order of arrival.
        options: What its client passes to the helper.
        began_ns: When its first request came, on the monotonic clock.
        ended_ns: When the last thing happened that is part of it.
    """

    wait_id: str
    scenario: Scenario
    steps: tuple[Step, ...]
    entries: Sequence[JournalEntry]
    options: WaitOptions
    began_ns: int
    ended_ns: int


@dataclass
class _Past:
    """What one wait showed, and what those had shown that were over before it began."""

    began_ns: int
    ended_ns: int
    sighting: Sighting
    before: tuple[Sighting, ...]


class Witness:
    """Judges waits by their journal, and remembers what the waits before on the same scenario showed."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._lock = threading.Lock()
        self._past: OrderedDict[str, OrderedDict[str, _Past]] = OrderedDict()  # by scenario, by wait

    def judge(self, wait: Wait, *, now_ns: int, lag_s: float) -> tuple[Progress, tuple[Verdict, ...]]:
        """Return how far a wait is, and what can be said of it.

        Args:
            wait: What was seen of it.
            now_ns: The time, on the monotonic clock.
            lag_s: By how much the server's clock overslept at worst while it lasted.
        """
        origin_ns = wait.began_ns
        polls = tuple(Poll.of(entry, origin_ns) for entry in wait.entries if entry.kind == "poll")
        others = tuple(Poll.of(entry, origin_ns) for entry in wait.entries if entry.kind != "poll")
        played = wait.scenario.model_copy(update={"task": wait.steps})
        sighting = sight(
            self._contract,
            played,
            TaskRecord(1, wait.wait_id, polls=polls, others=others),
            now_s=(now_ns - origin_ns) / 1e9,
            options=wait.options,
            lag_s=lag_s,
        )
        with self._lock:
            before = self._before(wait, sighting)
        return sighting.progress, verdicts(self._contract, played, [*before, sighting])

    def _before(self, wait: Wait, sighting: Sighting) -> tuple[Sighting, ...]:
        """Return what the waits showed that were over before this one began, each before the next.

        Two that overlap are one witness: whatever held up one held up the other. What a wait shows is kept
        for the next when it is over; one that is looked at again stays where it was.
        """
        past = self._past.setdefault(self._key(wait), OrderedDict())
        self._past.move_to_end(self._key(wait))
        while len(self._past) > MAX_SCENARIOS:
            self._past.popitem(last=False)
        known = past.get(wait.wait_id)
        if known is not None:
            known.sighting, known.ended_ns = sighting, wait.ended_ns
            return known.before
        found: list[Sighting] = []
        until_ns = wait.began_ns
        for each in sorted(past.values(), key=lambda each: each.began_ns, reverse=True):
            if each.ended_ns <= until_ns and len(found) < RUNS - 1:
                found.insert(0, each.sighting)
                until_ns = each.began_ns
        before = tuple(found)
        if sighting.progress.is_over:
            past[wait.wait_id] = _Past(wait.began_ns, wait.ended_ns, sighting, before)
            while len(past) > MAX_WAITS:
                past.popitem(last=False)
        return before

    def _key(self, wait: Wait) -> str:
        """Return what waits must have in common to be held beside each other: the task and the options."""
        defaults = self._contract.defaults
        options = wait.options.interval_s(defaults), wait.options.timeout_s(defaults)
        task = wait.scenario.model_dump_json(include={"task"})
        return f"{wait.scenario.id} {options} {hash(task)}"


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
