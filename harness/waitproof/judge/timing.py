"""Checks of time: intervals and deadlines.

Arrivals are late, never early: only what no machine can cause is final here, all else is a suspicion that is
reproduced in isolation, or dropped. `intervals` has the bounds of an interval, this module all others.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

from waitproof.judge.check import Case, Finding, Mark, broken, kept, kind, suspect
from waitproof.judge.deadlines import is_timeout
from waitproof.judge.intervals import EARLY_SLACK_S, LATE_SLACK_S, wait_interval
from waitproof.judge.observation import CallRecord, StillWaiting
from waitproof.judge.pauses import are_seldom
from waitproof.judge.words import NOTHING_RAISED, cut, describe, is_outcome_named, seconds
from waitproof.protocol import ExceptionKind, Raised, Returned
from waitproof.suite import Model

__all__ = ["LATE_RATIO", "SourceOfOption", "hidden_default", "lacks_option", "late_bound_s", "stalled_s"]

LATE_RATIO = 0.05  # as for pauses
MAY_BE_REFUSED_S = 3600.0  # a longer timeout: some runtimes' timers end at 2^31 ms


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


_ORDER = (Mark.BROKEN, Mark.SUSPECT, Mark.KEPT)


def _worst(findings: list[Finding]) -> Finding:
    if not findings:
        return broken("a wait of the scenario to judge", "there was none")
    return min(findings, key=lambda finding: _ORDER.index(finding.mark))
