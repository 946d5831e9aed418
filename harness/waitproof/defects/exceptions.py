"""Defects of what the caller is given at a failed task: the exception and its fields."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from waitproof.defects.client import Hooks, Instead, Wait
from waitproof.defects.defect import Defect
from waitproof.defects.outcomes import without_failures
from waitproof.defects.timeouts import without_fields
from waitproof.defects.wire import ModelError, Task
from waitproof.protocol import ExceptionKind
from waitproof.suite import Contract, Json, StatusMeaning, Step, at_path, render_body

__all__ = ["JAVA_FRAMES", "exception_defects", "language_of", "native_check"]

JAVA_FRAMES = 3
native_check = "native_stack_trace_is_apart"


def exception_defects(contract: Contract) -> Iterator[Defect]:
    """Yield the defects of this module for one contract."""
    reason = without_failures(contract)
    yield from _kinds(contract, reason)
    yield from _crashes(contract, reason)
    yield from _fields(contract)
    yield from _native_stack_traces(contract)


# --- the exception of a failed task -------------------------------------------------------------------


def _kinds(contract: Contract, reason: str) -> Iterator[Defect]:
    def by_name(wait: Wait, error: ModelError) -> Exception:
        promise = contract.timeout.fields
        is_alike = all(error.fields.get(name) == value for name, value in promise.items())
        return wait.timed_out() if is_alike else error

    every: tuple[tuple[str, str, Callable[[Wait, ModelError], Exception | Instead], str], ...] = (
        (
            "transport-exception",
            "A failed task raises the transport exception.",
            lambda _wait, error: ModelError(ExceptionKind.TRANSPORT, error.cause, error.message),
            reason,
        ),
        (
            "bare-error",
            "A failed task raises a bare error.",
            lambda _w, error: RuntimeError(error.message),
            reason,
        ),
        (
            "timeout-by-its-name",
            "A failed task with the error type timeout raises the timeout's exception.",
            by_name,
            reason or without_fields(contract),
        ),
    )
    for name, sentence, on_failure, why in every:
        yield Defect(
            f"raises_kind.{name}",
            "raises_kind",
            sentence,
            Hooks(on_failure=on_failure),
            {"kinds": "task"},
            not_applicable=why,
        )


def _crashes(contract: Contract, reason: str) -> Iterator[Defect]:
    """Yield what crashes on an error in which something is missing."""

    def crashing(is_bad: Callable[[Task], bool]) -> Hooks:
        def on_task(_wait: Wait, task: Task) -> Task:
            if task.meaning is StatusMeaning.RAISE_TASK and is_bad(task):
                raise KeyError("error")
            return task

        return Hooks(on_task=on_task)

    def without(path: str) -> Hooks:
        return crashing(lambda task: isinstance(task.error, dict) and at_path(task.body, path) is None)

    check, where = "raises_kind", {"kinds": "task"}
    member = next((name for name, value in contract.answer.body.items() if value == "${error}"), None)
    yield Defect(
        f"{check}.crashes-without-error",
        check,
        "The helper crashes on a failed task without an error object.",
        crashing(lambda task: task.error is None),
        where,
        not_applicable=reason,
    )
    yield Defect(
        f"{check}.crashes-on-a-null-error",
        check,
        "The helper crashes on a failed task whose error is null, where it copes without one.",
        crashing(lambda task: task.error is None and member in (task.body or {})),
        where,
        not_applicable=reason or ("" if member else "an answer of this API has no member for the error"),
    )
    for field, path in contract.exception_fields.items():
        if "." in path:
            yield Defect(
                f"{check}.crashes-without-{field}",
                check,
                f"The helper crashes when the error of a failed task has no {path.rpartition('.')[2]}.",
                without(path),
                where,
                not_applicable=reason,
            )


# --- its fields ---------------------------------------------------------------------------------------


def _fields(contract: Contract) -> Iterator[Defect]:
    """Yield what is wrong with one field, as far as a value like the contract's own example can show it."""
    fields = contract.exception_fields
    examples, others = _examples(contract, "1"), _examples(contract, "2")
    names = [*fields, *fields]
    for number, field in enumerate(fields):
        changes = dict(_changes_of_any(field, names[number + 1]))
        if examples[field] != others[field]:
            changes["of-another-task"] = (
                f"{field} is that of the first task that failed on this client.",
                _on_error(_of_another(field)),
            )
        if "." in fields[field]:
            changes |= dict(_changes_of_text(field, examples[field]))
            changes["of-the-first-answer"] = (
                f"{field} is the first answer's and not that of the answer that failed.",
                _of_the_first_answer(fields[field], field),
            )
        else:
            changes["of-the-error"] = (
                f"{field} is taken from the error object where that has a member of the same name.",
                _of_the_error(field),
            )
        for name, (sentence, hooks) in changes.items():
            yield Defect(
                f"exception_field.{field}-{name}", "exception_field", sentence, hooks, {"field": field}
            )


_Change = tuple[str, tuple[str, Hooks]]


def _on_error(change: Callable[[Wait, ModelError], None]) -> Hooks:
    def on_failure(wait: Wait, error: ModelError) -> Exception:
        change(wait, error)
        return error

    return Hooks(on_failure=on_failure)


def _value(field: str, change: Callable[[Any], Any]) -> Hooks:
    """Return hooks that change a field's text, and leave alone what is not a text."""

    def on_error(_wait: Wait, error: ModelError) -> None:
        if isinstance(error.fields.get(field), str):
            error.fields[field] = change(error.fields[field])

    return _on_error(on_error)


def _changes_of_any(field: str, other: str) -> Iterator[_Change]:
    yield "missing", (f"The exception has no {field}.", _on_error(lambda _wait, error: _drop(error, field)))
    yield (
        "empty",
        (f"{field} is always empty.", _on_error(lambda _wait, error: error.fields.update({field: ""}))),
    )
    yield (
        "null",
        (
            f"{field} is always null, as where it is read under another name.",
            _on_error(lambda _wait, error: error.fields.update({field: None})),
        ),
    )
    if other != field:
        swap = _on_error(lambda _wait, error: _swap(error, field, other))
        yield "swapped", (f"{field} and {other} are the wrong way round.", swap)


def _changes_of_text(field: str, value: Json) -> Iterator[_Change]:
    """Yield changes that only some texts show: a word, a sentence, several lines, or one with a number."""
    example = value if isinstance(value, str) else ""
    is_lines, is_sentence = "\n" in example.strip(), " " in example.strip()
    if example and not is_lines and not is_sentence and not re.search(r"\d", example):
        yield "lower-case", (f"{field} is written in lower case.", _value(field, str.lower))
        yield (
            "before-the-colon",
            (
                f"{field} is cut off at its first colon.",
                _value(field, lambda s: s.partition(":")[0]),
            ),
        )
    if example and not is_sentence and re.search(r"\d", example):
        yield "a-number", (f"{field} is read as a number where it looks like one.", _value(field, _number))
        yield (
            "of-the-sdk",
            (
                f"{field} is not the server's but another one, such as the SDK's own.",
                _on_error(_fixed(field, "0.1.0")),
            ),
        )
    if is_lines or is_sentence:
        yield (
            "first-line",
            (f"{field} is cut off after its first line.", _value(field, lambda s: s.partition("\n")[0])),
        )
        yield "stripped", (f"White space is trimmed off {field}.", _value(field, str.strip))
        yield "ten-kilobytes", (f"{field} is cut off after 10 kB.", _value(field, lambda s: s[:10_000]))
        yield "four-kilobytes", (f"{field} is cut off after 4 kB.", _value(field, lambda s: s[:4096]))
    if is_sentence and not is_lines:
        yield (
            "a-pattern",
            (
                f"{field} is used as a format string, and what looks like a placeholder in it is filled in.",
                _value(field, lambda s: s.replace("%d", "0").replace("{0}", "")),
            ),
        )
        yield (
            "the-message",
            (
                f"{field} is not the server's text but another one, such as the exception's whole message.",
                _on_error(_message(field)),
            ),
        )
    if is_lines:
        own = "\tat com.example.Client.wait(Client.java:17)"
        yield (
            "its-own",
            (
                f"{field} is not the server's text but another one, such as the runtime's own stack trace.",
                _on_error(_fixed(field, own)),
            ),
        )


def _drop(error: ModelError, field: str) -> None:
    error.fields.pop(field, None)


def _swap(error: ModelError, one: str, other: str) -> None:
    error.fields[one], error.fields[other] = error.fields[other], error.fields[one]


def _fixed(field: str, value: str) -> Callable[[Wait, ModelError], None]:
    return lambda _wait, error: error.fields.update({field: value})


def _message(field: str) -> Callable[[Wait, ModelError], None]:
    return lambda _wait, error: error.fields.update({field: error.message})


def _number(text: str) -> Json:
    try:
        return float(text)
    except ValueError:
        return text


def _of_another(field: str) -> Callable[[Wait, ModelError], None]:
    def change(wait: Wait, error: ModelError) -> None:
        error.fields[field] = wait.client.memory.setdefault(field, error.fields[field])

    return change


def _of_the_first_answer(path: str, field: str) -> Hooks:
    def on_task(wait: Wait, task: Task) -> Task:
        if task.error is not None:
            wait.memory.setdefault("value", at_path(task.body, path))
        return task

    def on_failure(wait: Wait, error: ModelError) -> Exception:
        error.fields[field] = wait.memory.get("value", error.fields[field])
        return error

    return Hooks(on_task=on_task, on_failure=on_failure)


def _of_the_error(field: str) -> Hooks:
    def on_task(wait: Wait, task: Task) -> Task:
        if isinstance(task.error, dict) and field in task.error:
            wait.memory["value"] = task.error[field]
        return task

    def on_failure(wait: Wait, error: ModelError) -> Exception:
        error.fields[field] = wait.memory.get("value", error.fields[field])
        return error

    return Hooks(on_task=on_task, on_failure=on_failure)


def _examples(contract: Contract, task_id: str) -> Mapping[str, Json]:
    """Return each field as the contract's own example of an error has it for this task."""
    failed = contract.failing_status or next(iter(contract.statuses))
    values: dict[str, Json] = {"task_id": task_id, "token": task_id, "n": 1}
    body = render_body(contract, Step(status=failed, error=contract.error), values)
    return {name: at_path(body, path) for name, path in contract.exception_fields.items()}


# --- the runtime's own stack trace --------------------------------------------------------------------


def language_of(contract: Contract, check: str) -> str:
    """Return the language that a check's requirement applies to, else the model client's own."""
    found = (each.applies_to.language for each in contract.requirements if each.check == check)
    return next((languages[0] for languages in found if languages), "python")


def _native_stack_traces(contract: Contract) -> Iterator[Defect]:
    language = language_of(contract, native_check)
    yield Defect(
        f"{native_check}.overrides-the-runtimes",
        native_check,
        "The exception overrides the runtime's own stack trace, which is empty then.",
        language=language,
        native_stack_frames=0,
    )
    fields = [each.with_.get("field") for each in contract.requirements if each.check == native_check]
    yield Defect(
        f"{native_check}.is-the-runtimes",
        native_check,
        "The accessor for the server's stack trace gives the runtime's own.",
        _on_error(_fixed(str(next(iter(fields), "")), "\tat com.example.Client.wait(Client.java:17)")),
        language=language,
    )
