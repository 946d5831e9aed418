"""What only playing a scenario shows: an expectation that no correct client can meet.

The model client is played in virtual time, blocking and as coroutines. Where even that fails, the scenario
is wrong, and would hold its own mistake against every SDK.
"""

from __future__ import annotations

from waitproof.defects import Bench, clean
from waitproof.errors import Mistake, nearest
from waitproof.judge import Status, Verdict
from waitproof.suite import Scenario, Suite

__all__ = ["impossible_expectations"]

_POSSIBLE = frozenset({Status.PASS, Status.INFO, Status.NOT_APPLICABLE, Status.UNSUPPORTED})


def impossible_expectations(suite: Suite) -> list[Mistake]:
    """Return a mistake for each requirement that a scenario proves and the model client cannot keep there."""
    bench = Bench(suite)
    found: dict[tuple[str, str], Verdict] = {}
    for is_async in (False, True):
        for verdict in bench.simulate(clean(is_async=is_async)):
            if verdict.status not in _POSSIBLE:
                found.setdefault((verdict.scenario, verdict.requirement), verdict)
    by_id = {scenario.id: scenario for scenario in suite.scenarios}
    return [_mistake(suite, by_id[verdict.scenario], verdict) for verdict in found.values()]


def _mistake(suite: Suite, scenario: Scenario, verdict: Verdict) -> Mistake:
    fact = f"no correct client can pass '{verdict.requirement}' here"
    found = f"with the model client: {verdict.seen}"
    if (misfit := suite.misfit(scenario.id, fact, found=found, expected=verdict.expected)) is not None:
        return misfit
    return Mistake(
        f"{suite.place(scenario.id)}:{scenario.line_of(verdict.requirement)}",
        fact,
        found=found,
        expected=verdict.expected,
        fix=_misspelt_status(suite, scenario) or "change the task or the expectation, so that they agree",
    )


def _misspelt_status(suite: Suite, scenario: Scenario) -> str:
    """Return the documented status that an unknown one of the task is most like, "" if there is none."""
    known = suite.contract.statuses
    unknown = (step.status for step in scenario.task if step.status is not None and step.status not in known)
    fixes = ((status, nearest(status, known)) for status in unknown)
    return next(
        (f"the task's status '{status}' is not documented: {fix}" for status, fix in fixes if fix), ""
    )
