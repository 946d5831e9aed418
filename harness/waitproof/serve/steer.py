"""What a person can do to a task by hand, as functions from one state to the next.

Pure: `TaskManager.act` applies them between two polls.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum

from waitproof.errors import InputError, Mistake
from waitproof.suite import Contract, Json, Scenario, StatusMeaning, Step, TaskState, check, unsendable

__all__ = ["STALL_S", "Action", "steering"]

STALL_S = 3600.0
TASK_VALUES = ("task_id", "token", "n")  # the placeholders that a task can fill in


class Action(StrEnum):
    """What can be done to a task by hand."""

    ADVANCE = "advance"  # go on to the next step
    COMPLETE = "complete"
    FAIL = "fail"
    STALL = "stall"  # stop answering polls
    RESET = "reset"  # start again with an empty journal


_MEANINGS = {
    Action.COMPLETE: StatusMeaning.RETURN_RESULT,
    Action.STALL: StatusMeaning.KEEP_POLLING,
}
_SAYS = {Action.COMPLETE: "has ended", Action.FAIL: "has failed", Action.STALL: "goes on"}


def steering(
    action: Action, contract: Contract, scenario: Scenario, payload: Mapping[str, Json]
) -> Callable[[TaskState], TaskState]:
    """Return the change of state that an action makes.

    Args:
        action: Any but RESET, which concerns the journal too.
        contract: The task's contract.
        scenario: What the task was made from.
        payload: May have a `result` or an `error`, default: the scenario's own, or the contract's; for STALL
            the `seconds` that each poll waits for its answer.

    Raises:
        InputError: The contract has no status for the action, or the payload cannot be sent.
    """
    if action is Action.ADVANCE:
        return lambda state: _at_step(state, state.steps, min(state.step + 1, len(state.steps) - 1))
    step = _step(action, contract, scenario, payload)
    return lambda state: _append(state, step, len(scenario.task))


def _step(action: Action, contract: Contract, scenario: Scenario, payload: Mapping[str, Json]) -> Step:
    status = contract.failing_status if action is Action.FAIL else contract.status_for(_MEANINGS[action])
    if status is None:
        fact, known = (
            f"no status of this contract says that a task {_SAYS[action]}",
            ", ".join(contract.statuses),
        )
        fix = "write raise_task, or {means: return_result, fails: true}, for one of them in contract.yaml"
        raise InputError(Mistake("", fact, expected=known, fix=fix if action is Action.FAIL else ""))
    if action is Action.STALL:
        step = Step.model_validate({"status": status, "times": "forever"})
        seconds = payload.get("seconds", STALL_S)  # not validated: a scenario file may not ask for so many
        return step.model_copy(update={"delay": seconds})
    if not payload:
        fails = action is Action.FAIL
        for step in scenario.task:
            if contract.ends_the_wait(step.status) and contract.fails(str(step.status)) is fails:
                return step
    for name, value in payload.items():
        if fact := unsendable(value):
            raise InputError(Mistake(name, fact))
        try:
            check([value], TASK_VALUES)
        except ValueError as error:
            raise InputError(Mistake(name, str(error))) from None
    return Step.model_validate({"status": status, **payload})


def _append(state: TaskState, step: Step, original_steps: int) -> TaskState:
    """Return the state with another step, which answers from now on; indexes of earlier polls stay true.

    A step that was added by hand and has answered no poll is replaced.
    """
    is_unused = state.step == len(state.steps) - 1 >= original_steps and state.used == 0
    steps = (*(state.steps[:-1] if is_unused else state.steps), step)
    return _at_step(state, steps, len(steps) - 1)


def _at_step(state: TaskState, steps: tuple[Step, ...], step: int) -> TaskState:
    return replace(state, steps=steps, step=step, used=0, began_s=None, dropped=None)
