"""Whether the pauses of one wait are much longer than documented: far too long, a little, or more and more.

Each pause is held against the documented one of its number, so that a schedule is judged like an interval:
what is compared is by how much the pauses miss it. All of it is a suspicion, because a machine can make every
pause longer. `intervals` has the bounds of what comes too soon.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from statistics import fmean, median

from waitproof.judge.check import Finding, suspect
from waitproof.judge.observation import Poll
from waitproof.judge.words import seconds
from waitproof.suite import Intervals

__all__ = [
    "EARLY_SLACK_S",
    "MAX_PHASES",
    "MIN_PERIODS",
    "TICK_S",
    "are_seldom",
    "documented",
    "long_pauses",
    "median_period_s",
    "periods_s",
    "seen_pauses",
    "slow_bound_s",
    "too_seldom",
    "usual_delay_s",
]

EARLY_SLACK_S = 0.020  # a Windows timer ticks every 15.6 ms and may fire one tick early
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
MAX_SHOWN_PAUSES = 12
MIN_PAUSES_OF_A_THIRD = 3  # fewer have no lower quartile
MAX_PHASES = 20  # polls that are tried as the one on time: of a ticker's, two in three are
MIN_PERIODS = 4  # fewer have no median to speak of, and one late poll would decide


def documented(intervals: Intervals) -> str:
    """Return the documented pauses as an expectation."""
    if intervals.is_constant:
        return f"a poll every {seconds(intervals.first_s)}"
    grows = f"{seconds(intervals.add_s)} longer" if intervals.add_s else f"{intervals.times:g} times as long"
    return f"pauses of {seconds(intervals.first_s)}, {grows} each time, up to {seconds(intervals.most_s)}"


def seen_pauses(intervals: Intervals, polls: tuple[Poll, ...]) -> str:
    """Return the pauses that show whether they grow, "" where all of them are to be equal."""
    if intervals.is_constant:
        return ""
    pauses = [f"{pause_s:.2f}" for pause_s, _ in _pauses(polls, intervals)]
    if len(pauses) > MAX_SHOWN_PAUSES:
        pauses = [*pauses[: MAX_SHOWN_PAUSES // 2], "…", *pauses[-MAX_SHOWN_PAUSES // 2 :]]
    return f"; the pauses were {', '.join(pauses)} s"


def too_seldom(polls: tuple[Poll, ...], intervals: Intervals, expected: str) -> Finding | None:
    """Return a suspicion where polls come less often than documented.

    A schedule whose longest pauses are many and right is also judged by those before them, at which a helper
    that begins with the wrong pause, or grows too fast, is late.
    """
    first = polls[: max(intervals.growing, MIN_PERIODS) + 1] if not intervals.is_constant else ()
    return (
        long_pauses(first, intervals, expected)
        or _growing_pauses(polls, intervals, expected)
        or long_pauses(polls, intervals, expected)
        or _slow_pauses(polls, intervals, expected)
    )


def long_pauses(polls: tuple[Poll, ...], intervals: Intervals, expected: str) -> Finding | None:
    """Return a suspicion where the pauses from an answer to the next poll are far too long."""
    pauses = _pauses(polls, intervals)
    if not pauses:
        return None
    for name, average, bound_of_s in (("median", median, _median_bound_s), ("mean", fmean, _mean_bound_s)):
        missed_s = average([pause_s - bound_of_s(due_s) for pause_s, due_s in pauses])
        if missed_s > 0:
            return _too_long(name, average, missed_s, polls, intervals, expected)
    return None


def _too_long(
    name: str,
    average: Callable[[list[float]], float],
    missed_s: float,
    polls: tuple[Poll, ...],
    intervals: Intervals,
    expected: str,
) -> Finding:
    pause_s = average([pause_s for pause_s, _ in _pauses(polls, intervals)])
    seen = f"a {name} pause of {seconds(pause_s)} from an answer to the next poll"
    bound_s = pause_s - missed_s
    seen += seen_pauses(intervals, polls)
    return suspect(f"{expected}: a {name} pause of {seconds(bound_s)} or less", seen, missed_s=missed_s)


def _median_bound_s(interval_s: float) -> float:
    return interval_s + PAUSE_SLACK_S + PAUSE_SLACK_RATIO * interval_s


def _mean_bound_s(interval_s: float) -> float:
    return MAX_MEAN_PAUSE_RATIO * interval_s + PAUSE_SLACK_S


def slow_bound_s(interval_s: float) -> float:
    """Return how long the lower quartile of a wait's pauses may be: nearly the interval."""
    return min(_median_bound_s(interval_s), interval_s + max(LEAST_SLOW_S, SLOW_RATIO * interval_s))


def _slow_pauses(polls: tuple[Poll, ...], intervals: Intervals, expected: str) -> Finding | None:
    """Return a suspicion where hardly any pause is as short as the interval."""
    pauses = _pauses(polls, intervals)
    missed_s = _lowest([pause_s - slow_bound_s(due_s) for pause_s, due_s in pauses], 4)
    if missed_s <= 0 or (missed_s <= TICK_S and _wakes_on_ticks(polls)):
        return None
    late_s = [pause_s - due_s for pause_s, due_s in pauses]
    alike_s = [pause_s - due_s for pause_s, due_s in pauses if due_s == pauses[-1][1]]
    # An SDK that is slow by a share of each pause misses a longer one by more, and that is no noise.
    noisy_s = alike_s if 2 * len(alike_s) >= len(late_s) else late_s
    excess_s = _excess_s(noisy_s, missed_s + LEAST_SLOW_S - MACHINES_SHARE_S)
    if not intervals.is_constant:
        bound = "at least a quarter of them hardly longer"
        seen = f"three quarters were {seconds(_lowest(late_s, 4), fine=True)} or more longer"
        seen += seen_pauses(intervals, polls)
        return suspect(f"{expected}: {bound}", seen, excess_s=excess_s, missed_s=missed_s)
    bound_s = slow_bound_s(intervals.first_s)
    return suspect(
        f"{expected}: at least a quarter of the pauses {seconds(bound_s, fine=True)} or less",
        f"three quarters of the pauses from an answer to the next poll were "
        f"{seconds(bound_s + missed_s, fine=True)} or more",
        excess_s=excess_s,
        missed_s=missed_s,
    )


def _excess_s(late_s: Sequence[float], missed_s: float) -> float:
    """Return how late a machine was at times, at least, if it made these pauses too long by so much.

    A machine that is slow is late by more in some pauses than in others, an SDK by about the same in each. So
    it takes less of a machine where the pauses differ, and more where they hardly do.
    """
    noise_s = median(late_s) - _lowest(late_s, 20)
    return max(0.0, missed_s - noise_s) if noise_s > NOISE_RATIO * missed_s else STEADY_LAGS * missed_s


def _growing_pauses(polls: tuple[Poll, ...], intervals: Intervals, expected: str) -> Finding | None:
    """Return a suspicion where the last third of the pauses is longer than the first, and than the interval.

    The periods must have grown as well: where answers take less time than before, the pauses of a helper that
    counts from the request grow, and where they take more, the periods of one that counts from the response.
    Where the interval itself grows, what counts is by how much the pauses exceed it.
    """
    pauses = _pauses(polls, intervals)
    first_s, last_s = _of_thirds([pause_s - due_s for pause_s, due_s in pauses])
    periods = [period_s - intervals.pause_s(number) for number, period_s in enumerate(periods_s(polls), 1)]
    first_period_s, last_period_s = _of_thirds(periods)
    due_s = pauses[-1][1] if pauses else intervals.first_s
    slack_s = slow_bound_s(due_s) - due_s
    grown_s = min(last_s - first_s, last_period_s - first_period_s, last_s)
    if grown_s <= slack_s or (grown_s <= slack_s + TICK_S and _wakes_on_ticks(polls)):
        return None
    excess_s = grown_s - slack_s  # a machine that is never as late as that has not made them grow
    if not intervals.is_constant:
        bound = f"no more than {seconds(slack_s, fine=True)} longer at last"
        seen = f"pauses that were {seconds(first_s, fine=True)} longer at first and "
        seen += f"{seconds(last_s, fine=True)} at last{seen_pauses(intervals, polls)}"
        return suspect(f"{expected}: {bound}", seen, excess_s=excess_s)
    interval_s = intervals.first_s
    return suspect(
        f"{expected}: pauses that grow by no more than {seconds(slack_s, fine=True)}",
        f"pauses from an answer to the next poll that grew from {seconds(first_s + interval_s, fine=True)} "
        f"to {seconds(last_s + interval_s, fine=True)}",
        excess_s=excess_s,
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


def periods_s(polls: tuple[Poll, ...]) -> list[float]:
    """Return the times from arrival to next arrival."""
    return [after.arrived_s - before.arrived_s for before, after in itertools.pairwise(polls)]


def median_period_s(polls: tuple[Poll, ...]) -> float:
    """Return the median time from arrival to next arrival of two polls or more."""
    return median(periods_s(polls))


def usual_delay_s(polls: tuple[Poll, ...], intervals: Intervals) -> float:
    """Return by how much more than the interval a wait's polls are apart where nothing holds them up.

    That is the median, unless they are too few to have one, or so far apart that it says nothing.
    """
    if len(_pauses(polls, intervals)) < MIN_PERIODS or are_seldom(polls, intervals):
        return 0.0
    periods = enumerate(periods_s(polls), 1)
    return max(0.0, median([period_s - intervals.pause_s(number) for number, period_s in periods]))


def are_seldom(polls: tuple[Poll, ...], intervals: Intervals) -> bool:
    """Say whether at least half of a wait's pauses are far too long; too few of them say nothing."""
    pauses = _pauses(polls, intervals)
    missed_s = [pause_s - _median_bound_s(due_s) for pause_s, due_s in pauses]
    return len(pauses) >= MIN_PERIODS and median(missed_s) > 0


def _pauses(polls: tuple[Poll, ...], intervals: Intervals) -> list[tuple[float, float]]:
    """Return the times from the end of each answer to the next arrival, each with the documented one."""
    return [
        (after.arrived_s - before.answered_s, intervals.pause_s(number))
        for number, (before, after) in enumerate(itertools.pairwise(polls), 1)
        if before.answered_s is not None
    ]
