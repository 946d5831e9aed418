"""Checks of time: intervals, deadlines, and two waits at once.

A helper may count its interval from the request or from the response, so the lower bound is held
against arrivals and the upper one against pauses. Arrivals are late, never early: only what no machine
can cause is final here, all else is a suspicion that is reproduced in isolation, or dropped.
"""

from __future__ import annotations

import itertools
from statistics import fmean, median
from typing import ClassVar, Literal

from waitproof.judge.check import Case, Finding, Mark, broken, kept, kind, suspect
from waitproof.judge.observation import CallRecord, Poll
from waitproof.judge.words import cut, describe, is_outcome_named, seconds
from waitproof.protocol import Raised
from waitproof.suite import Model

__all__ = [
    "EARLY_SLACK_S",
    "LATE_RATIO",
    "LATE_SLACK_S",
    "MAX_MEAN_PAUSE_RATIO",
    "MIN_PERIODS",
    "PAUSE_SLACK_RATIO",
    "PAUSE_SLACK_S",
    "late_bound_s",
    "median_period_s",
    "regularity",
    "stalled_s",
]

EARLY_SLACK_S = 0.020  # a Windows timer ticks every 15.6 ms and may fire one tick early
PAUSE_SLACK_S = 0.050  # a runtime's timer, a garbage collection and a new connection fit in
PAUSE_SLACK_RATIO = 0.05  # what coarse timers add grows with the interval
MAX_MEAN_PAUSE_RATIO = 1.5  # a median is blind to a helper that slows down in the second half of its polls
LATE_SLACK_S = 0.100  # the last answer, the exception and the adapter's line, on a machine with two cores
LATE_RATIO = 0.05  # as for pauses
GRID_SLACK_S = 0.002  # two polls that are both on time, one of them stamped a moment sooner
ON_TIME_RATIO = 2 / 3  # fewer on time are no ticker; a helper that alternates long and short has a half
MAX_PHASES = 20  # polls that are tried as the one on time: of a ticker's, two in three are
MAX_PHASE_RATIO = 1 / 4  # of an interval: from the call to a ticker's start, on a busy machine
MAX_CLAMPED = 2  # a sleep clamped to the deadline may wake a tick early, and be followed by a last short one
MIN_PERIODS = 4  # fewer have no median to speak of, and one late poll would decide


class SourceOfOption(Model):
    """`option: default` where the caller passes nothing, `option: passed` where it passes a value."""

    noun: ClassVar[str] = "check's arguments"
    option: Literal["default", "passed"]


def _lacks_interval(case: Case, arguments: SourceOfOption) -> str:
    return _lacks(case, arguments, "poll_interval")


def _lacks_timeout(case: Case, arguments: SourceOfOption) -> str:
    return _lacks(case, arguments, "timeout")


def _lacks(case: Case, arguments: SourceOfOption, option: str) -> str:
    lacking = arguments.option == "passed" and option not in case.capabilities.options
    return f"option {option}" if lacking and case.capabilities.wait else ""


@kind("interval_kept", arguments=SourceOfOption, timed=True, lacks=_lacks_interval)
def interval_kept(case: Case, _arguments: SourceOfOption) -> Finding:
    """Each wait polls once an interval: no sooner, and not much later."""
    return _worst([_interval(case, call) for call in case.waits()])


def _interval(case: Case, call: CallRecord) -> Finding:
    interval_s = call.interval_s(case.contract)
    regular = _without_clamped(case, call, case.polls(call))
    expected = f"a poll every {seconds(interval_s)}"
    for number, poll in enumerate(regular):
        since_call_s = poll.arrived_s - call.sent_s
        bound_s = number * interval_s - EARLY_SLACK_S
        if since_call_s < bound_s:
            seen = f"poll {number + 1} came {seconds(since_call_s)} after the call"
            return broken(f"{expected}: poll {number + 1} {seconds(bound_s)} after the call or later", seen)
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
    if is_outcome_named(call.seen, [case.contract.timeout.kind]) and call.received_s is not None:
        answered_s = polls[-1].answered_s if polls else None
        if answered_s is not None and answered_s >= call.received_s - LATE_SLACK_S:
            deadline_s = min(deadline_s, polls[-1].arrived_s - EARLY_SLACK_S)
    enough_s = call.interval_s(case.contract) - EARLY_SLACK_S
    for _ in range(MAX_CLAMPED):
        is_short = any(period_s < enough_s for period_s in _periods(polls[-2:]))
        if is_short and polls[-1].arrived_s >= deadline_s:
            polls = polls[:-1]
    return polls


def _too_soon(call: CallRecord, polls: tuple[Poll, ...], interval_s: float, expected: str) -> Finding | None:
    """Return a suspicion where two polls are closer than the intervals between them.

    Each poll is held against the one before it, and against the one before it that was latest for its number,
    so that periods which are all a little short add up. A first poll that comes at once is left out: it was
    due at the call, and against the call every poll has been held already. So the time that it took to
    connect shortens nobody's period.
    """
    comes_at_once = polls[0].arrived_s - call.sent_s < interval_s / 2
    held = list(enumerate(polls, 1))[1 if comes_at_once else 0 :]
    if not held:
        return None
    previous, *others = held
    latest = previous
    for each in others:
        for before in (previous, latest):
            bound_s = (each[0] - before[0]) * interval_s - EARLY_SLACK_S
            came_s = each[1].arrived_s - before[1].arrived_s
            if came_s < bound_s:
                if _is_ticker(call, polls, interval_s):
                    return None
                seen = f"poll {each[0]} came {seconds(came_s)} after poll {before[0]}"
                return suspect(f"{expected}: {seconds(bound_s)} or more", seen, excess_s=bound_s - came_s)
        previous = each
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
    """Return a suspicion where the pauses from an answer to the next poll are too long for the interval."""
    pauses = _pauses(polls)
    if not pauses:
        return None
    for name, pause_s, bound_s in (
        ("median", median(pauses), interval_s + PAUSE_SLACK_S + PAUSE_SLACK_RATIO * interval_s),
        ("mean", fmean(pauses), MAX_MEAN_PAUSE_RATIO * interval_s + PAUSE_SLACK_S),
    ):
        if pause_s > bound_s:
            seen = f"a {name} pause of {seconds(pause_s)} from an answer to the next poll"
            bound = f"{expected}: a {name} pause of {seconds(bound_s)} or less"
            return suspect(bound, seen, missed_s=pause_s - bound_s)
    return None


def _periods(polls: tuple[Poll, ...]) -> list[float]:
    return [after.arrived_s - before.arrived_s for before, after in itertools.pairwise(polls)]


def median_period_s(polls: tuple[Poll, ...]) -> float:
    """Return the median time from arrival to next arrival of two polls or more."""
    return median(_periods(polls))


def _pauses(polls: tuple[Poll, ...]) -> list[float]:
    """Return the times from the end of each answer to the next arrival."""
    return [
        after.arrived_s - before.answered_s
        for before, after in itertools.pairwise(polls)
        if before.answered_s is not None
    ]


@kind("timeout_kept", arguments=SourceOfOption, timed=True, lacks=_lacks_timeout)
def timeout_kept(case: Case, _arguments: SourceOfOption) -> Finding:
    """A wait that never ends is given up at its timeout, give or take an interval."""
    return _worst([_timeout(case, call) for call in _timed_out(case)])


def _timeout(case: Case, call: CallRecord) -> Finding:
    timeout_s, interval_s = call.timeout_s(case.contract), call.interval_s(case.contract)
    in_flight_s = stalled_s(case, call)
    low_s = timeout_s - min(interval_s, timeout_s / 2) - EARLY_SLACK_S
    high_s = timeout_s + interval_s + in_flight_s + LATE_SLACK_S
    return _between(call, f"a timeout after {seconds(timeout_s)}", low_s, high_s)


@kind("timeout_not_early", timed=True)
def timeout_not_early(case: Case, _arguments: Model) -> Finding:
    """A wait that never ends lasts its whole timeout."""
    return _worst(
        [
            _between(
                call,
                f"a timeout after {seconds(call.timeout_s(case.contract))}, not before",
                call.timeout_s(case.contract) - EARLY_SLACK_S,
                None,
            )
            for call in _timed_out(case)
        ]
    )


@kind("timeout_not_late", timed=True)
def timeout_not_late(case: Case, _arguments: Model) -> Finding:
    """A wait that never ends does not outlast its timeout, except for the poll in flight at the deadline."""
    return _worst(
        [
            _between(
                call,
                f"a timeout after {seconds(call.timeout_s(case.contract))}, and not much later",
                None,
                late_bound_s(call.timeout_s(case.contract)) + stalled_s(case, call),
            )
            for call in _timed_out(case)
        ]
    )


@kind("deadline_bounds_stalled_poll", timed=True)
def deadline_bounds_stalled_poll(case: Case, _arguments: Model) -> Finding:
    """A poll that the server does not answer is cut off at the deadline."""
    return _worst([_stalled(case, call) for call in _timed_out(case)])


def _stalled(case: Case, call: CallRecord) -> Finding:
    timeout_s = call.timeout_s(case.contract)
    expected = f"a timeout after {seconds(timeout_s)} although a poll is stalled"
    finding = _between(call, expected, None, late_bound_s(timeout_s))
    polls = case.observation.requests_of(call)
    if finding.mark is Mark.KEPT and not any(case.scenario.task[poll.step].delay for poll in polls):
        return suspect(expected, f"no poll was stalled: {finding.seen}")
    return finding


def late_bound_s(timeout_s: float) -> float:
    """Return how long a wait may last at most without outlasting its timeout too far."""
    return timeout_s + LATE_RATIO * timeout_s + LATE_SLACK_S


def _between(call: CallRecord, expected: str, low_s: float | None, high_s: float | None) -> Finding:
    took_s = call.took_s
    if not isinstance(call.seen, Raised) or took_s is None:
        return broken(expected, f"nothing was raised: the call {describe(call.seen)}")
    seen = f"the call raised {cut(call.seen.type)} after {seconds(took_s)}"
    if low_s is not None and took_s < low_s:
        return broken(f"{expected}: {seconds(low_s)} or more", seen)
    if high_s is not None and took_s > high_s:
        return suspect(f"{expected}: {seconds(high_s)} or less", seen, excess_s=took_s - high_s)
    return kept(expected, seen)


def _timed_out(case: Case) -> list[CallRecord]:
    """Return the waits whose timeout is expected."""
    return [call for call in case.waits() if call.call.expect.raises is not None]


def stalled_s(case: Case, call: CallRecord) -> float:
    """Return how long the poll lasted that was in flight at the deadline, 0 when none was.

    One without an answer lasts forever: however late its caller's outcome came, it came before that.
    """
    deadline_s = call.sent_s + call.timeout_s(case.contract)
    longest_s = 0.0
    for poll in case.observation.requests_of(call):
        end_s = float("inf") if poll.answered_s is None else poll.answered_s
        if poll.arrived_s <= deadline_s + LATE_SLACK_S and end_s > deadline_s:
            longest_s = max(longest_s, end_s - poll.arrived_s)
    return longest_s


def _lacks_either(case: Case, _arguments: Model) -> str:
    missing = (name for name in ("poll_interval", "timeout") if name not in case.capabilities.options)
    name = next(missing, "")
    return f"option {name}" if name and case.capabilities.wait else ""


@kind("parameters_kept", timed=True, lacks=_lacks_either)
def parameters_kept(case: Case, _arguments: Model) -> Finding:
    """Both options are accepted and both are honoured."""
    waits = list(case.waits())
    return _worst([_interval(case, call) for call in waits] + [_timeout(case, call) for call in waits])


@kind("waits_interleave", timed=True)
def waits_interleave(case: Case, _arguments: Model) -> Finding:
    """Two waits that begin together poll in turn: neither blocks the other, asleep or in a request."""
    expected = "both waits poll in turn"
    spans = []
    for call in case.waits():
        polls = case.polls(call)
        if len(polls) < 2:
            count = "no poll" if not polls else "one poll"
            return suspect(
                f"{expected}, two polls or more each",
                f"wait {call.copy} sent {count}, and {describe(call.seen)}",
            )
        spans.append((polls[0].arrived_s, polls[-1].arrived_s, call.copy))
    if len(spans) < 2:
        return broken("two waits at once", f"there was {'one' if spans else 'none'}")
    spans.sort()
    for (_, end_s, first), (start_s, _, second) in itertools.pairwise(spans):
        if start_s >= end_s:
            seen = (
                f"the first poll of wait {second} came {seconds(start_s - end_s)} "
                f"after the last poll of wait {first}: it blocked"
            )
            return suspect(expected, seen)
    for call in case.waits():
        slow = _too_seldom(case.polls(call), call.interval_s(case.contract), expected)
        if slow is not None:
            seen = f"wait {call.copy} has {slow.seen}: the other one's sleep blocks it"
            return suspect(slow.expected, seen, missed_s=slow.missed_s)
    delay_s = max(step.delay for step in case.scenario.task)
    if delay_s and not _were_in_flight_together(case):
        seen = f"answers took {seconds(delay_s)}, and no two polls were in flight at once: a request blocked"
        return suspect(expected, seen)
    return kept(expected, "they did")


def _were_in_flight_together(case: Case) -> bool:
    """Say whether polls of different waits ever were."""
    first, *others = [case.polls(call) for call in case.waits()]
    return any(
        mine.arrived_s < theirs.answered_s and theirs.arrived_s < mine.answered_s
        for other in others
        for mine in first
        for theirs in other
        if mine.answered_s is not None and theirs.answered_s is not None
    )


_ORDER = (Mark.BROKEN, Mark.SUSPECT, Mark.KEPT)


def _worst(findings: list[Finding]) -> Finding:
    if not findings:
        return broken("a wait of the scenario to judge", "there was none")
    return min(findings, key=lambda finding: _ORDER.index(finding.mark))
