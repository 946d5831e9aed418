"""Defects and correct clients of helpers that return a task or nothing, or whose types cannot hold null."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from waitproof.defects.client import Hooks, Wait
from waitproof.defects.defect import Defect, equivalent
from waitproof.defects.outcomes import without_values
from waitproof.defects.wire import Task
from waitproof.suite import Contract, Json, Returns, StatusMeaning

__all__ = ["handover_defects", "handover_equivalents"]

NO_VALUE = {"returns": "nothing"}
TYPED = {"zero_values": True}


def handover_defects(contract: Contract) -> Iterator[Defect]:
    """Yield the defects of this module for one contract."""
    check = "returns_result"
    is_task = contract.returns is Returns.TASK
    yield Defect(
        f"{check}.of-its-inside",
        check,
        "The helper unwraps the payload twice: it returns the payload's own member `result`.",
        Hooks(on_result=lambda _wait, result: _member(result, "result")),
        not_applicable="a wait of this API returns the task" if is_task else without_values(contract),
    )
    yield Defect(
        f"{check}.null-is-an-object",
        check,
        "The helper returns an empty object in place of null.",
        Hooks(on_task=_with_an_object_for_null),
        not_applicable=without_values(contract),
        needs=("result",),
    )
    yield Defect(
        f"{check}.raises-with-nothing-to-return",
        check,
        "The helper, which returns no value, raises where a task has completed.",
        Hooks(on_result=_crashing),
        capabilities=NO_VALUE,
    )
    yield Defect(
        f"{check}.types-lose-numbers",
        check,
        "The helper, whose types cannot hold null, returns 0 for every number of the result.",
        Hooks(on_result=lambda _wait, result: _zeroed(result, is_number=True)),
        capabilities=TYPED,
        not_applicable=without_values(contract),
        needs=("result",),
    )
    if not is_task or len(contract.returned or {}) < 2:
        return
    for name, sentence, hooks in (
        (
            "the-result-alone",
            "The helper returns the result in place of the task.",
            Hooks(on_task=_keeping, on_result=lambda wait, _result: wait.memory["task"].result),
        ),
        (
            "the-task-before-its-end",
            "The helper returns the task as it was at the first poll.",
            Hooks(on_task=_keeping_the_first, on_result=lambda wait, _result: dict(wait.memory["task"].body)),
        ),
        (
            "drops-members-of-the-task",
            "The helper returns the task without every second of its members.",
            Hooks(on_result=lambda _wait, result: dict(list(result.items())[::2])),
        ),
        (
            "drops-the-other-members-of-the-task",
            "The helper returns the task without every other member.",
            Hooks(on_result=lambda _wait, result: dict(list(result.items())[1::2])),
        ),
    ):
        yield Defect(f"{check}.{name}", check, sentence, hooks)


def handover_equivalents(contract: Contract) -> Iterator[Defect]:
    """Yield the correct clients of this module for one contract."""
    yield equivalent(
        "returns-nothing",
        "Returns no value, as its adapter says.",
        Hooks(on_result=lambda _wait, _result: None),
        capabilities=NO_VALUE,
    )
    yield equivalent(
        "types-without-null",
        "Returns objects of types that have 0, false or an empty text in place of null.",
        Hooks(on_result=lambda _wait, result: _zeroed(result)),
        capabilities=TYPED,
    )
    if contract.returns is Returns.TASK:
        yield equivalent(
            "more-members-of-a-task",
            "Returns a task with members that the server has not sent.",
            Hooks(on_result=lambda _wait, result: {**result, "links": {"self": "/17"}, "age": 0}),
        )
        yield equivalent(
            "the-result-of-a-task",
            "Returns the result of the task alone, as its adapter says.",
            Hooks(on_task=_keeping, on_result=lambda wait, _result: wait.memory["task"].result),
            capabilities={"returns": "result"},
        )


def _member(value: Any, name: str) -> Any:
    return value[name] if isinstance(value, dict) and name in value else value


def _with_an_object_for_null(_wait: Wait, task: Task) -> Task:
    is_null = task.meaning is StatusMeaning.RETURN_RESULT and task.result is None
    return replace(task, result={}) if is_null else task


def _crashing(_wait: Wait, _result: Any) -> Any:
    raise TypeError("the task has no value")


def _keeping(wait: Wait, task: Task) -> Task:
    wait.memory["task"] = task
    return task


def _keeping_the_first(wait: Wait, task: Task) -> Task:
    wait.memory.setdefault("task", task)
    return task


def _zeroed(value: Json, *, is_number: bool = False) -> Json:
    """Return a value with zeros: for every null in an object, or for every number."""
    if isinstance(value, dict):
        return {
            name: "" if child is None and not is_number else _zeroed(child, is_number=is_number)
            for name, child in value.items()
        }
    if isinstance(value, list):
        return [_zeroed(child, is_number=is_number) for child in value]
    return 0 if is_number and type(value) in (int, float) else value
