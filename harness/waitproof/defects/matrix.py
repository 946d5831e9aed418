"""What a suite makes of a defect: one line of the kill matrix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from waitproof.defects.defect import Defect, Ending
from waitproof.judge import Status, Verdict
from waitproof.suite import Contract

__all__ = ["Line", "Outcome", "usual_words", "weigh"]

ACCUSED = {Status.FAIL, Status.WARN}
UNSETTLED = {Status.INCONCLUSIVE, Status.ERROR}


class Outcome(StrEnum):
    """What became of a defect or an equivalent."""

    CAUGHT = "caught"  # by a requirement with the check that it is named after
    OTHER_REASON = "caught for another reason"
    MISSED = "missed"
    CORRECT = "correct"  # an equivalent that nothing was held against
    ACCUSED = "accused"

    @property
    def is_right(self) -> bool:
        """Whether the suite is as good as it should be."""
        return self in {Outcome.CAUGHT, Outcome.CORRECT}


@dataclass(frozen=True)
class Line:
    """A line of the kill matrix.

    Attributes:
        name: The defect's.
        by: Requirements that caught it for the stated reason.
        caught_in: Scenarios in which they did.
        also_by: Other requirements that caught it; of an equivalent, all that accused it.
        unsettled: What ended in INCONCLUSIVE or ERROR without being meant to, as `scenario:requirement`.
    """

    name: str
    outcome: Outcome
    by: tuple[str, ...] = ()
    caught_in: tuple[str, ...] = ()
    also_by: tuple[str, ...] = ()
    unsettled: tuple[str, ...] = ()


def weigh(
    contract: Contract, defect: Defect, verdicts: Iterable[Verdict], usual: Mapping[tuple[str, str], str]
) -> Line:
    """Return what a defect's verdicts say about the suite.

    Args:
        contract: The suite's.
        defect: What was played.
        verdicts: Those of all the scenarios that were played.
        usual: What the clean model client has on record (see `usual_words`).
    """
    stated = defect.requirements(contract)
    caught: list[Verdict] = []
    unsettled: list[str] = []
    for verdict in verdicts:
        if _catches(defect, verdict, usual, is_stated=verdict.requirement in stated):
            caught.append(verdict)
        elif defect.ending is not Ending.ERROR and verdict.status in UNSETTLED:
            unsettled.append(f"{verdict.scenario}:{verdict.requirement}")
    names = dict.fromkeys(verdict.requirement for verdict in caught)
    by = tuple(name for name in names if name in stated)
    if defect.is_equivalent:
        outcome = Outcome.ACCUSED if names else Outcome.CORRECT
    elif by:
        outcome = Outcome.CAUGHT
    else:
        outcome = Outcome.OTHER_REASON if names else Outcome.MISSED
    return Line(
        defect.name,
        outcome,
        by,
        tuple(dict.fromkeys(verdict.scenario for verdict in caught if verdict.requirement in stated)),
        tuple(name for name in names if name not in stated),
        tuple(unsettled),
    )


def _catches(
    defect: Defect, verdict: Verdict, usual: Mapping[tuple[str, str], str], *, is_stated: bool
) -> bool:
    if verdict.status in ACCUSED:
        return True
    if defect.ending is Ending.ERROR:
        return is_stated and verdict.status is Status.ERROR
    if defect.ending is Ending.RECORDED and is_stated and verdict.status is Status.INFO:
        return _words(verdict) != usual.get((verdict.scenario, verdict.requirement), _words(verdict))
    return False


def _words(verdict: Verdict) -> str:
    """Return the part of a recorded behavior by which SDKs are compared."""
    return verdict.seen.partition(":")[0]


def usual_words(verdicts: Iterable[Verdict]) -> dict[tuple[str, str], str]:
    """Return what is on record, in words, by scenario and requirement."""
    return {(v.scenario, v.requirement): _words(v) for v in verdicts if v.status is Status.INFO}
