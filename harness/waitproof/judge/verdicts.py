"""Findings into verdicts: levels, suspicions and their runs alone, and what makes a finding impossible.

`judge` is the whole of the judgement: a contract, a scenario and what was seen of it go in, a verdict
for each requirement that the scenario proves comes out. It is pure; whoever ran the scenario asks
`is_suspicious` whether it should be run again alone.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from waitproof.judge.check import Case, Check, Finding, Mark, checks
from waitproof.judge.journal import Ended
from waitproof.judge.machine import interferences
from waitproof.judge.observation import CallRecord, NoAnswer, Observation, Poll
from waitproof.judge.words import cut, describe, seconds, timeline_line
from waitproof.protocol import AdapterFault, ExceptionKind, Hello, Raised, Returned, Unsupported
from waitproof.suite.contract import Contract, Level, Requirement
from waitproof.suite.scenario import Scenario

__all__ = ["MAX_RUNS_ALONE", "Status", "Verdict", "is_suspicious", "judge", "status_of", "unplayed"]

WITNESS_SLACK_S = 0.020  # two stamps of one moment, taken in two processes of a busy machine
MAX_MESSAGE = 4_000  # characters of what an adapter says of itself: its last lines on stderr fit in
RUNS_ALONE = 2  # exceeded once and twice more is a fact; in between nobody knows
MAX_RUNS_ALONE = 4  # where it was never exceeded by the same: an SDK's lateness is, a machine's is not
SAME_SLACK_S = 0.020  # what else differs between two runs of an SDK that does the same


class Status(StrEnum):
    """What became of one requirement in one scenario."""

    PASS = "PASS"  # noqa: S105 - a verdict, no password
    FAIL = "FAIL"
    WARN = "WARN"
    INFO = "INFO"
    INCONCLUSIVE = "INCONCLUSIVE"
    UNSUPPORTED = "UNSUPPORTED"
    NOT_APPLICABLE = "NOT_APPLICABLE"
    ERROR = "ERROR"


@dataclass(frozen=True)
class Verdict:
    """One requirement, judged in one scenario.

    Attributes:
        scenario: The scenario's id.
        expected: What the requirement asks for here.
        seen: What was seen instead, or the behaviour on record.
        explanation: More about the difference, or how it was settled; "" when there is no more to say.
        timeline: The polls of the call in question as one line, "" where there are none.
        alone_runs: How often the scenario was run again alone to settle this verdict.
        excused: The reason that a baseline gives for it, "" when none does.
        link: Where the baseline says more, "" when it does not.
    """

    scenario: str
    requirement: str
    level: Level
    status: Status
    expected: str = ""
    seen: str = ""
    explanation: str = ""
    timeline: str = ""
    alone_runs: int = 0
    excused: str = ""
    link: str = ""


def judge(
    contract: Contract,
    scenario: Scenario,
    observations: Sequence[Observation],
    *,
    known: Collection[str] = (),
) -> tuple[Verdict, ...]:
    """Return a verdict for each requirement that the scenario proves, in the scenario's order.

    Args:
        contract: The documentation.
        scenario: What was played.
        observations: The run, and after it the runs alone that a suspicion led to; never empty.
        known: Requirements whose deviation is known: a suspicion that it is there needs no run alone.
    """
    return tuple(
        _settle(
            contract.requirement(name),
            scenario,
            [_case(contract, scenario, seen) for seen in observations],
            is_known=name in known,
        )
        for name in scenario.proves
    )


def is_suspicious(
    contract: Contract,
    scenario: Scenario,
    observations: Sequence[Observation],
    *,
    known: Collection[str] = (),
) -> bool:
    """Say whether another run alone would settle something that these observations leave open."""
    cases = [_case(contract, scenario, seen) for seen in observations]
    for name in scenario.proves:
        requirement = contract.requirement(name)
        findings = _deciding(requirement, cases)
        is_final = _is_final(requirement, findings[0], is_known=name in known)
        if not is_final and not _is_decided(findings):
            return True
    return False


def unplayed(
    contract: Contract, scenario: Scenario, status: Status, reason: str, hello: Hello | None = None
) -> tuple[Verdict, ...]:
    """Return the same verdict for all that a scenario proves about an SDK, because it could not be played.

    Args:
        contract: The documentation.
        scenario: What was not played.
        status: ERROR where an adapter or the harness is at fault, UNSUPPORTED where the SDK cannot do it.
        reason: Why, for whoever reads the report.
        hello: The adapter's introduction, where it came so far: it tells what does not apply.
    """
    verdicts = []
    for requirement in (contract.requirement(name) for name in scenario.proves):
        foreign = "" if hello is None else _is_foreign(requirement, hello)
        shown = Status.NOT_APPLICABLE if foreign else status
        verdicts.append(_verdict(requirement, scenario, shown, Finding(Mark.ERROR, seen=foreign or reason)))
    return tuple(verdicts)


def _case(contract: Contract, scenario: Scenario, observation: Observation) -> Case:
    return Case(contract, scenario, observation)


def _settle(
    requirement: Requirement, scenario: Scenario, cases: Sequence[Case], *, is_known: bool
) -> Verdict:
    findings = _deciding(requirement, cases)
    first, last, number = findings[0], findings[-1], len(findings) - 1
    if _is_final(requirement, first, is_known=is_known):
        told = first
        if not _is_final(requirement, first):
            told = _with_note(first, "a known deviation, so it was not played again alone")
        return _verdict(requirement, scenario, status_of(requirement, first.mark), told, cases[0])
    cases = cases[: len(findings)]
    if not _is_decided(findings):
        told = _with_note(first, f"not settled by a run alone; {_lag(cases)}")
        return _verdict(requirement, scenario, Status.INCONCLUSIVE, told, cases[0], alone_runs=number)
    if last.mark is Mark.KEPT:
        return _kept_alone(requirement, scenario, first, last, cases)
    if last.mark is not Mark.SUSPECT:
        told = _with_note(last, "seen when run alone")
        return _verdict(
            requirement, scenario, status_of(requirement, last.mark), told, cases[-1], alone_runs=number
        )
    if len({finding.settles for finding in findings}) > 1:
        told = _with_note(last, f"something else in each of {number} runs alone; {_lag(cases)}")
        return _verdict(requirement, scenario, Status.INCONCLUSIVE, told, cases[-1], alone_runs=number)
    again = f"seen again in {number} runs alone"
    if _machine_explains(findings, cases):
        told = _with_note(last, f"{again}, but {_lag(cases)}: as late as that")
        return _verdict(requirement, scenario, Status.INCONCLUSIVE, told, cases[-1], alone_runs=number)
    status = status_of(requirement, last.settles)
    return _verdict(requirement, scenario, status, _with_note(last, again), cases[-1], alone_runs=number)


def _deciding(requirement: Requirement, cases: Sequence[Case]) -> list[Finding]:
    """Return what was found, run by run, up to the one that decides."""
    findings: list[Finding] = []
    for case in cases:
        findings.append(_find(requirement, case))
        if _is_decided(findings):
            break
    return findings


def _is_decided(findings: Sequence[Finding]) -> bool:
    """Say whether no run alone would change what these come to."""
    return findings[-1].mark is not Mark.SUSPECT or len(findings) > _runs_needed(findings)


def _is_final(requirement: Requirement, finding: Finding, *, is_known: bool = False) -> bool:
    """Say whether no run alone is needed after a finding.

    What a requirement puts on record stays as it was seen first, and a suspicion of a known deviation is
    believed; but what would be an adapter's mistake is nothing of the SDK's.
    """
    if finding.mark is not Mark.SUSPECT:
        return True
    return finding.settles is Mark.BROKEN and (is_known or requirement.level is Level.INFO)


def _runs_needed(findings: Sequence[Finding]) -> int:
    """Return how many runs alone suspicions need to become a fact."""
    missed_s = [finding.missed_s for finding in findings]
    if min(missed_s) == math.inf or max(missed_s) - min(missed_s) <= SAME_SLACK_S:
        return RUNS_ALONE
    return MAX_RUNS_ALONE


def _machine_explains(findings: Sequence[Finding], cases: Sequence[Case]) -> bool:
    """Say whether in each run the server's own process woke as late as the SDK missed its bound."""
    return all(
        finding.excess_s <= case.observation.lag_s for finding, case in zip(findings, cases, strict=True)
    )


def _kept_alone(
    requirement: Requirement, scenario: Scenario, first: Finding, again: Finding, cases: Sequence[Case]
) -> Verdict:
    *exceeded, alone = cases
    if first.is_extreme:
        told = _with_note(first, f"kept when run alone, but a busy machine takes less time; {_lag(exceeded)}")
        number = len(exceeded)
        return _verdict(requirement, scenario, Status.INCONCLUSIVE, told, exceeded[0], alone_runs=number)
    if len(exceeded) == 1:
        told = _with_note(again, f"kept when run alone; at first {first.seen} ({_lag(exceeded)})")
        return _verdict(requirement, scenario, status_of(requirement, again.mark), told, alone, alone_runs=1)
    times = "twice" if len(exceeded) == RUNS_ALONE else f"{len(exceeded)} times"
    told = _with_note(first, f"seen {times}, and once not; {_lag(exceeded)}")
    return _verdict(requirement, scenario, Status.INCONCLUSIVE, told, exceeded[0], alone_runs=len(exceeded))


def _with_note(finding: Finding, note: str) -> Finding:
    explanation = f"{finding.explanation}; {note}" if finding.explanation else note
    return replace(finding, explanation=explanation)


def _lag(cases: Sequence[Case]) -> str:
    worst_s = max(case.observation.lag_s for case in cases)
    return f"the server's clock overslept by {seconds(worst_s)} at worst"


def status_of(requirement: Requirement, mark: Mark) -> Status:
    """Return what a finding comes to at the requirement's level; a suspicion counts as a fact."""
    if requirement.level is Level.INFO and mark in {Mark.KEPT, Mark.BROKEN, Mark.SUSPECT}:
        return Status.INFO  # recorded, never judged, whatever the check
    match mark:
        case Mark.KEPT:
            return Status.PASS
        case Mark.BROKEN | Mark.SUSPECT:
            return Status.FAIL if requirement.level is Level.MUST else Status.WARN
        case Mark.RECORDED:
            return Status.INFO
        case Mark.UNSUPPORTED:
            return Status.UNSUPPORTED
        case Mark.NOT_APPLICABLE:
            return Status.NOT_APPLICABLE
        case Mark.ERROR:
            return Status.ERROR


def _verdict(
    requirement: Requirement,
    scenario: Scenario,
    status: Status,
    finding: Finding,
    case: Case | None = None,
    *,
    alone_runs: int = 0,
) -> Verdict:
    return Verdict(
        scenario=scenario.id,
        requirement=requirement.id,
        level=requirement.level,
        status=status,
        expected=finding.expected,
        seen=finding.seen,
        explanation=finding.explanation,
        timeline="" if case is None else _timeline(case),
        alone_runs=alone_runs,
    )


def _timeline(case: Case) -> str:
    """Return the polls of the first wait, else of the first look by hand, as one line; "" for neither."""
    looks = (call for call in case.observation.calls if call.call.get_task is not None)
    call = next(case.waits(), None) or next(looks, None)
    return "" if call is None else timeline_line(case.observation.requests_of(call))


def _is_foreign(requirement: Requirement, hello: Hello) -> str:
    """Return which SDKs a requirement is about, where this is none of them, else ""."""
    wanted = requirement.applies_to
    if wanted.language is not None and wanted.language.casefold() != hello.language.casefold():
        return f"only for {wanted.language}"
    if wanted.non_blocking is not None and wanted.non_blocking != hello.capabilities.non_blocking:
        return f"only for an SDK's {'asynchronous' if wanted.non_blocking else 'blocking'} variant"
    return ""


def _find(requirement: Requirement, case: Case) -> Finding:
    """Judge one case, after what stands in the way of any judgement."""
    observation = case.observation
    foreign = _is_foreign(requirement, observation.hello)
    if foreign:
        return Finding(Mark.NOT_APPLICABLE, seen=foreign)
    check = checks()[requirement.check]
    arguments = check.arguments.model_validate(requirement.with_, strict=False)
    if not check.lacks(case, arguments):
        for call in observation.calls:
            if isinstance(call.seen, AdapterFault | NoAnswer):
                return Finding(Mark.ERROR, seen=cut(call.seen.message, MAX_MESSAGE))
            if isinstance(call.seen, Unsupported):
                return Finding(Mark.UNSUPPORTED, seen=cut(call.seen.reason, MAX_MESSAGE))
            conflict = _overstated(call) or _guessed(case, call)
            if conflict:
                return Finding(Mark.ERROR, seen=conflict)
            finding = _understated(case, call)
            if finding is not None:
                return finding
    finding = check.run(case, requirement)
    if finding.mark is not Mark.BROKEN or check.timed:
        return finding
    return _unless_interfered(check, requirement, case, finding)


def _unless_interfered(check: Check, requirement: Requirement, case: Case, broken: Finding) -> Finding:
    """Return a broken promise as a suspicion where the machine may have broken it.

    What the machine did to one of some copies excuses that one alone.
    """
    found = interferences(case)
    if not found:
        return broken
    copies = {each.call.copy for each in found}
    calls = tuple(call for call in case.observation.calls if call.copy not in copies)
    if any(call.call.wait is not None for call in calls):
        of_others = check.run(replace(case, observation=replace(case.observation, calls=calls)), requirement)
        if of_others.mark is Mark.BROKEN:
            return of_others
    return replace(broken, mark=Mark.SUSPECT, is_extreme=any(each.is_extreme for each in found))


def _overstated(call: CallRecord) -> str:
    """Return how much longer an adapter says that a call took than anybody waited for it, "" otherwise."""
    if call.elapsed_s is None or call.received_s is None:
        return ""
    harness_s = call.received_s - call.sent_s
    if call.elapsed_s <= harness_s + WITNESS_SLACK_S:
        return ""
    return (
        f"the adapter says that the call took {seconds(call.elapsed_s)}, "
        f"the harness had its answer after {seconds(harness_s)}"
    )


def _understated(case: Case, call: CallRecord) -> Finding | None:
    """Return how much longer a call's polls came than its adapter says that it took, None otherwise."""
    if call.elapsed_s is None or call.received_s is None:
        return None
    polls = [poll for poll in case.observation.requests_of(call) if poll.arrived_s <= call.received_s]
    if not polls:
        return None
    span_s = _span_s(case, call, polls)
    if call.elapsed_s >= span_s - WITNESS_SLACK_S:
        return None
    seen = (
        f"the adapter says that the call took {seconds(call.elapsed_s)}, "
        f"the server saw its polls over {seconds(span_s)}"
    )
    # A wait that gives up does not wait for a poll in flight, which a busy server can read long afterwards.
    awaited = [
        before
        for before, after in itertools.pairwise(polls)
        if before.answered_s is not None and before.answered_s <= after.arrived_s
    ]
    if awaited and call.elapsed_s < _span_s(case, call, awaited) - WITNESS_SLACK_S:
        return Finding(Mark.ERROR, seen=seen)
    return Finding(Mark.SUSPECT, seen=seen, settles=Mark.ERROR)


def _span_s(case: Case, call: CallRecord, polls: Sequence[Poll]) -> float:
    """Return over how long the server saw polls.

    An arrival is stamped before its answer can be read, an answer's last byte perhaps only after that: by as
    much as the server's process was late, which its lag meter saw.
    """
    lasts = [poll.arrived_s for poll in polls]
    lasts += [
        poll.answered_s - case.observation.lag_s
        for poll in polls
        if poll.ended is Ended.ANSWERED
        and poll.answered_s is not None
        and call.received_s is not None
        and poll.answered_s <= call.received_s
    ]
    return max(lasts) - polls[0].arrived_s


def _guessed(case: Case, call: CallRecord) -> str:
    """Return what an adapter reports that nobody can know who has not asked the server, "" otherwise.

    Whatever was asked before will do, by an earlier call or for another copy's task: an SDK that answers
    from a cache, or that mixes its callers up, has a defect of its own.
    """
    until_s = float("inf") if call.received_s is None else call.received_s
    requests = (request for task in case.observation.tasks for request in (*task.polls, *task.others))
    asked = any(request.arrived_s <= until_s for request in requests)
    knows = isinstance(call.seen, Returned) or (
        isinstance(call.seen, Raised) and call.seen.kind is ExceptionKind.TASK
    )
    if call.call.begin is None and knows and not asked:
        return f"the call {describe(call.seen)}, but the server saw no request"
    return ""
