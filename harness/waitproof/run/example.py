"""What an adapter is examined with: a task that ends, what a wait on it returns, and how a run judges a wait.

A contract's own example fits every SDK of its API, whatever types it has. Where there is none, a payload of
our own shows whether an adapter changes what it reports.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from waitproof.judge import (
    CallRecord,
    Case,
    Finding,
    Observation,
    Status,
    TaskRecord,
    Verdict,
    judge,
    result_returned,
)
from waitproof.protocol import Hello, Outcome
from waitproof.suite import Call, Contract, Json, Returns, Scenario, StatusMeaning, Step

__all__ = ["PAYLOAD", "RAISES", "Example", "find_example", "foreseen"]

PAYLOAD: dict[str, Json] = {"parts": 2, "name": "Ωmega", "nested": [{"a": None}]}

RAISES = Call.model_validate({"wait": {}, "expect": {"raises": {"kind": "other"}}})


class Example:
    """A task that ends, and what its wait returns.

    Args:
        contract: The documentation.
        scenario: Where both are, None for a payload of our own.

    Attributes:
        step: The task's only answer.
    """

    def __init__(self, contract: Contract, scenario: Scenario | None = None) -> None:
        self._contract = contract
        if scenario is None:
            self.step = Step(status=contract.status_for(StatusMeaning.RETURN_RESULT), result=PAYLOAD)
            wanted = PAYLOAD if contract.returns is Returns.RESULT else {}
            self._call = Call.model_validate({"wait": {}, "expect": {"returns": wanted}})
        else:
            self.step = [step for step in scenario.task if contract.ends_the_wait(step.status)][-1]
            self._call = next(filter(_returns, reversed(scenario.calls)))

    def judge(self, hello: Hello, task_id: str | int, seen: Outcome) -> Finding:
        """Return whether an outcome is what the wait is to return, as the judge sees it."""
        record = CallRecord(index=0, copy=1, call=self._call, sent_s=0.0, received_s=0.0, seen=seen)
        observation = Observation(hello, (record,), (TaskRecord(1, task_id),))
        played = _played(self.step, self._call)
        return result_returned(Case(self._contract, played, observation), record)


def foreseen(
    contract: Contract, step: Step, observation: Observation, checks: Collection[str]
) -> tuple[Verdict, ...]:
    """Return what a run will hold against an exception that a wait has raised.

    Args:
        contract: The documentation, of the variant that was called.
        step: What the server answered to each poll.
        observation: The wait, whose call is `RAISES`.
        checks: The kinds of the checks to make, which look at nothing but an exception.

    Returns:
        A verdict for each requirement with such a check that is not kept.
    """
    proves = tuple(each.id for each in contract.requirements if each.check in checks)
    verdicts = judge(contract, _played(step, RAISES, proves), [observation])
    return tuple(each for each in verdicts if each.status in {Status.FAIL, Status.WARN, Status.ERROR})


def _played(step: Step, call: Call, proves: tuple[str, ...] = ()) -> Scenario:
    return Scenario.model_construct(summary="An example.", proves=proves, task=(step,), calls=(call,))


def find_example(contract: Contract, scenarios: Iterable[Scenario]) -> Scenario | None:
    """Return the contract's example where it shows what a wait returns, else the first scenario that does."""
    fitting = [each for each in scenarios if _fits(contract, each)]
    named = (each for each in fitting if each.id == contract.example)
    return next(named, next(iter(fitting), None))


def _fits(contract: Contract, scenario: Scenario) -> bool:
    ends = any(contract.ends_the_wait(step.status) for step in scenario.task)
    return ends and scenario.variant is None and any(map(_returns, scenario.calls))


def _returns(call: Call) -> bool:
    return call.wait is not None and call.expect.has("returns")
