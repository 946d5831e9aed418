"""Verdicts by the journal alone, about a client that has no adapter.

A client that waits on a task of a served scenario is judged by what the server saw: the endpoint, the
interval, polls until the task is done and none after, the timeout as the last poll. What only the caller saw,
such as a result or an exception, is not judged here. Pure: the time comes in as an argument.

One fact to know before reading on: when the call began and what it passed is unknown. The first poll counts
as the beginning, and the scenario's own options apply unless others are given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from waitproof.journal import Progress
from waitproof.judge.check import Case, Finding, Mark, broken, checks, kept, suspect
from waitproof.judge.intervals import EARLY_SLACK_S, LATE_SLACK_S, regularity
from waitproof.judge.observation import CallRecord, Observation, Poll, StillWaiting, TaskRecord
from waitproof.judge.timing import stalled_s
from waitproof.judge.verdicts import Status, Verdict, status_of
from waitproof.judge.words import seconds, timeline_line
from waitproof.protocol import Hello
from waitproof.suite import (
    NO_TIMEOUT_S,
    Call,
    Contract,
    Level,
    Requirement,
    Scenario,
    WaitOptions,
    watched_after_s,
)
from waitproof.text import plural

__all__ = ["JOURNAL_RUNS", "Sighting", "journal_verdicts", "judge_by_journal"]

SILENCE_INTERVALS = 2  # without a poll, and a second more: a client that has not polled by then has stopped
SILENCE_S = 1.0
JOURNAL_RUNS = 3  # waits in a row that must show the same suspicion before it is a fact

_NOBODY = Hello("", "", "", "", "", "")


@dataclass(frozen=True)
class Sighting:
    """One wait, as the journal shows it at one moment.

    Attributes:
        progress: How far it has come.
        findings: What is known by now, by requirement.
        lag_s: The server's worst scheduling delay in that time, in seconds.
        timeline: Its polls as one line.
    """

    progress: Progress
    findings: Mapping[str, Finding] = field(default_factory=dict)
    lag_s: float = 0.0
    timeline: str = ""


def judge_by_journal(
    contract: Contract,
    scenario: Scenario,
    task: TaskRecord,
    *,
    now_s: float,
    options: WaitOptions | None = None,
    lag_s: float = 0.0,
) -> Sighting:
    """Return what the journal shows of a wait.

    Args:
        contract: The documentation.
        scenario: How the task behaves; its steps are those by which the polls were answered.
        task: All requests that concern the task, in seconds of one clock.
        now_s: The time on that clock.
        options: What the client passes to its helper; None for what the scenario's own wait passes.
        lag_s: The server's worst scheduling delay in that time, in seconds.
    """
    if not task.polls and not task.others:
        return Sighting(Progress.IDLE)
    case = _case(contract, scenario, task, options or scenario.wait_options, now_s)
    call = case.observation.calls[0]
    progress = _progress(case, call, now_s)
    findings: dict[str, Finding] = {}
    for requirement in contract.requirements:
        finding = _find(requirement, case, call, progress)
        if finding is not None:
            findings[requirement.id] = finding
    return Sighting(progress, findings, lag_s, timeline_line(task.polls))


def journal_verdicts(
    contract: Contract, scenario: Scenario, sightings: Sequence[Sighting]
) -> tuple[Verdict, ...]:
    """Return the verdicts about the last of some waits on tasks of one scenario.

    Args:
        contract: The documentation.
        scenario: The scenario of all of them.
        sightings: In the order in which the waits began; a suspicion becomes a fact when the last three have
            it, and the server itself was not as late as that.
    """
    newest = sightings[-1]
    return tuple(
        _verdict(requirement, scenario, newest.findings[requirement.id], sightings)
        for requirement in contract.requirements
        if requirement.id in newest.findings
    )


def _verdict(
    requirement: Requirement, scenario: Scenario, finding: Finding, sightings: Sequence[Sighting]
) -> Verdict:
    status, explanation = status_of(requirement, finding.mark), finding.explanation
    if finding.mark is Mark.SUSPECT:
        status, explanation = _settled(requirement, sightings, status)
    return Verdict(
        scenario=scenario.id,
        requirement=requirement.id,
        level=requirement.level,
        status=status,
        expected=finding.expected,
        seen=finding.seen,
        explanation=explanation,
        timeline=sightings[-1].timeline,
    )


def _settled(requirement: Requirement, sightings: Sequence[Sighting], against: Status) -> tuple[Status, str]:
    same = 0
    for sighting in reversed(sightings[-JOURNAL_RUNS:]):
        finding = sighting.findings.get(requirement.id)
        if finding is None or finding.mark is not Mark.SUSPECT or finding.excess_s <= sighting.lag_s:
            break
        same += 1
    if same == JOURNAL_RUNS:
        return against, f"seen in {JOURNAL_RUNS} waits in a row"
    if same == 0:
        delay = f"worst scheduling delay: {seconds(sightings[-1].lag_s)}"
        return Status.INCONCLUSIVE, f"a busy machine explains it as well ({delay})"
    ordinal = "1st" if same == 1 else "2nd"
    explanation = (
        f"could be a busy machine: counted after {JOURNAL_RUNS} waits in a row, this is the {ordinal}"
    )
    return Status.INCONCLUSIVE, explanation


def _case(
    contract: Contract, scenario: Scenario, task: TaskRecord, options: WaitOptions, now_s: float
) -> Case:
    requests = [*task.polls, *task.others]
    began_s = min(request.arrived_s for request in requests)
    call = CallRecord(
        index=0,
        copy=1,
        call=Call(wait=options),
        sent_s=began_s,
        received_s=None,
        seen=StillWaiting(now_s - began_s),
    )
    contract = contract.varied(scenario.variant)
    return Case(contract, scenario, Observation(_NOBODY, (call,), (replace(task, n=1),), watched_s=now_s))


def _progress(case: Case, call: CallRecord, now_s: float) -> Progress:
    interval_s = call.interval_s(case.contract)
    polls = case.observation.requests_of(call)
    ended = _end(case, call)
    if ended is not None and ended.answered_s is not None:
        watched = now_s - ended.answered_s >= watched_after_s(interval_s)
        return Progress.DONE if watched else Progress.POLLING
    if not polls:
        return Progress.IDLE
    answered_s = [poll.answered_s for poll in polls if poll.answered_s is not None]
    if len(answered_s) < len(polls):
        return Progress.POLLING
    last_s = max(answered_s)
    return (
        Progress.STOPPED if now_s - last_s >= SILENCE_INTERVALS * interval_s + SILENCE_S else Progress.POLLING
    )


def _end(case: Case, call: CallRecord) -> Poll | None:
    """Return the poll whose answer ended the task, None before it."""
    return next((poll for poll in case.polls(call) if case.is_terminal(poll)), None)


def _find(requirement: Requirement, case: Case, call: CallRecord, progress: Progress) -> Finding | None:
    """Return what the journal says about a requirement, None where it says nothing, or not yet."""
    if requirement.level is Level.INFO or requirement.applies_to.model_dump(exclude_none=True):
        return None
    check = checks()[requirement.check]
    option = requirement.with_.get("option")
    wait = call.call.wait
    assert wait is not None
    match requirement.check:
        case "polls_endpoint" | "polls_carry_credentials" | "one_poll_in_flight":
            return check.run(case, requirement)
        case "polls_until_terminal":
            return _until_terminal(case, call, progress)
        case "no_poll_after_outcome":
            finding = check.run(case, requirement)
            if finding.mark is Mark.KEPT:  # by a check that expects to know when the call ended
                is_known = _end(case, call) is not None and progress is Progress.DONE
                return (
                    kept(finding.expected, "none after the answer that ended the task") if is_known else None
                )
            return finding
        case "interval_kept":
            is_meant = (wait.poll_interval is not None) == (option == "passed")
            return regularity(case, call) if is_meant else None
        case "gives_up_after_polls":
            is_meant = (wait.max_polls is not None) == (option == "passed")
            most = int(requirement.with_.get("or_more", 0)) if is_meant else None
            return None if most is None else _polls_limit(case, call, progress, most)
        case "timeout_kept":
            is_meant = (wait.timeout is not None) == (option == "passed")
            return _last_poll(case, call, progress) if is_meant else None
        case _:
            return None


def _until_terminal(case: Case, call: CallRecord, progress: Progress) -> Finding | None:
    expected = "polls until the task is done"
    polls = case.polls(call)
    ended = _end(case, call)
    if ended is not None:
        return kept(expected, f"{plural(len(polls), 'poll')}, the last answered {ended.status}")
    if progress is not Progress.STOPPED or not polls:
        return None
    limit = call.polls_limit(case.contract)
    if limit is not None and len(polls) >= limit:
        return None  # the helper gave up as documented
    if polls[-1].arrived_s - call.sent_s >= _earliest_last_s(case, call):
        return None  # the deadline had come
    if any(case.scenario.task[poll.step].fault for poll in polls):
        return None  # whether a fault ends the wait is not this requirement's business
    return broken(
        expected,
        f"{plural(len(polls), 'poll')} in {seconds(polls[-1].arrived_s - call.sent_s)}, the last answered "
        f"{polls[-1].status}, and then none: the task was not done, and {_time_left(case, call)}",
    )


def _time_left(case: Case, call: CallRecord) -> str:
    timeout_s, limit = call.timeout_s(case.contract), call.polls_limit(case.contract)
    if timeout_s < NO_TIMEOUT_S:
        return f"the timeout of {seconds(timeout_s)} had not passed"
    return "a wait has no limit" if limit is None else f"the limit is {plural(limit, 'poll')}"


def _polls_limit(case: Case, call: CallRecord, progress: Progress, more: int) -> Finding | None:
    limit = call.polls_limit(case.contract)
    polls = [poll for poll in case.polls(call) if not case.is_terminal(poll)]
    if limit is None:
        return None
    expected = f"{plural(limit, 'poll')} at most" if not more else f"{limit} to {limit + more} polls at most"
    if len(polls) > limit + more:
        return broken(expected, f"{plural(len(polls), 'poll')} so far")
    if progress is not Progress.STOPPED or len(polls) < limit:
        return None
    return kept(expected, f"{plural(len(polls), 'poll')}, and then none came")


def _earliest_last_s(case: Case, call: CallRecord) -> float:
    """Return when the last poll may come at the earliest, in seconds after the first.

    The timeout may come an interval early by the contract's own tolerance, the last poll an interval before
    it, and the first may have waited an interval.
    """
    return call.timeout_s(case.contract) - 3 * call.interval_s(case.contract) - EARLY_SLACK_S


def _last_poll(case: Case, call: CallRecord, progress: Progress) -> Finding | None:
    timeout_s, interval_s = call.timeout_s(case.contract), call.interval_s(case.contract)
    expected = f"a last poll at the timeout of {seconds(timeout_s)}"
    polls = [poll for poll in case.polls(call) if not case.is_terminal(poll)]
    if not polls:
        return None
    last_s = polls[-1].arrived_s - call.sent_s
    high_s = timeout_s + interval_s + stalled_s(case, call) + LATE_SLACK_S
    seen = f"the last poll came {seconds(last_s)} after the first"
    if last_s > high_s:
        return suspect(f"{expected}: {seconds(high_s)} or less", seen, excess_s=last_s - high_s)
    if progress is not Progress.STOPPED or any(_ends(case)):
        return None
    low_s = _earliest_last_s(case, call)
    if last_s < low_s:
        return broken(f"{expected}: {seconds(low_s)} or more", f"{seen}, and then none came")
    return kept(expected, f"{seen}, and then none came")


def _ends(case: Case) -> Iterator[bool]:
    """Yield for each step of the task whether it could end the wait."""
    return (case.contract.ends_the_wait(step.status) or step.fault is not None for step in case.scenario.task)
