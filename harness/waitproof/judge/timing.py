"""Checks of time: intervals, deadlines, and two waits at once.

Arrivals are late, never early: only what no machine can cause is final here, all else is a suspicion that is
reproduced in isolation, or dropped. `intervals` has the bounds of an interval, this module all others.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import ClassVar, Literal

from waitproof.judge.check import Case, Finding, Mark, broken, kept, kind, suspect
from waitproof.judge.deadlines import is_timeout
from waitproof.judge.intervals import EARLY_SLACK_S, LATE_SLACK_S, wait_interval
from waitproof.judge.observation import CallRecord, StillWaiting
from waitproof.judge.pauses import MIN_PERIODS, are_seldom, long_pauses
from waitproof.judge.words import NOTHING_RAISED, cut, describe, is_outcome_named, seconds
from waitproof.protocol import ExceptionKind, Raised, Returned
from waitproof.suite import Model

__all__ = ["LATE_RATIO", "SourceOfOption", "hidden_default", "lacks_option", "late_bound_s", "stalled_s"]

LATE_RATIO = 0.05  # as for pauses
MAY_BE_REFUSED_S = 3600.0  # a longer timeout: some runtimes' timers end at 2^31 ms
LEAST_HELD_UP_RATIO = 2 / 3  # of an interval: from a poll that a busy machine made late to the other wait's
MOST_HELD_UP_RATIO = 1.5  # of a sleep that the other wait sits out, which a busy machine makes longer
HELD_UP_SHARE = 2 / 3  # of the polls: where waits do not block, that many do not come just then by chance


class SourceOfOption(Model):
    """`option: default` where the caller passes nothing, `option: passed` where it passes a value."""

    noun: ClassVar[str] = "check's arguments"
    option: Literal["default", "passed"]


def _lacks_interval(case: Case, arguments: SourceOfOption) -> str:
    return lacks_option(case, "poll_interval") if arguments.option == "passed" else ""


def _lacks_timeout(case: Case, arguments: SourceOfOption) -> str:
    return lacks_option(case, "timeout") if arguments.option == "passed" else ""


def lacks_option(case: Case, option: str) -> str:
    """Return that a helper lacks an option, "" where it has it."""
    lacking = option not in case.capabilities.options
    return f"option {option}" if lacking and case.capabilities.wait else ""


@kind(
    "interval_kept",
    arguments=SourceOfOption,
    timed=True,
    lacks=_lacks_interval,
    accuses="polls that are too close, a tenth too far apart or ever farther; fewer than 4 periods",
    excuses=f"{EARLY_SLACK_S * 1000:.0f} ms of a timer, counting from the response, a last sleep cut short; "
    "growth that a schedule documents; a default where the helper has to be passed the option",
)
def interval_kept(case: Case, arguments: SourceOfOption) -> Finding:
    """Each wait polls once an interval: no sooner, and not much later."""
    hidden = hidden_default(case, arguments, "poll_interval")
    return hidden or _worst([wait_interval(case, call) for call in case.waits()])


@kind(
    "timeout_kept",
    arguments=SourceOfOption,
    timed=True,
    lacks=_lacks_timeout,
    accuses="a timeout that is more than an interval too soon or too late",
    excuses="the time of the poll in flight at the deadline; a default where the option must be passed",
)
def timeout_kept(case: Case, arguments: SourceOfOption) -> Finding:
    """A wait that never ends is given up at its timeout, give or take an interval."""
    hidden = hidden_default(case, arguments, "timeout")
    return hidden or _worst([_timeout(case, call) for call in _timed_out(case)])


def hidden_default(case: Case, arguments: SourceOfOption, option: str) -> Finding | None:
    """Return that a default cannot be judged where this SDK has to be passed the option."""
    able = case.capabilities
    has_to_come = able.options_together or option in able.required_options
    is_passed = any(getattr(call.call.wait, option) is not None for call in case.waits())
    if arguments.option == "passed" or not (has_to_come and is_passed):
        return None
    return Finding(
        Mark.UNSUPPORTED, seen=f"this SDK's helper has to be passed {option} here: it shows no default"
    )


def _timeout(case: Case, call: CallRecord) -> Finding:
    timeout_s, interval_s = call.timeout_s(case.contract), call.interval_s(case.contract)
    in_flight_s = stalled_s(case, call)
    low_s = timeout_s - min(interval_s, timeout_s / 2) - EARLY_SLACK_S
    high_s = timeout_s + interval_s + in_flight_s + LATE_SLACK_S
    return _between(case, call, f"a timeout after {seconds(timeout_s)}", low_s, high_s)


@kind(
    "timeout_not_early",
    timed=True,
    accuses="a timeout that is raised before its time",
    excuses=f"{EARLY_SLACK_S * 1000:.0f} ms of a timer",
)
def timeout_not_early(case: Case, _arguments: Model) -> Finding:
    """A wait that never ends lasts its whole timeout."""
    return _worst(
        [
            _between(
                case,
                call,
                f"a timeout after {seconds(call.timeout_s(case.contract))}, not before",
                call.timeout_s(case.contract) - EARLY_SLACK_S,
                None,
            )
            for call in _timed_out(case)
        ]
    )


@kind(
    "timeout_not_late",
    timed=True,
    accuses="a timeout that is raised later than its time by a twentieth",
    excuses=f"{LATE_SLACK_S * 1000:.0f} ms for the machine, and the poll in flight at the deadline",
)
def timeout_not_late(case: Case, _arguments: Model) -> Finding:
    """A wait that never ends does not outlast its timeout, except for the poll in flight at the deadline."""
    return _by_deadline(case, "a timeout after {}, and not much later")


def _by_deadline(case: Case, expected: str) -> Finding:
    """Return whether each wait raised by its deadline; `expected` has {} where its timeout belongs."""
    return _worst(
        [
            _between(
                case,
                call,
                expected.format(seconds(call.timeout_s(case.contract))),
                None,
                late_bound_s(call.timeout_s(case.contract)) + stalled_s(case, call),
            )
            for call in _timed_out(case)
        ]
    )


@kind(
    "deadline_bounds_stalled_poll",
    timed=True,
    accuses="a timeout that comes later than its time by a twentieth because a poll has no answer",
    excuses=f"{LATE_SLACK_S * 1000:.0f} ms for the machine",
)
def deadline_bounds_stalled_poll(case: Case, _arguments: Model) -> Finding:
    """A poll that the server does not answer is cut off at the deadline."""
    return _worst([_stalled(case, call) for call in _timed_out(case)])


def _stalled(case: Case, call: CallRecord) -> Finding:
    timeout_s = call.timeout_s(case.contract)
    expected = f"a timeout after {seconds(timeout_s)} although a poll is stalled"
    finding = _between(case, call, expected, None, late_bound_s(timeout_s))
    polls = case.observation.requests_of(call)
    if finding.mark is Mark.KEPT and not any(case.scenario.task[poll.step].delay for poll in polls):
        return suspect(expected, f"the wait ended before a poll was stalled: {finding.seen}")
    return finding


@kind(
    "timeout_outlasts_task",
    lacks=lambda case, _arguments: lacks_option(case, "timeout"),
    accuses="a wait that ends before its task does, or is still waiting after that",
    excuses=f"a timeout of more than {MAY_BE_REFUSED_S / 3600:g} h that is refused before the first poll, "
    "with an exception of kind other, and again in two isolated re-runs",
)
def timeout_outlasts_task(case: Case, _arguments: Model) -> Finding:
    """A wait is not given up while its timeout, however long, has not passed: the task ends before it.

    Final, because no machine ends a wait too early. A helper may refuse a timeout of hours before it polls. A
    timer that overflows ends the first poll within a millisecond, before or after it reaches the server. So a
    failed request is not a refusal, and an exception of kind other is one only if no re-run has a poll.
    """
    finding = broken("a wait that lasts until its task ends", case.none_made)
    for call in case.waits():
        timeout_s = call.timeout_s(case.contract)
        expected = f"a timeout of {seconds(timeout_s)} does not end the wait before its task ends"
        if isinstance(call.seen, StillWaiting):
            return broken(expected, f"the call was still waiting after {seconds(call.seen.waited_s)}")
        seen = f"the call {describe(call.seen)}"
        if call.took_s is not None:
            seen += f", {seconds(call.took_s)} after it was made"
        is_refused = is_outcome_named(call.seen, [ExceptionKind.OTHER]) and not case.polls(call)
        if is_refused and not is_timeout(case, call) and timeout_s > MAY_BE_REFUSED_S:
            fact = f"the helper refuses a timeout of {seconds(timeout_s)}"
            return Finding(Mark.SUSPECT, expected, fact, settles=Mark.NOT_APPLICABLE)
        if not isinstance(call.seen, Returned) or case.end_of(call) is None:
            return broken(expected, seen)
        finding = kept(expected, seen)
    return finding


@kind(
    "ends_by_deadline",
    timed=True,
    reads=["raises"],
    accuses="a wait that is still going, or raises, later than its deadline by a twentieth",
    excuses=f"{LATE_SLACK_S * 1000:.0f} ms for the machine, and any kind of exception",
)
def ends_by_deadline(case: Case, _arguments: Model) -> Finding:
    """Whatever a wait raises, and however long a server asks it to pause, it ends by its deadline."""
    return _by_deadline(case, "an exception within {}, whatever the server asks for")


def late_bound_s(timeout_s: float) -> float:
    """Return how long a wait may last at most without outlasting its timeout too far."""
    return timeout_s + LATE_RATIO * timeout_s + LATE_SLACK_S


def _between(
    case: Case, call: CallRecord, expected: str, low_s: float | None, high_s: float | None
) -> Finding:
    took_s = call.took_s
    if not isinstance(call.seen, Raised) or took_s is None:
        return broken(expected, f"{NOTHING_RAISED}the call {describe(call.seen)}")
    seen = f"the call raised {cut(call.seen.type)} after {seconds(took_s)}"
    if low_s is not None and took_s < low_s:
        return broken(f"{expected}: {seconds(low_s)} or more", seen)
    if high_s is not None and took_s > high_s:
        late = suspect(f"{expected}: {seconds(high_s)} or less", seen, excess_s=took_s - high_s)
        return replace(late, is_of_pauses=_slept_over_the_deadline(case, call))
    return kept(expected, seen)


def _slept_over_the_deadline(case: Case, call: CallRecord) -> bool:
    """Say whether a wait whose pauses are too long made no more than one poll after its deadline."""
    polls = case.polls(call)
    ends_s = call.sent_s + call.timeout_s(case.contract) + LATE_SLACK_S
    return are_seldom(polls, call.intervals(case.contract)) and polls[-2].arrived_s <= ends_s


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
    return lacks_option(case, "poll_interval") or lacks_option(case, "timeout")


@kind(
    "parameters_kept",
    timed=True,
    lacks=_lacks_either,
    accuses="what interval_kept and timeout_kept accuse, and an SDK that lacks one of the two options",
    excuses="as those two",
)
def parameters_kept(case: Case, _arguments: Model) -> Finding:
    """Both options are accepted and both are honored."""
    waits = list(case.waits())
    return _worst([wait_interval(case, call) for call in waits] + [_timeout(case, call) for call in waits])


@kind(
    "waits_interleave",
    timed=True,
    accuses="two waits of which one is held up by a sleep or a request of the other",
    excuses="polls that are few or far apart: that is for interval_kept",
)
def waits_interleave(case: Case, _arguments: Model) -> Finding:
    """Two waits that begin together poll in turn: neither blocks the other, asleep or in a request.

    What shows it is that one is held up by the other. Polls that are few or far apart show an interval.
    """
    expected = "both waits poll in turn"
    waits = list(case.waits())
    if len(waits) < 2:
        return broken("two waits at once", f"there was {'one' if waits else 'none'}")
    return (
        _one_after_the_other(case, waits, expected)
        or _held_up_by_a_sleep(case, waits, expected)
        or _held_up_by_a_request(case, waits, expected)
        or kept(expected, "they did")
    )


def _one_after_the_other(case: Case, waits: list[CallRecord], expected: str) -> Finding | None:
    """Return a suspicion where a wait began only after another one, or has too few polls to show its turns.

    One poll is enough of a wait that lasted until its timeout: its interval left room for no other.
    """
    spans = []
    for call in waits:
        polls = case.polls(call)
        is_long = is_timeout(case, call) and bool(polls)
        if len(polls) < 2 and not is_long:
            count = "no poll" if not polls else "one poll"
            return suspect(
                f"{expected}, two polls or more each",
                f"wait {call.copy} sent {count}, and {describe(call.seen)}",
            )
        end_s, end = polls[-1].arrived_s, "the last poll"
        if len(polls) < 2 and call.received_s is not None:
            end_s, end = call.received_s, "the end"
        spans.append((polls[0].arrived_s, end_s, f"{end} of wait {call.copy}", call.copy))
    spans.sort()
    for (_, end_s, end, _), (start_s, _, _, second) in itertools.pairwise(spans):
        if start_s >= end_s:
            seen = f"the first poll of wait {second} came {seconds(start_s - end_s)} after {end}: it blocked"
            return suspect(expected, seen)
    return None


def _held_up_by_a_sleep(case: Case, waits: list[CallRecord], expected: str) -> Finding | None:
    """Return a suspicion where a wait is slow because it sleeps only after the others have slept.

    Then no two sleeps overlap, so each poll comes an interval after one of another wait. The polls of waits
    that are slow by themselves come together, as the waits began, or at any distance.
    """
    every = sorted(
        (poll.arrived_s, call.copy, call.interval_s(case.contract))
        for call in waits
        for poll in case.polls(call)
        if poll.arrived_s < call.sent_s + call.timeout_s(case.contract) - EARLY_SLACK_S
    )
    answer_s = max(step.delay for step in case.scenario.task)
    gaps = list(itertools.pairwise(every[len(waits) - 1 :]))  # no sleep is between the first polls of all
    held_up = 0
    for (before_s, before, _), (after_s, after, interval_s) in gaps:
        most_s = MOST_HELD_UP_RATIO * max(interval_s, answer_s) + case.observation.lag_s
        is_a_sleep = LEAST_HELD_UP_RATIO * interval_s <= after_s - before_s <= most_s
        held_up += before != after and is_a_sleep
    if len(gaps) < MIN_PERIODS - 1 or held_up < HELD_UP_SHARE * len(gaps):
        return None
    for call in waits:
        slow = long_pauses(case.polls(call), call.intervals(case.contract), expected)
        if slow is not None:
            seen = (
                f"wait {call.copy} has {slow.seen}, and {held_up} of {len(gaps)} polls came an interval "
                "after one of the other wait: its sleep blocks"
            )
            return suspect(slow.expected, seen, missed_s=slow.missed_s)
    return None


def _held_up_by_a_request(case: Case, waits: list[CallRecord], expected: str) -> Finding | None:
    """Return a suspicion where slow answers are never awaited by two waits at the same time.

    A wait that awaited no answer at all, because its timeout is too short, holds up nobody.
    """
    delay_s = max(step.delay for step in case.scenario.task)
    have_answers = all(any(poll.answered_s is not None for poll in case.polls(call)) for call in waits)
    if not delay_s or not have_answers or _were_in_flight_together(case, waits):
        return None
    seen = f"answers took {seconds(delay_s)}, and no two polls were in flight at once: a request blocked"
    return suspect(expected, seen)


def _were_in_flight_together(case: Case, waits: list[CallRecord]) -> bool:
    """Say whether polls of different waits ever were."""
    first, *others = [case.polls(call) for call in waits]
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
