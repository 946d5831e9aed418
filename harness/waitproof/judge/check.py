"""What a check sees, what it says, and how it is found by its kind.

A check is a pure function of a `Case` and its arguments that returns a `Finding`; `kind` registers it
under the name that contracts use. Which verdict a finding becomes is `verdicts`' business.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, TypeAlias, TypeVar

from waitproof.journal import Ended
from waitproof.judge.observation import CallRecord, Observation, Poll, Seen, StillWaiting
from waitproof.judge.words import describe
from waitproof.protocol import Capabilities, Raised
from waitproof.suite import Contract, Model, Requirement, Scenario, register_check

__all__ = [
    "ACCUSES_NOBODY",
    "EXCUSES_ALL",
    "Case",
    "Check",
    "Finding",
    "Mark",
    "NoArguments",
    "broken",
    "checks",
    "kept",
    "kind",
    "recorded",
    "suspect",
]

ACCUSES_NOBODY = "nothing: what it sees goes on record"
EXCUSES_ALL = "everything: it belongs to requirements of the level INFO"


class Mark(StrEnum):
    """What a check found."""

    KEPT = "kept"
    BROKEN = "broken"
    SUSPECT = "suspect"  # a fact that the machine may have caused: reproduced in isolation, or not
    RECORDED = "recorded"
    UNSUPPORTED = "unsupported"
    NOT_APPLICABLE = "not_applicable"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """What a check found, in words for the person who maintains the SDK.

    Attributes:
        excess_s: For a suspicion: by how many seconds one event missed its bound, so that a machine which
            was as late as that itself can be told from an SDK; infinite where no single event did.
        missed_s: For a suspicion: by how many seconds a bound was missed, by one event or by a median of
            many, so that one run can be held against another; infinite where no time did.
        settles: For a suspicion: what it becomes when each isolated re-run reproduces it.
        is_extreme: For a suspicion: if no isolated re-run reproduces it, the cause stays unknown.
        is_of_pauses: For a suspicion: the wait's pauses were too long, and if that was the SDK's doing, it
            explains this, too.
    """

    mark: Mark
    expected: str = ""
    seen: str = ""
    explanation: str = ""
    excess_s: float = math.inf
    missed_s: float = math.inf
    settles: Mark = Mark.BROKEN
    is_extreme: bool = False
    is_of_pauses: bool = False

    @property
    def is_doubt(self) -> bool:
        """Whether a suspicion only asks for a re-run, because any machine explains it."""
        return self.excess_s == 0


def kept(expected: str = "", seen: str = "") -> Finding:
    """Return that the promise was kept."""
    return Finding(Mark.KEPT, expected, seen)


def broken(expected: str, seen: str, explanation: str = "") -> Finding:
    """Return that the promise was not kept; whether a machine can have caused that is not asked here.

    A check of time returns it only where none can; for the others `machine` looks at the whole scenario.
    """
    return Finding(Mark.BROKEN, expected, seen, explanation)


def suspect(expected: str, seen: str, *, excess_s: float = math.inf, missed_s: float = math.inf) -> Finding:
    """Return that the promise seems not kept, but that a busy machine could look the same.

    Args:
        expected: What the requirement asks for here.
        seen: What was seen instead.
        excess_s: By how much one event missed its bound; it is what was missed, too.
        missed_s: By how much something else than one event missed its bound.
    """
    return Finding(Mark.SUSPECT, expected, seen, excess_s=excess_s, missed_s=min(excess_s, missed_s))


def recorded(seen: str) -> Finding:
    """Return a behavior that goes on record and is never judged."""
    return Finding(Mark.RECORDED, seen=seen)


@dataclass(frozen=True)
class Case:
    """One scenario as one SDK played it."""

    contract: Contract
    scenario: Scenario
    observation: Observation

    @property
    def capabilities(self) -> Capabilities:
        """What the SDK says it can do."""
        return self.observation.hello.capabilities

    def waits(self) -> Iterator[CallRecord]:
        """Yield the calls of the wait helper."""
        return self.observation.waits()

    def polls(self, call: CallRecord) -> tuple[Poll, ...]:
        """Return a wait's polls up to the first that answered a terminal status, without repeats.

        What comes after it is `no_poll_after_outcome`'s business alone, so that one defect is one verdict.
        """
        needed = []
        for poll in self.observation.polls_of(call):
            needed.append(poll)
            if self.is_terminal(poll):
                break
        return tuple(needed)

    def end_of(self, call: CallRecord) -> Poll | None:
        """Return the poll whose answer ended a wait's task, None where none did."""
        polls = self.polls(call)
        return polls[-1] if polls and self.is_terminal(polls[-1]) else None

    def is_terminal(self, poll: Poll) -> bool:
        """Say whether a poll was answered with a status that ends the wait."""
        if poll.ended is Ended.ABANDONED:  # the client left before its answer, and has not seen it
            return False
        return self.contract.ends_the_wait(self.scenario.task[poll.step].status)

    def fits_timeout(self, seen: Seen) -> bool:
        """Say whether a call raised what may be its timeout's exception, as far as kind and type show."""
        promise, language = self.contract.timeout, self.observation.hello.language
        return isinstance(seen, Raised) and promise.fits(seen.kind.value, seen.type, language)

    @property
    def none_made(self) -> str:
        """Why there is no call to judge: the play ends at a call that has no answer."""
        last = self.observation.calls[-1].seen if self.observation.calls else None
        if isinstance(last, StillWaiting):
            return f"it was not made: the call before it {describe(last)}"
        return "no call was made"


class NoArguments(Model):
    """The arguments of a check that has none."""

    noun: ClassVar[str] = "check's arguments"


CheckFunction: TypeAlias = Callable[[Case, Any], Finding]
_F = TypeVar("_F", bound=CheckFunction)


@dataclass(frozen=True)
class Check:
    """A registered check.

    Attributes:
        kind: Its name in contracts.
        function: Judges a case.
        arguments: The model of what a requirement writes under `with`.
        reads: Which parts of an expectation it reads: `returns`, `raises`, `task`, `cancelled`, `polls`.
        timed: Its finding depends on time, so that its scenarios must not share a process with heavy ones.
        watches: It needs to see what comes after the outcome.
        ends: It needs to see how the process ends, so its scenarios are not played beside others.
        lacks: Returns the capability that the requirement is about and that the SDK says it lacks, or "".
        accuses: What breaks the promise, for the author of a suite.
        excuses: What does not, although it may look so.
    """

    kind: str
    function: CheckFunction
    arguments: type[Model]
    reads: tuple[str, ...]
    timed: bool
    watches: bool
    ends: bool
    lacks: Callable[[Case, Any], str]
    accuses: str = ""
    excuses: str = ""

    @property
    def sentence(self) -> str:
        """What it looks for, in one sentence."""
        return (self.function.__doc__ or "").partition("\n\n")[0].strip()

    def run(self, case: Case, requirement: Requirement) -> Finding:
        """Judge `case`; the loader has checked the arguments."""
        arguments = self.arguments.model_validate(requirement.with_, strict=False)
        missing = self.lacks(case, arguments)
        if missing:
            expected = f"an SDK with the documented {missing}, and an adapter whose hello says so"
            return broken(expected, f"the SDK has no {missing}")
        return self.function(case, arguments)


_CHECKS: dict[str, Check] = {}


def kind(
    name: str,
    *,
    arguments: type[Model] = NoArguments,
    reads: Sequence[str] = (),
    timed: bool = False,
    watches: bool = False,
    ends: bool = False,
    lacks: Callable[[Case, Any], str] = lambda _case, _arguments: "",
    accuses: str = "",
    excuses: str = "",
) -> Callable[[_F], _F]:
    """Register a check under its kind; its function's docstring begins with what it looks for."""

    def register(function: _F) -> _F:
        check = Check(name, function, arguments, tuple(reads), timed, watches, ends, lacks, accuses, excuses)
        _CHECKS[name] = register_check(check)
        return function

    return register


def checks() -> dict[str, Check]:
    """Return all checks by kind."""
    return dict(sorted(_CHECKS.items()))
