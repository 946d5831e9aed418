"""Defects of how the end of a task is seen: by which status or member, and how soon it is handed over."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

from waitproof.defects.client import Hooks, Sleep, Steps, Wait
from waitproof.defects.defect import Defect
from waitproof.defects.faults import with_a_status
from waitproof.defects.outcomes import without_failures, without_unknown_statuses
from waitproof.defects.wire import Cause, ModelError, Task
from waitproof.judge import LATE_SLACK_S
from waitproof.suite import Contract, Json, StatusMeaning
from waitproof.text import either

__all__ = ["end_defects"]

GOING_ON = StatusMeaning.KEEP_POLLING
DONE = StatusMeaning.RETURN_RESULT
FAILED = StatusMeaning.RAISE_TASK


def end_defects(contract: Contract) -> Iterator[Defect]:
    """Yield the defects of this module for one contract."""
    yield from _statuses(contract)
    yield from _all_but_some(contract)
    yield from _members(contract)
    yield from _odd_errors(contract)
    yield from _handovers(contract)


def _statuses(contract: Contract) -> Iterator[Defect]:
    """Yield, for each status, what a helper does whose list of ends or of failures is wrong about it."""
    check, reason = "polls_until_terminal", without_failures(contract)
    for status, meaning in contract.meanings.items():
        if meaning is GOING_ON:
            yield Defect(
                f"{check}.{status}-is-a-failure",
                check,
                f"The helper takes the status {status} for a failure of the task.",
                _taking(status, FAILED),
                not_applicable=reason,
            )
        else:
            yield Defect(
                f"{check}.{status}-is-not-an-end",
                check,
                f"The status {status} is missing from the helper's list of ends, so it polls on.",
                _taking(status, GOING_ON),
            )
        if meaning is FAILED:
            yield Defect(
                f"raises_kind.{status}-is-a-result",
                "raises_kind",
                f"The helper returns where the status is {status}, as if the task had completed.",
                _taking(status, DONE),
                {"kinds": "task"},
            )
        if meaning is DONE and contract.fails(status):
            yield Defect(
                f"returns_result.{status}-raises",
                "returns_result",
                f"The helper raises for the status {status}, which is to be returned.",
                _taking(status, FAILED),
            )


def _taking(status: str, meaning: StatusMeaning) -> Hooks:
    def on_task(_wait: Wait, task: Task) -> Task:
        return replace(task, meaning=meaning) if task.status == status else task

    return Hooks(on_task=on_task)


def _all_but_some(contract: Contract) -> Iterator[Defect]:
    """Yield helpers that know all but one status of a task that goes on, and take any other for its end."""
    check, reason = "polls_until_terminal", without_unknown_statuses(contract)
    going_on = [status for status, meaning in contract.meanings.items() if meaning is GOING_ON]
    if len(going_on) < 2:  # it would not go on at all
        return
    for status in going_on:
        known = [each for each in going_on if each != status]
        yield Defect(
            f"{check}.ends-at-{status}-and-unknown-ones",
            check,
            f"The helper polls on at {either(known)}, and takes any other status for a completed task.",
            Hooks(on_answer=with_a_status(contract, ""), on_task=_ending_unless(known)),
            not_applicable=reason,
        )


def _ending_unless(known: Collection[str]) -> Callable[[Wait, Task], Task]:
    def on_task(_wait: Wait, task: Task) -> Task:
        return task if task.status in known or task.meaning is FAILED else replace(task, meaning=DONE)

    return on_task


def _members(contract: Contract) -> Iterator[Defect]:
    """Yield what waits for a member of the answer in place of a status."""
    check = "polls_until_terminal"
    result = next((name for name, value in contract.answer.body.items() if value == "${result}"), None)
    yield Defect(
        f"{check}.waits-for-a-result",
        check,
        "The helper polls on while a completed task has no result, or a result of null.",
        _going_on(lambda task: task.meaning is DONE and task.result is None),
    )
    yield Defect(
        f"{check}.waits-for-the-member",
        check,
        "The helper polls on while the answer of a completed task has no member for the result.",
        _going_on(lambda task: task.meaning is DONE and result not in (task.body or {})),
        not_applicable="" if result else "an answer of this API has no member for the result",
    )
    yield Defect(
        "raises_kind.waits-for-an-error",
        "raises_kind",
        "The helper polls on while a failed task has no error object.",
        _going_on(lambda task: task.meaning is FAILED and task.error is None),
        {"kinds": "task"},
        not_applicable=without_failures(contract),
    )


def _going_on(is_missed: Callable[[Task], bool]) -> Hooks:
    return Hooks(on_task=lambda _wait, task: replace(task, meaning=GOING_ON) if is_missed(task) else task)


def _odd_errors(contract: Contract) -> Iterator[Defect]:
    """Yield what an error leads to that is not an object, as it is for the check of lasting faults."""
    check, where, reason = "fault_surfaces", {"kinds": "task"}, without_failures(contract)

    def crashing(odd: type | tuple[type, ...]) -> Hooks:
        def on_task(_wait: Wait, task: Task) -> Task:
            if task.meaning is FAILED and isinstance(task.error, odd):
                raise AttributeError("the error has no member 'type'")
            return task

        return Hooks(on_task=on_task)

    for name, sentence, odd in (
        ("text", "The helper crashes on a failed task whose error is a text and not an object.", str),
        ("list", "The helper crashes on a failed task whose error is a list and not an object.", list),
        (
            "value",
            "The helper crashes on a failed task whose error is anything but an object.",
            (str, list, int),
        ),
    ):
        yield Defect(
            f"{check}.crashes-on-a-{name}-for-an-error",
            check,
            sentence,
            crashing(odd),
            where,
            not_applicable=reason,
        )
    yield Defect(
        f"{check}.an-odd-error-is-not-yet",
        check,
        "The helper polls on while the error of a failed task is not an object.",
        _going_on(lambda task: task.meaning is FAILED and _is_odd(task.error)),
        where,
        not_applicable=reason,
    )


def _is_odd(error: Json) -> bool:
    return error is not None and not isinstance(error, dict)


def _handovers(contract: Contract) -> Iterator[Defect]:
    check, default_s = "outcome_not_late", contract.defaults.intervals.first_s
    every: tuple[tuple[str, str, Callable[[Wait, Steps], Steps], str], ...] = (
        (
            "looks-after-the-sleep",
            "The helper sleeps its interval after each poll, and looks at the answer only then.",
            lambda wait, steps: _late(steps, wait.interval_s),
            "",
        ),
        (
            "sleeps-a-fixed-time",
            "The helper sleeps once more before it returns, as long as the default interval.",
            lambda _wait, steps: _late(steps, default_s),
            "" if default_s > LATE_SLACK_S else "a machine may be as late as the default interval",
        ),
        (
            "sleeps-before-it-raises",
            "The helper sleeps once more before it raises that a task has failed.",
            lambda wait, steps: _late(steps, wait.interval_s, is_result_late=False),
            without_failures(contract),
        ),
        (
            "sleeps-where-the-first-poll-ends-the-wait",
            "The helper sleeps an interval after its first poll, even when that has ended the wait.",
            _late_after_one_poll,
            "",
        ),
    )
    for name, sentence, on_wait, reason in every:
        yield Defect(f"{check}.{name}", check, sentence, Hooks(on_wait=on_wait), not_applicable=reason)


def _late(steps: Steps, pause_s: float, *, is_result_late: bool = True) -> Steps:
    """Sleep before a task's end is handed over; a deadline or a fault is not held up."""
    try:
        result = yield from steps
    except ModelError as error:
        if error.cause is Cause.TASK_FAILED:
            yield Sleep(pause_s)
        raise
    if is_result_late:
        yield Sleep(pause_s)
    return result


def _late_after_one_poll(wait: Wait, steps: Steps) -> Steps:
    result = yield from steps
    if wait.polls == 1:
        yield Sleep(wait.interval_s)
    return result
