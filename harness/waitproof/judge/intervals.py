"""Whether the polls of one wait come once an interval: no sooner, and not much later.

The interval may grow from pause to pause, as the contract's schedule says; each pause is held against its
own bound then, and what is compared is by how much the pauses miss it.

A helper may count its interval from the request or from the response, so the lower bound is held against
arrivals and the upper one against pauses. Arrivals are late, never early: only a poll that is too early for
the time of the call is final, all else is a suspicion. The bounds grow with the interval and with the number
of polls, because what a timer and a machine add is a few milliseconds a poll, however short the interval is.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from statistics import quantiles

from waitproof.judge.check import Case, Finding, broken, kept, suspect
from waitproof.judge.deadlines import is_timeout
from waitproof.judge.observation import CallRecord, Poll
from waitproof.judge.pauses import (
    EARLY_SLACK_S,
    MAX_PHASES,
    MIN_PERIODS,
    documented,
    median_period_s,
    periods_s,
    seen_pauses,
    too_seldom,
)
from waitproof.judge.words import describe, seconds
from waitproof.suite import Intervals

__all__ = ["EARLY_SLACK_S", "LATE_SLACK_S", "regularity", "wait_interval"]

EARLY_PER_POLL_S = 0.001  # a timer of whole milliseconds may round each sleep down by one
LATE_SLACK_S = 0.100  # the last answer, the exception and the adapter's line, on a machine with two cores
GRID_SLACK_S = 0.002  # two polls that are both on time, one of them stamped a moment sooner
ON_TIME_RATIO = 2 / 3  # fewer on time are no ticker; a helper that alternates long and short has a half
MAX_PHASE_RATIO = 1 / 4  # of an interval: from the call to a ticker's start, on a busy machine
POLLS_PER_LATE_ONE = 20  # a busy machine makes one in so many polls late, which shortens the period after it
VARIES_RATIO = 0.15  # of the median period, from quartile to quartile; a jitter of 20 % has 0.2
MAX_CLAMPED = 2  # a sleep clamped to the deadline may wake a tick early, and be followed by a last short one


_Numbered = tuple[int, Poll]


def wait_interval(case: Case, call: CallRecord) -> Finding:
    """Return whether a wait polled once an interval."""
    intervals = call.intervals(case.contract)
    ends_s = math.inf if call.received_s is None else call.received_s
    # What comes after the outcome is `no_poll_after_outcome`'s business.
    polls = tuple(poll for poll in case.polls(call) if poll.arrived_s <= ends_s)
    regular = _without_clamped(case, call, polls)
    expected = documented(intervals)
    for number, poll in enumerate(regular):
        since_call_s = poll.arrived_s - call.sent_s
        bound_s = _earliest_s(number, intervals)
        if since_call_s < bound_s:
            seen = f"poll {number + 1} came {seconds(since_call_s)} after the call"
            seen += _seen_periods(intervals, regular)
            return broken(f"{expected}: poll {number + 1} at least {seconds(bound_s)} after the call", seen)
    if len(regular) <= MIN_PERIODS:
        return suspect(
            f"{expected}, {MIN_PERIODS} periods or more",
            f"{max(0, len(regular) - 1)} periods, then the call {describe(call.seen)}",
        )
    return _as_documented(call, regular, intervals, expected)


def _as_documented(call: CallRecord, polls: tuple[Poll, ...], intervals: Intervals, expected: str) -> Finding:
    """Return whether polls come neither too soon nor too seldom.

    A helper that sleeps before its first poll may have used up the first pause of a schedule by then.
    """
    finding = _too_soon(call, polls, intervals, expected) or too_seldom(polls, intervals, expected)
    first_s = polls[0].arrived_s - call.sent_s
    if finding is not None and not intervals.is_constant and first_s >= _earliest_s(1, intervals):
        later = intervals.after(1)
        finding = _too_soon(call, polls, later, expected) or too_seldom(polls, later, expected)
    return finding or kept(expected, _regular(intervals, polls))


def _regular(intervals: Intervals, polls: tuple[Poll, ...]) -> str:
    if intervals.is_constant:
        return f"a median period of {seconds(median_period_s(polls))}"
    return seen_pauses(intervals, polls).removeprefix("; ")


def _seen_periods(intervals: Intervals, polls: tuple[Poll, ...]) -> str:
    """Return what the polls that come too soon have in common: one short period, or periods that vary."""
    if not intervals.is_constant or len(polls) <= MIN_PERIODS:
        return seen_pauses(intervals, polls)
    low_s, median_s, high_s = quantiles(periods_s(polls), n=4)
    if high_s - low_s > max(EARLY_SLACK_S, VARIES_RATIO * median_s):
        return f"; half of the periods were {seconds(low_s)} to {seconds(high_s)}"
    return f"; the median period was {seconds(median_s)}"


def regularity(case: Case, call: CallRecord) -> Finding | None:
    """Return what a wait's polls alone say about its interval, None while they are too few to say.

    For a judge that does not know when the call began: a poll that is too early for it is a suspicion here.
    """
    intervals = call.intervals(case.contract)
    polls = _without_clamped(case, call, case.polls(call))
    expected = documented(intervals)
    if len(polls) < 2:
        return None
    first_s = polls[1].arrived_s - polls[0].arrived_s
    bound_s = intervals.first_s / 2 - EARLY_SLACK_S  # the first poll may have had to connect
    if first_s < bound_s:
        seen = f"poll 2 came {seconds(first_s)} after poll 1"
        return suspect(f"{expected}: {seconds(bound_s)} or more", seen, excess_s=bound_s - first_s)
    finding = _too_soon(call, polls, intervals, expected)
    if finding is not None or len(polls) <= MIN_PERIODS:
        return finding
    # Where the helper may have slept before its first poll, the journal does not show the first pause.
    finding = too_seldom(polls, intervals, expected)
    if finding is not None and not intervals.is_constant:
        finding = too_seldom(polls, intervals.after(1), expected)
    return finding or kept(expected, _regular(intervals, polls))


def _without_clamped(case: Case, call: CallRecord, polls: tuple[Poll, ...]) -> tuple[Poll, ...]:
    """Return the polls without those that came early at the deadline: clamping the last sleep is right.

    The deadline is also where the helper itself gave up: one that gives up too soon has another defect.
    """
    deadline_s = call.sent_s + call.timeout_s(case.contract) - EARLY_SLACK_S
    if is_timeout(case, call) and call.received_s is not None:
        answered_s = polls[-1].answered_s if polls else None
        if answered_s is not None and answered_s >= call.received_s - LATE_SLACK_S:
            deadline_s = min(deadline_s, polls[-1].arrived_s - EARLY_SLACK_S)
    intervals = call.intervals(case.contract)
    for _ in range(MAX_CLAMPED):
        interval_s = intervals.pause_s(max(1, len(polls) - 1))
        enough_s = interval_s - min(EARLY_SLACK_S, interval_s / 2)
        is_short = any(period_s < enough_s for period_s in periods_s(polls[-2:]))
        if is_short and polls[-1].arrived_s >= deadline_s:
            polls = polls[:-1]
    return polls


def _earliest_s(count: int, intervals: Intervals, after: int = 0) -> float:
    """Return how soon a poll may come so many intervals after that one, by its number, or after the call."""
    due_s = intervals.sum_s(after + count) - intervals.sum_s(after) if after else intervals.sum_s(count)
    return due_s - max(EARLY_SLACK_S, count * EARLY_PER_POLL_S)


def _between_s(before: _Numbered, after: _Numbered, intervals: Intervals) -> float:
    """Return how soon the later of two polls may come after the earlier."""
    if intervals.is_constant:
        return _earliest_s(after[0] - before[0], intervals)
    return _earliest_s(after[0] - before[0], intervals, before[0] - 1)


def _too_soon(
    call: CallRecord, polls: tuple[Poll, ...], intervals: Intervals, expected: str
) -> Finding | None:
    """Return a suspicion where two polls are closer than the intervals between them.

    A first poll that comes at once is left out: it was due at the call, and against the call every poll has
    been held already. So the time that it took to connect shortens nobody's period. Of many polls, a few may
    be so late that the next one, on time, is close behind.
    """
    comes_at_once = polls[0].arrived_s - call.sent_s < intervals.first_s / 2
    held = list(enumerate(polls, 1))[1 if comes_at_once else 0 :]
    first = None
    for _ in range(1 + len(held) // POLLS_PER_LATE_ONE):
        short = _short_period(held, intervals)
        if short is None:
            return None
        first = first or short
        held.remove(short[0])
    if first is None or _is_ticker(call, polls, intervals):
        return None
    before, after = first
    bound_s = _between_s(before, after, intervals)
    came_s = after[1].arrived_s - before[1].arrived_s
    seen = f"poll {after[0]} came {seconds(came_s)} after poll {before[0]}{_seen_periods(intervals, polls)}"
    return suspect(f"{expected}: {seconds(bound_s)} or more", seen, excess_s=bound_s - came_s)


def _short_period(held: Sequence[_Numbered], intervals: Intervals) -> tuple[_Numbered, _Numbered] | None:
    """Return the first two polls that are too close for the intervals between them.

    Each poll is held against the one before it, and against the one before it that was latest for its number,
    so that periods which are all a little short add up.
    """
    latest = held[0] if held else None
    for previous, each in itertools.pairwise(held):
        assert latest is not None
        for before in (previous, latest):
            if each[1].arrived_s - before[1].arrived_s < _between_s(before, each, intervals):
                return before, each
        due_s = intervals.sum_s(each[0] - 1) - intervals.sum_s(latest[0] - 1)
        if each[1].arrived_s - latest[1].arrived_s > due_s:
            latest = each
    return None


def _is_ticker(call: CallRecord, polls: tuple[Poll, ...], intervals: Intervals) -> bool:
    """Say whether polls come at whole intervals after the call, one at each at most, and only some late.

    On a busy machine a ticker's late poll is followed by one that is on time again, and so close behind it.
    """
    span_s = polls[-1].arrived_s - polls[0].arrived_s
    if not intervals.is_constant:
        return False  # a ticker has one interval
    interval_s = intervals.first_s
    if len(polls) > span_s / interval_s + 2:
        return False  # some share a tick
    for first in polls[:: max(1, len(polls) // MAX_PHASES)]:
        phase_s = (first.arrived_s - call.sent_s) % interval_s
        if phase_s > MAX_PHASE_RATIO * interval_s:
            continue
        cells = [divmod(poll.arrived_s - first.arrived_s + GRID_SLACK_S, interval_s) for poll in polls]
        on_time = sum(late_s <= EARLY_SLACK_S for _, late_s in cells)
        are_apart = all(before[0] < after[0] for before, after in itertools.pairwise(cells))
        if are_apart and on_time > ON_TIME_RATIO * len(polls):
            return True
    return False
