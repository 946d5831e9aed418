"""Defects of what a wait waits for, and of what it returns."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from waitproof.defects.client import Hooks, Instead, Steps, Wait
from waitproof.defects.defect import Defect, Ending
from waitproof.defects.wire import Task
from waitproof.simulate import Answer
from waitproof.suite import Contract, Json, Returns, StatusMeaning

__all__ = ["outcome_defects", "without_failures", "without_unknown_statuses", "without_values"]

DONE = StatusMeaning.RETURN_RESULT
FAILED = StatusMeaning.RAISE_TASK
MEBIBYTE = 1024 * 1024
MOST_FRAMES = 979  # of Python's thousand: where a user of an SDK met the end


def outcome_defects(contract: Contract) -> Iterator[Defect]:
    """Yield the defects of this module for one contract."""
    yield from _ends(contract)
    yield from _unknown_statuses(contract)
    yield from _results(contract)
    yield from _payloads(contract)
    yield from _fields_of_answers()


def _ended(task: Task, meaning: StatusMeaning = DONE) -> Task:
    return replace(task, meaning=meaning)


def without_failures(contract: Contract) -> str:
    """Return why a defect of failed tasks does not apply, "" where tasks can fail."""
    every = [contract, *map(contract.varied, contract.variants)]
    can_fail = any(FAILED in {*each.meanings.values(), each.unknown_status} for each in every)
    return "" if can_fail else "no status of this API makes a wait raise"


# --- when a task has ended ----------------------------------------------------------------------------


def _ends(contract: Contract) -> Iterator[Defect]:
    check = "polls_until_terminal"
    for status, meaning in contract.meanings.items():
        if meaning is StatusMeaning.KEEP_POLLING:
            yield Defect(
                f"{check}.{status}-is-an-end",
                check,
                f"The helper takes the status {status} for the end of the task.",
                Hooks(on_task=_taking_for_the_end(status)),
            )
    yield Defect(
        f"{check}.a-result-is-an-end",
        check,
        "The helper returns as soon as an answer has a result, whatever the status.",
        Hooks(on_task=lambda _wait, t: t if t.result is None or t.meaning is FAILED else _ended(t)),
        needs=("result",),
    )
    yield Defect(
        f"{check}.an-error-is-an-end",
        check,
        "The helper raises as soon as an answer has an error, whatever the status.",
        Hooks(on_task=lambda _wait, t: t if t.error is None or t.meaning is DONE else _ended(t, FAILED)),
        not_applicable=without_failures(contract),
    )
    yield Defect(
        f"{check}.five-polls-at-most",
        check,
        "The helper gives up after a number of polls and returns nothing.",
        Hooks(on_task=lambda wait, t: _ended(t) if wait.polls == 5 and t.meaning is not FAILED else t),
    )


def _recursing(wait: Wait, task: Task) -> Task:
    if wait.polls > MOST_FRAMES:
        raise RecursionError("maximum recursion depth exceeded")
    return task


def _a_hundred_times(wait: Wait, task: Task) -> Task:
    if wait.polls == 100 and not task.ends_the_wait:
        raise wait.timed_out()
    return task


def _taking_for_the_end(status: str) -> Callable[[Wait, Task], Task]:
    return lambda _wait, task: _ended(task) if task.status == status else task


def without_unknown_statuses(contract: Contract) -> str:
    """Return why a defect of unknown statuses does not apply, "" where a wait goes on at one."""
    if "unknown_status" not in contract.model_fields_set:
        return "the contract does not say what an unknown status means"
    if contract.unknown_status is not StatusMeaning.KEEP_POLLING:
        return "an unknown status ends a wait of this API"
    return ""


def _unknown_statuses(contract: Contract) -> Iterator[Defect]:
    check, reason = "outcome_expected", without_unknown_statuses(contract)

    def prefix(_wait: Wait, task: Task) -> Task:
        ends = (name for name in contract.statuses if contract.ends_the_wait(name))
        alike = next((name for name in ends if task.status.startswith(name[:4])), None)
        return task if alike is None else _ended(task, contract.meaning(alike))

    def unknown_raises(_wait: Wait, task: Task) -> Task:
        if task.status not in contract.statuses:
            raise ValueError(f"unknown status {task.status!r}")
        return task

    def caseless(_wait: Wait, task: Task) -> Task:
        return _ended(task, contract.meaning(task.status.lower()))

    every: tuple[tuple[str, str, Callable[[Wait, Task], Task]], ...] = (
        (
            "unknown-status-raises",
            "The helper raises a bare error for a status that it does not know.",
            unknown_raises,
        ),
        (
            "unknown-status-is-an-end",
            "The helper takes a status that it does not know for the end of the task.",
            lambda _wait, task: task if task.status in contract.statuses else _ended(task),
        ),
        ("status-by-its-first-letters", "The helper compares only the beginning of a status.", prefix),
        ("status-without-case", "The helper compares statuses without regard to case.", caseless),
    )
    for name, sentence, on_task in every:
        yield Defect(f"{check}.{name}", check, sentence, Hooks(on_task=on_task), not_applicable=reason)


# --- results ------------------------------------------------------------------------------------------


def without_values(contract: Contract) -> str:
    """Return why a defect of what a wait hands over does not apply, "" where that is something."""
    return "a wait of this API returns nothing" if contract.returns is Returns.NOTHING else ""


def _results(contract: Contract) -> Iterator[Defect]:
    check = "returns_result"
    every: tuple[tuple[str, str, Hooks], ...] = (
        (
            "nothing",
            "The helper returns null in place of the result.",
            Hooks(on_result=lambda _wait, _result: None),
        ),
        (
            "envelope",
            "The helper returns the whole answer in place of the result in it.",
            Hooks(
                on_result=lambda wait, result: {"task_id": wait.task_id, "status": "done", "result": result}
            ),
        ),
        (
            "of-the-first-poll",
            "The helper returns the result of the first answer, and not of the last.",
            Hooks(on_task=_with_the_first_result),
        ),
        (
            "renames-keys",
            "The keys of the result are renamed.",
            _objects(lambda value: {key.upper(): child for key, child in value.items()}),
        ),
    )
    for name, sentence, hooks in every:
        needs = ("result",) if name == "of-the-first-poll" else ()
        reason = without_values(contract)
        yield Defect(f"{check}.{name}", check, sentence, hooks, not_applicable=reason, needs=needs)
    yield Defect(
        f"{check}.none-by-recursion",
        check,
        "Each poll is a call within the call of the poll before it, until the stack ends.",
        Hooks(on_task=_recursing),
    )
    yield Defect(
        f"{check}.none-after-100-polls",
        check,
        "The helper gives up after a hundred polls, although its timeout has not passed.",
        Hooks(on_task=_a_hundred_times),
    )
    yield Defect(
        f"{check}.old-errors-count",
        check,
        "The helper raises for a completed task because its answer still has an error.",
        Hooks(on_task=lambda _wait, t: _ended(t, FAILED) if t.meaning is DONE and t.error is not None else t),
        not_applicable=without_failures(contract),
    )
    yield Defect(
        f"{check}.guesses",
        check,
        "The helper returns without asking the server.",
        Hooks(on_wait=_returning({"guessed": True})),
        ending=Ending.ERROR,
    )
    yield Defect(
        "record_payload_path.in-a-response",
        "record_payload_path",
        "The helper returns the result inside a response object.",
        Hooks(on_result=lambda _wait, result: {"data": {"result": result}}),
        ending=Ending.RECORDED,
        result_path="data.result",
        not_applicable=without_values(contract),
    )
    yield from _shipped()
    yield from _failures(contract)


def _with_the_first_result(wait: Wait, task: Task) -> Task:
    return replace(task, result=wait.memory.setdefault("result", task.result))


def _returning(value: Json) -> Callable[[Wait, Steps], Steps]:
    def on_wait(_wait: Wait, steps: Steps) -> Steps:
        steps.close()
        yield from ()
        return value

    return on_wait


def _shipped() -> Iterator[Defect]:
    check = "helper_is_shipped"
    yield Defect(f"{check}.missing", check, "The SDK ships no wait helper.", capabilities={"wait": False})

    def stub(_wait: Wait, _steps: Steps) -> Steps:
        raise NotImplementedError("the wait helper")

    yield Defect(f"{check}.a-stub", check, "The wait helper is not implemented.", Hooks(on_wait=stub))


def _failures(contract: Contract) -> Iterator[Defect]:
    """Yield what returns where a failed task must raise."""
    check, reason = "raises_kind", without_failures(contract)
    every: tuple[tuple[str, str, Hooks], ...] = (
        (
            "returned",
            "The helper returns the error of a failed task in place of raising it.",
            Hooks(on_failure=lambda _wait, error: Instead({"error": error.message})),
        ),
        (
            "a-part-of-a-result-is-returned",
            "The helper returns the partial result of a failed task instead of raising.",
            Hooks(on_task=lambda _wait, t: _ended(t) if t.meaning is FAILED and t.result is not None else t),
        ),
        (
            "no-error-no-exception",
            "The helper returns when a failed task has no error object.",
            Hooks(on_task=lambda _wait, t: _ended(t) if t.meaning is FAILED and t.error is None else t),
        ),
    )
    for name, sentence, hooks in every:
        yield Defect(f"{check}.{name}", check, sentence, hooks, {"kinds": "task"}, not_applicable=reason)


# --- payloads -----------------------------------------------------------------------------------------


def _changed(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return a JSON value in which everything has been changed, the innermost first."""
    if isinstance(value, dict):
        value = {key: _changed(child, change) for key, child in value.items()}
    elif isinstance(value, list):
        value = [_changed(child, change) for child in value]
    return change(value)


def _everywhere(change: Callable[[Any], Any]) -> Hooks:
    return Hooks(on_result=lambda _wait, result: _changed(result, change))


def _texts(change: Callable[[str], Any]) -> Hooks:
    return _everywhere(lambda value: change(value) if isinstance(value, str) else value)


def _objects(change: Callable[[dict[str, Any]], Any]) -> Hooks:
    return _everywhere(lambda value: change(value) if isinstance(value, dict) else value)


def _payloads(contract: Contract) -> Iterator[Defect]:
    check = "outcome_expected"
    every: tuple[tuple[str, str, Hooks], ...] = (
        (
            "drops-nulls",
            "Members of the result that are null are left out.",
            _objects(lambda value: {key: child for key, child in value.items() if child is not None}),
        ),
        (
            "lower-cases-keys",
            "The keys of the result are changed, as by a converter of naming styles.",
            _objects(lambda value: {key.lower(): child for key, child in value.items()}),
        ),
        (
            "reads-dates",
            "Strings in the result that look like dates are parsed and written back in another format.",
            _texts(lambda text: f"{text[:10]}T00:00:00Z" if text[:2] == "20" and text[4:5] == "-" else text),
        ),
        ("single-precision", "Fractions in the result are read as 32-bit floats.", _everywhere(_single)),
        (
            "seven-digits",
            "Fractions in the result keep seven digits.",
            _everywhere(lambda value: float(f"{value:.7g}") if isinstance(value, float) else value),
        ),
        ("stripped", "White space is trimmed off texts in the result.", _texts(str.strip)),
        (
            "cut-at-a-mebibyte",
            "Texts in the result are cut off after 1 MiB.",
            _texts(lambda text: text[:MEBIBYTE]),
        ),
        (
            "empty-is-null",
            "An empty object in the result becomes null.",
            _objects(lambda value: value or None),
        ),
        (
            "ten-levels-deep",
            "The result is cut off below its tenth level.",
            Hooks(on_result=lambda _wait, result: _cut(result, 10)),
        ),
        (
            "latin-1",
            "Answers are decoded as Latin-1 and not as UTF-8.",
            Hooks(on_answer=lambda a: Answer(a.http, a.headers, a.body.decode("latin-1").encode())),
        ),
    )
    for name, sentence, hooks in every:
        needs = () if name == "latin-1" else ("result",)
        reason = without_values(contract)
        yield Defect(f"{check}.{name}", check, sentence, hooks, not_applicable=reason, needs=needs)
    yield Defect(
        "record_integers.doubles-only",
        "record_integers",
        "Every number is read as a double.",
        _everywhere(lambda value: int(float(value)) if type(value) is int else value),
        ending=Ending.RECORDED,
        not_applicable=without_values(contract),
    )


def _single(value: Any) -> Any:
    try:
        return struct.unpack("<f", struct.pack("<f", value))[0] if isinstance(value, float) else value
    except OverflowError:
        return value


def _cut(value: Any, levels: int) -> Any:
    if isinstance(value, dict):
        return {key: _cut(child, levels - 1) for key, child in value.items()} if levels else None
    if isinstance(value, list):
        return [_cut(child, levels - 1) for child in value] if levels else None
    return value


# --- fields that this SDK does not know ---------------------------------------------------------------


def _fields_of_answers() -> Iterator[Defect]:
    check = "outcome_expected"

    def strict(wait: Wait, task: Task) -> Task:
        if (task.body or {}).keys() - wait.client.contract.answer.body.keys():
            raise TypeError("unexpected keyword argument")
        return task

    def strict_about_errors(wait: Wait, task: Task) -> Task:
        usual = wait.client.contract.error
        known = {"task_id", *(usual if isinstance(usual, dict) else ())}
        if isinstance(task.error, dict) and task.error.keys() - known:
            raise TypeError("unexpected keyword argument")
        return task

    for name, sentence, on_task in (
        ("strict-about-answers", "An answer with a field that the SDK does not know is refused.", strict),
        (
            "strict-about-errors",
            "An error with a field that the SDK does not know is refused.",
            strict_about_errors,
        ),
    ):
        needs = ("error",) if name == "strict-about-errors" else ()
        yield Defect(f"{check}.{name}", check, sentence, Hooks(on_task=on_task), needs=needs)
