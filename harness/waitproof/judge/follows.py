"""Which failures of one scenario only follow from another one. Pure.

A call that never ends, or that ends in the wrong way, fails many requirements in the same words: no result,
no exception whose fields could be right, too few polls to have an interval. One of them is the finding, and
the others follow from it. They stay FAIL or WARN, because the promise is not kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import TypeAlias

from waitproof.judge.check import Finding, Mark
from waitproof.judge.observation import Observation, StillWaiting
from waitproof.judge.pauses import MIN_PERIODS
from waitproof.judge.words import NOTHING_RAISED, describe
from waitproof.suite import Contract, Level

__all__ = ["explaining", "following"]

# Kinds of checks that find a wrong outcome, the one that says most about its cause first.
_OF_OUTCOMES = (
    "helper_is_shipped",
    "raises_timeout",
    "fault_surfaces",
    "cancelled_soon",
    "polls_until_terminal",
    "returns_result",
    "raises_kind",
    "outcome_expected",
    "waits_are_independent",
)
# Then kinds that judge the time of an outcome, which say more than that a field or an interval is missing.
_OF_DEADLINES = ("timeout_kept", "timeout_not_late", "timeout_not_early", "deadline_bounds_stalled_poll")
_PRIMARY = (*_OF_OUTCOMES, *_OF_DEADLINES)
# Kinds that need several polls, or the one that ends the task: a wait that ended or hung too soon for them
# has nothing to judge.
_OF_POLLS = ("parameters_kept", "interval_kept", "waits_interleave", "outcome_not_late")

_OF_PAUSES = "interval_kept"  # where most pauses of a wait are too long, this kind of check finds it

_Call: TypeAlias = tuple[int, int]  # which of the scenario's calls, which copy


class _End(Enum):
    """When a call ended."""

    NEVER = auto()
    TOO_SOON = auto()  # for as many periods as an interval is judged by
    IN_TIME = auto()


def following(
    contract: Contract, failures: Mapping[str, str], observations: Sequence[Observation]
) -> Mapping[str, str]:
    """Return the requirements whose failure follows from another one's, each with that other requirement.

    Args:
        contract: The documentation.
        failures: What was seen, for each requirement that failed in one scenario.
        observations: What they were judged by.
    """
    about = {name: _calls(contract, seen, observations) for name, seen in failures.items()}
    follows: dict[str, str] = {}
    primary: list[str] = []
    for name in sorted(failures, key=lambda name: _rank(contract, name)):
        causes = (other for other in primary if about[other].keys() & about[name].keys())
        cause = next(causes, None)
        if cause is not None and _has_nothing_to_judge(contract, name, failures[name], about[name]):
            follows[name] = cause
        elif contract.requirement(name).check in _PRIMARY:
            primary.append(name)
    return follows


def explaining(
    contract: Contract, findings: Mapping[str, Finding], observation: Observation
) -> Mapping[str, str]:
    """Return the suspicions that another requirement explains once that has failed, each with that one.

    If a failure is a fact, what only follows from it needs no re-run to be one, too. A wait that times out
    late, or too soon for its last poll, is what an SDK whose pauses are too long makes of it. No requirement
    explains itself, however long the chain.

    Args:
        contract: The documentation.
        findings: What was found in the first run of one scenario, by requirement.
        observation: That run.
    """
    judged = {
        name: finding for name, finding in findings.items() if contract.requirement(name).level != Level.INFO
    }
    seen = {name: finding.seen for name, finding in judged.items() if _is_wrong(finding)}
    causes = dict(following(contract, seen, [observation]))
    about_pauses = [
        name for name in seen if contract.requirement(name).check == _OF_PAUSES and name not in causes
    ]
    for name in seen:
        if about_pauses and judged[name].is_of_pauses and name not in causes:
            causes[name] = about_pauses[0]
    return causes


def _is_wrong(finding: Finding) -> bool:
    return (finding.settles if finding.mark is Mark.SUSPECT else finding.mark) is Mark.BROKEN


def _calls(contract: Contract, seen: str, observations: Sequence[Observation]) -> Mapping[_Call, _End]:
    """Return the calls whose outcome a finding names, each with how soon it ended."""
    found: dict[_Call, _End] = {}
    for observation in observations:
        for call in observation.calls:
            if describe(call.seen) not in seen:
                continue
            enough_s = call.intervals(contract).sum_s(MIN_PERIODS)
            end = _End.NEVER if isinstance(call.seen, StillWaiting) else _End.IN_TIME
            if call.took_s is not None and call.took_s < enough_s:
                end = _End.TOO_SOON
            found[call.index, call.copy] = end
    return found


def _rank(contract: Contract, name: str) -> tuple[bool, int]:
    """Return what comes first: a MUST never follows from a SHOULD."""
    requirement = contract.requirement(name)
    place = _PRIMARY.index(requirement.check) if requirement.check in _PRIMARY else len(_PRIMARY)
    return requirement.level is not Level.MUST, place


def _has_nothing_to_judge(contract: Contract, name: str, seen: str, calls: Mapping[_Call, _End]) -> bool:
    """Say whether a finding is no more than that there was no end, no exception or no interval."""
    has_no_polls = contract.requirement(name).check in _OF_POLLS and _End.TOO_SOON in calls.values()
    return _End.NEVER in calls.values() or seen.startswith(NOTHING_RAISED) or has_no_polls
