"""What a wait should hand to its caller, and whether it did.

A helper may return the result alone, the task as an object, or nothing: the contract says which, and an SDK
may do less. A result is compared exactly; of a task only what is promised, because each SDK has a type of its
own for it. Where nothing is returned, only that the wait returned can be judged.
"""

from __future__ import annotations

from collections.abc import Mapping

from waitproof.judge.check import Case, Finding, broken, kept
from waitproof.judge.observation import CallRecord
from waitproof.judge.words import describe, difference, json_equal, shown
from waitproof.protocol import Returned
from waitproof.suite import Json, Returns, Step, fill

__all__ = ["ending_step", "is_alike", "result_returned", "returns", "seen_as", "wanted_of"]

NO_VALUE = "it did; this helper returns no value to compare"


def returns(case: Case) -> Returns:
    """Return what this SDK's helper hands over: what the contract says, or less."""
    return case.contract.returns.narrowed(case.capabilities.returns)


def result_returned(case: Case, call: CallRecord) -> Finding:
    """Say whether a call returned what the scenario expects of it."""
    shape = returns(case)
    if shape is Returns.NOTHING:
        if not isinstance(call.seen, Returned):
            return broken("the call returns", f"it {describe(call.seen)}")
        return kept("the call returns", NO_VALUE)
    wanted = wanted_of(case, call)
    expected = f"the call returns {'a task with ' if shape is Returns.TASK else ''}{shown(wanted)}"
    if not isinstance(call.seen, Returned) or call.seen.unencodable is not None:
        return broken(expected, f"it {describe(call.seen)}")
    if not is_alike(case, wanted, call.seen.result, is_part=shape is Returns.TASK):
        seen = seen_as(wanted, call.seen.result) if shape is Returns.TASK else call.seen.result
        return broken(expected, f"it {describe(call.seen)}", difference(wanted, seen))
    return kept(expected, "it did")


def wanted_of(case: Case, call: CallRecord) -> Json:
    """Return what a call should hand over: what its scenario expects, and what is promised of every task.

    Where the contract's helpers return the task but this one only the result, it is the answer's result.
    """
    values = case.observation.task(call).values
    wanted = fill(call.call.expect.returns, values)
    if case.contract.returns is not Returns.TASK:
        return wanted
    step = ending_step(case, call)
    if returns(case) is Returns.RESULT:
        return None if step is None else fill(step.result, values)
    if step is None or not isinstance(wanted, Mapping):
        return wanted
    return {**case.contract.returned_task(step, values), **wanted}


def ending_step(case: Case, call: CallRecord) -> Step | None:
    """Return the step whose answer ended a wait, else the one that would have, had it been patient."""
    polled = [case.scenario.task[poll.step] for poll in reversed(case.polls(call))]
    with_status = [step for step in [*polled, *reversed(case.scenario.task)] if step.status is not None]
    ends = (step for step in with_status if case.contract.ends_the_wait(step.status))
    return next(ends, with_status[0] if with_status else None)


def is_alike(case: Case, wanted: Json, seen: Json, *, is_part: bool = False) -> bool:
    """Say whether a value is as wanted, as far as the SDK's types can tell values apart.

    Args:
        case: Has the SDK's capabilities.
        wanted: What the value should be.
        seen: The value.
        is_part: Only what is wanted counts: an object may have more members, at any depth.
    """
    if is_part:  # before zeros are left out: a member that should be null is wanted, too
        seen = seen_as(wanted, seen)
    if case.capabilities.zero_values:
        wanted, seen = _without_zeros(wanted), _without_zeros(seen)
    return json_equal(wanted, seen)


def seen_as(wanted: Json, seen: Json) -> Json:
    """Return the part of a value that is wanted of it, at any depth."""
    if isinstance(wanted, Mapping) and isinstance(seen, Mapping):
        return {name: seen_as(wanted[name], child) for name, child in seen.items() if name in wanted}
    if isinstance(wanted, list) and isinstance(seen, list) and len(wanted) == len(seen):
        return [seen_as(left, right) for left, right in zip(wanted, seen, strict=True)]
    return seen


def _without_zeros(value: Json) -> Json:
    """Return a value without what is null or a type's zero value: 0, false, "" and what is empty."""
    if isinstance(value, Mapping):
        members = {name: _without_zeros(child) for name, child in value.items()}
        return {name: child for name, child in members.items() if child is not None} or None
    if isinstance(value, list | tuple):
        return [_without_zeros(child) for child in value] or None
    return value or None
