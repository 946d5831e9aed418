"""All defects and equivalents for one contract, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from waitproof.defects.cancellation import cancellation_defects
from waitproof.defects.concurrency import concurrency_defects
from waitproof.defects.deadlines import deadline_defects
from waitproof.defects.defect import CLEAN, CLEAN_ASYNC, Defect
from waitproof.defects.durations import duration_defects
from waitproof.defects.ends import end_defects
from waitproof.defects.equivalents import equivalents
from waitproof.defects.exceptions import exception_defects
from waitproof.defects.faults import fault_defects
from waitproof.defects.handovers import handover_defects, handover_equivalents
from waitproof.defects.intervals import interval_defects
from waitproof.defects.outcomes import outcome_defects
from waitproof.defects.schedules import schedule_defects, schedule_equivalents
from waitproof.defects.shapes import shape_defects, shape_equivalents
from waitproof.defects.state import state_defects
from waitproof.defects.timeouts import timeout_defects
from waitproof.defects.traces import trace_defects
from waitproof.defects.traffic import traffic_defects
from waitproof.defects.transport import transport_defects
from waitproof.suite import Contract

__all__ = ["Library", "library"]


MODULES = (
    traffic_defects,
    outcome_defects,
    end_defects,
    handover_defects,
    shape_defects,
    exception_defects,
    timeout_defects,
    interval_defects,
    deadline_defects,
    duration_defects,
    schedule_defects,
    concurrency_defects,
    fault_defects,
    state_defects,
    transport_defects,
    trace_defects,
    cancellation_defects,
)


@dataclass(frozen=True)
class Library:
    """What a suite can be proved with.

    Attributes:
        defects: Those that the suite must catch.
        equivalents: Those that it must not accuse, the clean model client among them.
        not_applicable: Why the contract has no room for the other defects, by name.
    """

    defects: Mapping[str, Defect]
    equivalents: Mapping[str, Defect]
    not_applicable: Mapping[str, str]

    def named(self, name: str) -> Defect:
        """Return a defect or an equivalent.

        Raises:
            KeyError: There is none of that name.
        """
        return {**self.defects, **self.equivalents}[name]


def library(contract: Contract) -> Library:
    """Return the standard defects and equivalents, as they are for this contract."""
    everything = {defect.name: defect for defects in MODULES for defect in defects(contract)}
    reasons = {name: reason for name, each in everything.items() if (reason := each.why_not(contract))}
    applicable = {name: each for name, each in everything.items() if name not in reasons}
    correct = [CLEAN, CLEAN_ASYNC, *equivalents(contract)]
    correct += [*handover_equivalents(contract), *shape_equivalents(contract)]
    correct += schedule_equivalents(contract)
    return Library(applicable, {each.name: each for each in correct}, reasons)
