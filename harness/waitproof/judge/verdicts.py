"""Findings into verdicts: levels, suspicions and their re-runs, and what makes a finding impossible.

`judge` is the whole of the judgement: a contract, a scenario and what was seen of it go in, a verdict for
each requirement that the scenario proves comes out. It is pure; `suspicions` says what a scenario should be
re-run in isolation for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from waitproof.judge.check import Case, Check, Finding, Mark, checks
from waitproof.judge.clients import second_client
from waitproof.judge.concerns import foreign_to
from waitproof.judge.follows import explaining, following
from waitproof.judge.machine import interferences
from waitproof.judge.observation import CallRecord, NoAnswer, Observation, StillWaiting
from waitproof.judge.refusals import made_anyway
from waitproof.judge.settle import RULES, Ruling, Settlement, is_decided, settle
from waitproof.judge.witnesses import contradiction
from waitproof.judge.words import cut, listed, seconds, timeline_line
from waitproof.protocol import AdapterFault, Hello, Unsupported
from waitproof.suite import Contract, Level, Requirement, Scenario

__all__ = [
    "Status",
    "Suspicion",
    "Verdict",
    "is_suspicious",
    "judge",
    "status_of",
    "suspicions",
    "unplayed",
]

MAX_MESSAGE = 4_000  # characters of an adapter's own message: its last lines on stderr fit


class Status(StrEnum):
    """What became of one requirement in one scenario."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
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
        seen: What was seen instead, or the behavior on record.
        explanation: More about the difference, or how it was settled; "" when there is no more to say.
        timeline: The polls of the call in question as one line, "" where there are none.
        alone_runs: How often the scenario was re-run in isolation to settle this verdict.
        excused: The reason that a baseline gives for it, "" when none does.
        link: Where the baseline says more, "" when it does not.
        follows_from: The requirement of the same scenario whose failure causes this one, "" for none.
        polls: How many polls the timeline shows.
        took_s: How long the call in question took, or was waited for in vain; None where nobody knows.
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
    follows_from: str = ""
    polls: int = 0
    took_s: float | None = None


@dataclass(frozen=True)
class Suspicion:
    """A first finding that a busy machine could have caused, and what its re-runs come to.

    Attributes:
        settles: What it becomes when each re-run reproduces it.
        settlement: What it comes to so far.
        is_explained: The machine was late by as much in the first run.
        cause: The requirement of the same scenario that explains it once that has failed, "" for none.
    """

    settles: Mark
    settlement: Settlement
    is_explained: bool
    cause: str = ""


def judge(
    contract: Contract,
    scenario: Scenario,
    observations: Sequence[Observation],
    *,
    known: Collection[str] = (),
    rulings: Mapping[str, Ruling] | None = None,
) -> tuple[Verdict, ...]:
    """Return a verdict for each requirement that the scenario proves, in the scenario's order.

    Args:
        contract: The documentation.
        scenario: What was played.
        observations: The run, then the isolated re-runs that a suspicion led to; never empty.
        known: Requirements with a known deviation: a suspicion that confirms it needs no re-run.
        rulings: What the same suspicions in other scenarios have decided here, by requirement.
    """
    verdicts = tuple(
        _settle(
            contract.requirement(name),
            scenario,
            [_case(contract, scenario, seen) for seen in observations],
            is_known=name in known,
            ruling=(rulings or {}).get(name),
        )
        for name in scenario.proves
    )
    failed = {each.requirement: each.seen for each in verdicts if each.status in {Status.FAIL, Status.WARN}}
    follows = following(contract, failed, observations)
    return tuple(replace(each, follows_from=follows.get(each.requirement, "")) for each in verdicts)


def suspicions(
    contract: Contract,
    scenario: Scenario,
    observations: Sequence[Observation],
    *,
    known: Collection[str] = (),
) -> dict[str, Suspicion]:
    """Return by requirement what was suspicious in the first of these observations."""
    cases = [_case(contract, scenario, seen) for seen in observations]
    of_all = {name: _deciding(contract.requirement(name), cases) for name in scenario.proves}
    # A suspicion that is believed only because it is known has not been held against any re-run.
    unknown = {
        name: findings[0]
        for name, findings in of_all.items()
        if name not in known or findings[0].mark is not Mark.SUSPECT
    }
    causes = explaining(contract, unknown, observations[0])
    found = {}
    for name, findings in of_all.items():
        first = findings[0]
        if not _is_final(contract.requirement(name), first, is_known=name in known):
            settlement = _settlement(findings, cases[: len(findings)], is_final=False, is_known=False)
            is_explained = first.excess_s <= cases[0].observation.lag_s
            found[name] = Suspicion(first.settles, settlement, is_explained, causes.get(name, ""))
    return found


def _late_s(case: Case) -> float:
    return max(case.observation.lag_s, case.observation.starved_s)


def _settlement(
    findings: Sequence[Finding], cases: Sequence[Case], *, is_final: bool, is_known: bool
) -> Settlement:
    observations = [case.observation for case in cases]
    return settle(
        findings,
        [each.lag_s for each in observations],
        [each.starved_s for each in observations],
        is_final=is_final,
        is_known=is_known,
    )


def is_suspicious(
    contract: Contract,
    scenario: Scenario,
    observations: Sequence[Observation],
    *,
    known: Collection[str] = (),
) -> bool:
    """Return True if another isolated re-run could settle something that these observations leave open."""
    found = suspicions(contract, scenario, observations, known=known)
    return any(each.settlement is Settlement.OPEN for each in found.values())


def unplayed(
    contract: Contract, scenario: Scenario, status: Status, reason: str, hello: Hello | None = None
) -> tuple[Verdict, ...]:
    """Return the same verdict for everything that a scenario proves, because it could not be played.

    Args:
        contract: The documentation.
        scenario: What was not played.
        status: ERROR where an adapter or the harness is at fault, UNSUPPORTED where the SDK cannot do it.
        reason: Why, for the reader of the report.
        hello: The adapter's introduction if there was one: it decides what does not apply.
    """
    verdicts = []
    for requirement in (contract.requirement(name) for name in scenario.proves):
        foreign = "" if hello is None else foreign_to(requirement, hello)
        shown = Status.NOT_APPLICABLE if foreign else status
        verdicts.append(_verdict(requirement, scenario, shown, Finding(Mark.ERROR, seen=foreign or reason)))
    return tuple(verdicts)


def _case(contract: Contract, scenario: Scenario, observation: Observation) -> Case:
    return Case(contract.varied(scenario.variant), scenario, observation)


def _settle(
    requirement: Requirement,
    scenario: Scenario,
    cases: Sequence[Case],
    *,
    is_known: bool,
    ruling: Ruling | None,
) -> Verdict:
    findings = _deciding(requirement, cases)
    cases = cases[: len(findings)]
    settlement = _settlement(
        findings,
        cases,
        is_final=_is_final(requirement, findings[0]),
        is_known=_is_final(requirement, findings[0], is_known=is_known),
    )
    if ruling is not None:
        settlement = ruling.settlement
    rule = RULES[settlement]
    finding = findings[rule.shows]
    status = status_of(requirement, finding.settles if finding.mark is Mark.SUSPECT else finding.mark)
    if rule.is_inconclusive:
        status = Status.INCONCLUSIVE
    note = rule.note.format(
        number=len(findings) - 1,
        times="twice" if len(findings) == 3 else f"{len(findings) - 1} times",
        first=findings[0].seen,
        suspicious="" if ruling is None else ruling.suspicious,
        scenarios="" if ruling is None else listed(ruling.scenarios),
        cause="" if ruling is None else ruling.cause,
        delay=f"worst scheduling delay: {seconds(max(map(_late_s, rule.measured(cases))))}",
    )
    return _verdict(
        requirement,
        scenario,
        status,
        replace(finding, explanation="; ".join(text for text in (finding.explanation, note) if text)),
        cases[rule.shows],
        alone_runs=0 if settlement in {Settlement.FINAL, Settlement.KNOWN} else len(findings) - 1,
    )


def _deciding(requirement: Requirement, cases: Sequence[Case]) -> list[Finding]:
    """Return what was found, run by run, up to the one that decides."""
    findings: list[Finding] = []
    for case in cases:
        findings.append(_find(requirement, case))
        if is_decided(findings):
            break
    return findings


def _is_final(requirement: Requirement, finding: Finding, *, is_known: bool = False) -> bool:
    """Return True if no re-run is needed after a first finding.

    What a requirement records stays as it was seen first, and a suspicion that confirms a known deviation is
    believed; but a suspected mistake of the adapter says nothing about the SDK, and a suspicion that any
    machine explains only asks for a re-run.
    """
    if finding.mark is not Mark.SUSPECT:
        return True
    confirms = is_known and finding.excess_s > 0
    return finding.settles is Mark.BROKEN and (confirms or requirement.level is Level.INFO)


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
    call = None if case is None else _shown_call(case)
    polls = () if case is None or call is None else case.observation.requests_of(call)
    return Verdict(
        scenario=scenario.id,
        requirement=requirement.id,
        level=requirement.level,
        status=status,
        expected=finding.expected,
        seen=finding.seen,
        explanation=finding.explanation,
        timeline="" if call is None else timeline_line(polls, call.sent_s),
        polls=len(polls),
        took_s=None if call is None else _took_s(call),
        alone_runs=alone_runs,
    )


def _shown_call(case: Case) -> CallRecord | None:
    """Return the first wait, else the first look by hand, None for neither."""
    looks = (call for call in case.observation.calls if call.call.get_task is not None)
    return next(case.waits(), None) or next(looks, None)


def _took_s(call: CallRecord) -> float | None:
    return call.seen.waited_s if isinstance(call.seen, StillWaiting) else call.took_s


def _find(requirement: Requirement, case: Case) -> Finding:
    """Judge one case, unless something rules out any judgement."""
    observation = case.observation
    foreign = foreign_to(requirement, observation.hello)
    if foreign:
        return Finding(Mark.NOT_APPLICABLE, seen=foreign)
    check = checks()[requirement.check]
    arguments = check.arguments.model_validate(requirement.with_, strict=False)
    if not check.lacks(case, arguments):
        for call in observation.calls:
            if isinstance(call.seen, AdapterFault | NoAnswer):
                return Finding(Mark.ERROR, seen=cut(call.seen.message, MAX_MESSAGE))
            if made := made_anyway(observation, call):
                return Finding(Mark.ERROR, seen=made)
            if isinstance(call.seen, Unsupported):
                return Finding(Mark.UNSUPPORTED, seen=cut(call.seen.reason, MAX_MESSAGE))
            conflict = contradiction(case, call)
            if conflict is not None:
                return conflict
    finding = check.run(case, requirement)
    if finding.mark is Mark.KEPT and (second := second_client(case)):
        return Finding(Mark.ERROR, seen=second)
    if finding.mark is not Mark.BROKEN or check.timed:
        return finding
    return _unless_interfered(check, requirement, case, finding)


def _unless_interfered(check: Check, requirement: Requirement, case: Case, broken: Finding) -> Finding:
    """Return a broken promise as a suspicion if the machine may have caused it.

    What the machine did to one of several copies excuses only that one.
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
    return replace(
        broken,
        mark=Mark.SUSPECT,
        is_extreme=any(each.is_extreme for each in found),
        is_of_pauses=all(each.is_of_pauses for each in found),
    )
