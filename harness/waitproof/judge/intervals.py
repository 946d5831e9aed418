"""Whether the polls of one wait come once an interval: no sooner, and not much later.

A helper may count its interval from the request or from the response, so the lower bound is held against
arrivals and the upper one against pauses. Arrivals are late, never early: only a poll that is too early for
the time of the call is final, all else is a suspicion. The bounds grow with the interval and with the number
of polls, because what a timer and a machine add is a few milliseconds a poll, however short the interval is.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from statistics import fmean, median

from waitproof.judge.check import Case, Finding, broken, kept, suspect
from waitproof.judge.observation import CallRecord, Poll
from waitproof.judge.words import describe, seconds

__all__ = [
    "EARLY_SLACK_S",
    "LATE_SLACK_S",
    "MIN_PERIODS",
    "TICK_S",
    "are_seldom",
    "long_pauses",
    "median_period_s",
    "regularity",
    "slow_bound_s",
    "usual_period_s",
    "wait_interval",
]

EARLY_SLACK_S = 0.020  # a Windows timer ticks every 15.6 ms and may fire one tick early
EARLY_PER_POLL_S = 0.001  # a timer of whole milliseconds may round each sleep down by one
LATE_SLACK_S = 0.100  # the last answer, the exception and the adapter's line, on a machine with two cores
PAUSE_SLACK_S = 0.050  # of a median: a runtime's timer, a garbage collection and a new connection fit in
PAUSE_SLACK_RATIO = 0.05  # what coarse timers add grows with the interval
MAX_MEAN_PAUSE_RATIO = 1.5  # a median is blind to a helper that slows down in the second half of its polls
SLOW_RATIO = 0.10  # of a lower quartile, which a busy machine hardly moves; half of the defect to be seen
LEAST_SLOW_S = 0.007  # twice what correct helpers had at worst with three busy loops on two cores, 3.4 ms
MACHINES_SHARE_S = 0.005  # of that; what is beyond it must be explained
NOISE_RATIO = 2 / 3  # slow helpers on busy cores had up to 0.5, starved correct ones 1.0 or more
STEADY_LAGS = 2  # a machine that makes each pause too long by some time is at times late by twice that
TICK_S = 1 / 64  # of the coarsest timer in use, Windows's: a sleep ends at the next one
ON_TICK_S = 0.003  # from a tick to the poll's arrival, where nothing is late
ON_TICK_RATIO = 1 / 2  # polls that drift along the ticks have a fifth there, a third at best
GRID_SLACK_S = 0.002  # two polls that are both on time, one of them stamped a moment sooner
ON_TIME_RATIO = 2 / 3  # fewer on time are no ticker; a helper that alternates long and short has a half
MAX_PHASES = 20  # polls that are tried as the one on time: of a ticker's, two in three are
MAX_PHASE_RATIO = 1 / 4  # of an interval: from the call to a ticker's start, on a busy machine
POLLS_PER_LATE_ONE = 20  # a busy machine makes one in so many polls late, which shortens the period after it
MAX_CLAMPED = 2  # a sleep clamped to the deadline may wake a tick early, and be followed by a last short one
MIN_PERIODS = 4  # fewer have no median to speak of, and one late poll would decide
MIN_PAUSES_OF_A_THIRD = 3  # fewer have no lower quartile


def wait_interval(case: Case, call: CallRecord) -> Finding:
    """Return whether a wait polled once an interval."""
    interval_s = call.interval_s(case.contract)
    ends_s = math.inf if call.received_s is None else call.received_s
    # What comes after the outcome is `no_poll_after_outcome`'s business.
    polls = tuple(poll for poll in case.polls(call) if poll.arrived_s <= ends_s)
    regular = _without_clamped(case, call, polls)
    expected = f"a poll every {seconds(interval_s)}"
    for number, poll in enumerate(regular):
        since_call_s = poll.arrived_s - call.sent_s
        bound_s = _earliest_s(number, interval_s)
        if since_call_s < bound_s:
            seen = f"poll {number + 1} came {seconds(since_call_s)} after the call"
            return broken(f"{expected}: poll {number + 1} at least {seconds(bound_s)} after the call", seen)
    if len(regular) <= MIN_PERIODS:
        return suspect(
            f"{expected}, {MIN_PERIODS} periods or more",
            f"{max(0, len(regular) - 1)} periods, then the call {describe(call.seen)}",
        )
    finding = _too_soon(call, regular, interval_s, expected) or _too_seldom(regular, interval_s, expected)
    return finding or kept(expected, f"a median period of {seconds(median_period_s(regular))}")


def regularity(case: Case, call: CallRecord) -> Finding | None:
    """Return what a wait's polls alone say about its interval, None while they are too few to say.

    For a judge that does not know when the call began: a poll that is too early for it is a suspicion here.
    """
    interval_s = call.interval_s(case.contract)
    polls = _without_clamped(case, call, case.polls(call))
    expected = f"a poll every {seconds(interval_s)}"
    if len(polls) < 2:
        return None
    first_s = polls[1].arrived_s - polls[0].arrived_s
    bound_s = interval_s / 2 - EARLY_SLACK_S  # the first poll may have had to connect, long after it was due
    if first_s < bound_s:
        seen = f"poll 2 came {seconds(first_s)} after poll 1"
        return suspect(f"{expected}: {seconds(bound_s)} or more", seen, excess_s=bound_s - first_s)
    finding = _too_soon(call, polls, interval_s, expected)
    if finding is not None or len(polls) <= MIN_PERIODS:
        return finding
    return _too_seldom(polls, interval_s, expected) or kept(
        expected, f"a median period of {seconds(median_period_s(polls))}"
    )


def _without_clamped(case: Case, call: CallRecord, polls: tuple[Poll, ...]) -> tuple[Poll, ...]:
    """Return the polls without those that came early at the deadline: clamping the last sleep is right.

    The deadline is also where the helper itself gave up: one that gives up too soon has another defect.
    """
    deadline_s = call.sent_s + call.timeout_s(case.contract) - EARLY_SLACK_S
    if case.fits_timeout(call.seen) and call.received_s is not None:
        answered_s = polls[-1].answered_s if polls else None
        if answered_s is not None and answered_s >= call.received_s - LATE_SLACK_S:
            deadline_s = min(deadline_s, polls[-1].arrived_s - EARLY_SLACK_S)
    interval_s = call.interval_s(case.contract)
    enough_s = interval_s - min(EARLY_SLACK_S, interval_s / 2)
    for _ in range(MAX_CLAMPED):
        is_short = any(period_s < enough_s for period_s in _periods(polls[-2:]))
        if is_short and polls[-1].arrived_s >= deadline_s:
            polls = polls[:-1]
    return polls


def _earliest_s(intervals: int, interval_s: float) -> float:
    """Return how soon a poll may come so many intervals after another one, or after the call."""
    return intervals * interval_s - max(EARLY_SLACK_S, intervals * EARLY_PER_POLL_S)


def _too_soon(call: CallRecord, polls: tuple[Poll, ...], interval_s: float, expected: str) -> Finding | None:
    """Return a suspicion where two polls are closer than the intervals between them.

    A first poll that comes at once is left out: it was due at the call, and against the call every poll has
    been held already. So the time that it took to connect shortens nobody's period. Of many polls, a few may
    be so late that the next one, on time, is close behind.
    """
    comes_at_once = polls[0].arrived_s - call.sent_s < interval_s / 2
    held = list(enumerate(polls, 1))[1 if comes_at_once else 0 :]
    first = None
    for _ in range(1 + len(held) // POLLS_PER_LATE_ONE):
        short = _short_period(held, interval_s)
        if short is None:
            return None
        first = first or short
        held.remove(short[0])
    if first is None or _is_ticker(call, polls, interval_s):
        return None
    before, after = first
    bound_s = _earliest_s(after[0] - before[0], interval_s)
    came_s = after[1].arrived_s - before[1].arrived_s
    seen = f"poll {after[0]} came {seconds(came_s)} after poll {before[0]}"
    return suspect(f"{expected}: {seconds(bound_s)} or more", seen, excess_s=bound_s - came_s)


_Numbered = tuple[int, Poll]


def _short_period(held: Sequence[_Numbered], interval_s: float) -> tuple[_Numbered, _Numbered] | None:
    """Return the first two polls that are too close for the intervals between them.

    Each poll is held against the one before it, and against the one before it that was latest for its number,
    so that periods which are all a little short add up.
    """
    latest = held[0] if held else None
    for previous, each in itertools.pairwise(held):
        assert latest is not None
        for before in (previous, latest):
            if each[1].arrived_s - before[1].arrived_s < _earliest_s(each[0] - before[0], interval_s):
                return before, each
        if each[1].arrived_s - latest[1].arrived_s > (each[0] - latest[0]) * interval_s:
            latest = each
    return None


def _is_ticker(call: CallRecord, polls: tuple[Poll, ...], interval_s: float) -> bool:
    """Say whether polls come at whole intervals after the call, one at each at most, and only some late.

    On a busy machine a ticker's late poll is followed by one that is on time again, and so close behind it.
    """
    span_s = polls[-1].arrived_s - polls[0].arrived_s
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


def _too_seldom(polls: tuple[Poll, ...], interval_s: float, expected: str) -> Finding | None:
    return (
        _growing_pauses(polls, interval_s, expected)
        or long_pauses(polls, interval_s, expected)
        or _slow_pauses(polls, interval_s, expected)
    )


def long_pauses(polls: tuple[Poll, ...], interval_s: float, expected: str) -> Finding | None:
    """Return a suspicion where the pauses from an answer to the next poll are far too long."""
    pauses = _pauses(polls)
    if not pauses:
        return None
    for name, pause_s, bound_s in (
        ("median", median(pauses), _median_bound_s(interval_s)),
        ("mean", fmean(pauses), MAX_MEAN_PAUSE_RATIO * interval_s + PAUSE_SLACK_S),
    ):
        if pause_s > bound_s:
            seen = f"a {name} pause of {seconds(pause_s)} from an answer to the next poll"
            bound = f"{expected}: a {name} pause of {seconds(bound_s)} or less"
            return suspect(bound, seen, missed_s=pause_s - bound_s)
    return None


def _median_bound_s(interval_s: float) -> float:
    return interval_s + PAUSE_SLACK_S + PAUSE_SLACK_RATIO * interval_s


def slow_bound_s(interval_s: float) -> float:
    """Return how long the lower quartile of a wait's pauses may be: nearly the interval."""
    return min(_median_bound_s(interval_s), interval_s + max(LEAST_SLOW_S, SLOW_RATIO * interval_s))


def _slow_pauses(polls: tuple[Poll, ...], interval_s: float, expected: str) -> Finding | None:
    """Return a suspicion where hardly any pause is as short as the interval."""
    pauses, bound_s = _pauses(polls), slow_bound_s(interval_s)
    pause_s = _lowest(pauses, 4)
    if pause_s <= bound_s or (pause_s <= bound_s + TICK_S and _wakes_on_ticks(polls)):
        return None
    return suspect(
        f"{expected}: at least a quarter of the pauses {seconds(bound_s, fine=True)} or less",
        f"three quarters of the pauses from an answer to the next poll were {seconds(pause_s, fine=True)} "
        "or more",
        excess_s=_excess_s(pauses, pause_s - bound_s + LEAST_SLOW_S - MACHINES_SHARE_S),
        missed_s=pause_s - bound_s,
    )


def _excess_s(pauses: Sequence[float], missed_s: float) -> float:
    """Return how late a machine was at times, at least, if it made these pauses too long by so much.

    A machine that is slow is late by more in some pauses than in others, an SDK by about the same in each. So
    it takes less of a machine where the pauses differ, and more where they hardly do.
    """
    noise_s = median(pauses) - _lowest(pauses, 20)
    return max(0.0, missed_s - noise_s) if noise_s > NOISE_RATIO * missed_s else STEADY_LAGS * missed_s


def _growing_pauses(polls: tuple[Poll, ...], interval_s: float, expected: str) -> Finding | None:
    """Return a suspicion where the last third of the pauses is longer than the first, and than the interval.

    The periods must have grown as well: where answers take less time than before, the pauses of a helper that
    counts from the request grow, and where they take more, the periods of one that counts from the response.
    """
    first_s, last_s = _of_thirds(_pauses(polls))
    first_period_s, last_period_s = _of_thirds(_periods(polls))
    slack_s = slow_bound_s(interval_s) - interval_s
    grown_s = min(last_s - first_s, last_period_s - first_period_s, last_s - interval_s)
    if grown_s <= slack_s or (grown_s <= slack_s + TICK_S and _wakes_on_ticks(polls)):
        return None
    return suspect(
        f"{expected}: pauses that grow by no more than {seconds(slack_s, fine=True)}",
        f"pauses from an answer to the next poll that grew from {seconds(first_s, fine=True)} "
        f"to {seconds(last_s, fine=True)}",
        excess_s=grown_s - slack_s,  # a machine that is never as late as that has not made them grow
    )


def _of_thirds(values: Sequence[float]) -> tuple[float, float]:
    """Return the lower quartiles of the first and of the last third, 0 for both where these are too short."""
    size = len(values) // 3
    if size < MIN_PAUSES_OF_A_THIRD:
        return 0.0, 0.0
    return _lowest(values[:size], 4), _lowest(values[-size:], 4)


def _lowest(values: Sequence[float], part: int) -> float:
    """Return the value below which a fourth, or another part, of them are, 0 where there is none."""
    return sorted(values)[len(values) // part] if values else 0.0


def _wakes_on_ticks(polls: tuple[Poll, ...]) -> bool:
    """Say whether polls come at the ticks of a coarse timer: each sleep then ends at the next tick.

    A helper that sleeps too long in milliseconds drifts along the ticks instead.
    """
    enough = ON_TICK_RATIO * len(polls)
    return any(
        sum((poll.arrived_s - first.arrived_s) % TICK_S <= ON_TICK_S for poll in polls) >= enough
        for first in polls[:: max(1, len(polls) // MAX_PHASES)]
    )


def _periods(polls: tuple[Poll, ...]) -> list[float]:
    return [after.arrived_s - before.arrived_s for before, after in itertools.pairwise(polls)]


def median_period_s(polls: tuple[Poll, ...]) -> float:
    """Return the median time from arrival to next arrival of two polls or more."""
    return median(_periods(polls))


def usual_period_s(polls: tuple[Poll, ...], interval_s: float) -> float:
    """Return how far apart the polls of a wait come where nothing holds them up.

    That is their median period, unless they are too few to have one, or so far apart that it says nothing.
    """
    if len(_pauses(polls)) < MIN_PERIODS or are_seldom(polls, interval_s):
        return interval_s
    return max(interval_s, median_period_s(polls))


def are_seldom(polls: tuple[Poll, ...], interval_s: float) -> bool:
    """Say whether at least half of a wait's pauses are far too long; too few of them say nothing."""
    pauses = _pauses(polls)
    return len(pauses) >= MIN_PERIODS and median(pauses) > _median_bound_s(interval_s)


def _pauses(polls: tuple[Poll, ...]) -> list[float]:
    """Return the times from the end of each answer to the next arrival."""
    return [
        after.arrived_s - before.answered_s
        for before, after in itertools.pairwise(polls)
        if before.answered_s is not None
    ]
