"""Verdicts about the waits on served tasks, and how they are printed.

The one module of `serve` that imports the judge's checks, which is why `waits` imports it late.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from waitproof.judge import (
    JOURNAL_RUNS,
    Poll,
    Progress,
    Sighting,
    Status,
    TaskRecord,
    Verdict,
    journal_verdicts,
    judge_by_journal,
    seconds,
    timeline_line,
)
from waitproof.serve.task import TaskView
from waitproof.suite import NO_TIMEOUT_S, Contract
from waitproof.text import plural

__all__ = ["WaitJudge", "report_lines"]

MAX_SCENARIOS = 1_000  # whose waits are remembered, the latest
MAX_WAITS = 20  # of each

TROUBLE = {Status.FAIL, Status.WARN, Status.INCONCLUSIVE, Status.ERROR}


@dataclass
class _PastWait:
    """What a wait showed, and what the waits had shown that were over before it began."""

    began_ns: int
    ended_ns: int
    sighting: Sighting
    before: tuple[Sighting, ...]


class WaitJudge:
    """Judges waits by their journal, and remembers what earlier waits on the same scenario showed."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._lock = threading.Lock()
        self._past: OrderedDict[str, OrderedDict[str, _PastWait]] = OrderedDict()  # by scenario, by wait

    def judge(self, view: TaskView, *, ended_ns: int, lag_s: float) -> tuple[Progress, tuple[Verdict, ...]]:
        """Return how far a wait is, and what can be said of it.

        Args:
            view: The task, and the requests of the wait.
            ended_ns: When the last thing happened that is part of the wait, on the monotonic clock.
            lag_s: The server's worst scheduling delay during the wait.
        """
        origin_ns, wait_id = view.origin_ns, f"{view.number} {view.wait}"
        polls = tuple(Poll.of(entry, origin_ns) for entry in view.polls)
        others = tuple(Poll.of(entry, origin_ns) for entry in view.others)
        played = view.scenario.model_copy(update={"task": view.state.steps})
        sighting = judge_by_journal(
            self._contract,
            played,
            TaskRecord(1, wait_id, polls=polls, others=others),
            now_s=(view.now_ns - origin_ns) / 1e9,
            options=view.options,
            lag_s=lag_s,
        )
        with self._lock:
            before = self._before(view, wait_id, sighting, ended_ns)
        return sighting.progress, journal_verdicts(self._contract, played, [*before, sighting])

    def _before(
        self, view: TaskView, wait_id: str, sighting: Sighting, ended_ns: int
    ) -> tuple[Sighting, ...]:
        """Return what the waits showed that were over before this one began, each before the next.

        Two that overlap count once: whatever delayed one delayed the other. A wait that is over is remembered
        for the next; judging it again does not change its place.
        """
        steps = hash(view.scenario.model_dump_json(include={"task"}))
        key = f"{view.scenario.id} {view.options!r} {steps}"  # what compared waits share
        past = self._past.setdefault(key, OrderedDict())
        self._past.move_to_end(key)
        while len(self._past) > MAX_SCENARIOS:
            self._past.popitem(last=False)
        known = past.get(wait_id)
        if known is not None:
            known.sighting, known.ended_ns = sighting, ended_ns
            return known.before
        found: list[Sighting] = []
        until_ns = view.origin_ns
        for each in sorted(past.values(), key=lambda each: each.began_ns, reverse=True):
            if each.ended_ns <= until_ns and len(found) < JOURNAL_RUNS - 1:
                found.insert(0, each.sighting)
                until_ns = each.began_ns
        before = tuple(found)
        if sighting.progress.is_over:
            past[wait_id] = _PastWait(view.origin_ns, ended_ns, sighting, before)
            while len(past) > MAX_WAITS:
                past.popitem(last=False)
        return before


def report_lines(view: TaskView) -> list[str]:
    """Return the verdicts about a wait as lines for a terminal, those that need attention in full."""
    polls = [Poll.of(entry, view.origin_ns) for entry in view.polls]
    span_s = polls[-1].arrived_s if polls else 0.0
    counts = ", ".join(f"{count} {status.value}" for status, count in view.counts.items())
    ended = f"{view.progress.value} after {plural(len(polls), 'poll')} in {seconds(span_s)}"
    lines = [f"{view.task_id} ({view.scenario.id}): {ended}: {counts}"]
    for verdict in view.verdicts:
        if verdict.status in TROUBLE:
            lines.append(f"  {verdict.status.value} {verdict.requirement} ({verdict.level.value})")
            rows = (("expected", verdict.expected), ("seen", verdict.seen), ("", verdict.explanation))
            lines += [f"    {f'{name}:' if name else '':<11}{text}" for name, text in rows if text]
    if len(lines) > 1:
        lines.append(f"    {'polls:':<11}{timeline_line(polls)}")
        lines.append(
            f"    {'judged by:':<11}{_options(view)}; if your code passes others: --poll-interval, --timeout"
        )
    return lines


def _options(view: TaskView) -> str:
    """Return what a wait is judged by, in words."""
    intervals = view.intervals
    words = [f"an interval of {seconds(view.interval_s)}"]
    if not intervals.is_constant:
        words = [f"intervals of {seconds(intervals.first_s)} to {seconds(view.interval_s)}"]
    if view.timeout_s < NO_TIMEOUT_S:
        words.append(f"a timeout of {seconds(view.timeout_s)}")
    if view.max_polls is not None:
        words.append(f"at most {plural(view.max_polls, 'poll')}")
    return " and ".join(words)
