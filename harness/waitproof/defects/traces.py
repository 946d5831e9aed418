"""Defects of what is left of a call: the exception's message, its cause and its copies."""

from __future__ import annotations

from collections.abc import Iterator

from waitproof.defects.client import Hooks, Wait
from waitproof.defects.defect import Defect, Ending
from waitproof.defects.outcomes import without_failures
from waitproof.defects.wire import ModelError
from waitproof.suite import Contract

__all__ = ["trace_defects"]


def trace_defects(contract: Contract) -> Iterator[Defect]:
    """Yield the defects of this module for one contract."""
    yield from _copies()
    yield from _messages(contract)


# --- copies of an exception ---------------------------------------------------------------------------


def _copies() -> Iterator[Defect]:
    check = "exception_survives_copying"
    missing = "TypeError: __init__() missing 1 required positional argument: 'message'"
    yield Defect(
        f"{check}.not-read-again",
        check,
        "A pickled exception cannot be read again, because its constructor wants other arguments.",
        copies={"pickle": missing, "copy": missing},
    )
    yield Defect(
        f"{check}.loses-its-fields",
        check,
        "A copy of the exception lacks its fields.",
        copies={"pickle": True, "copy": "fields was {'task_id': '1'}, and is {} in the copy"},
    )


# --- its message and its cause ------------------------------------------------------------------------


def _messages(contract: Contract) -> Iterator[Defect]:
    reason = without_failures(contract)
    check = "exception_has_a_message"
    yield Defect(
        f"{check}.of-a-failed-task",
        check,
        "The exception of a failed task has fields, but no message.",
        Hooks(on_failure=lambda _wait, error: _saying(error, "")),
        not_applicable=reason,
    )
    yield Defect(
        f"{check}.of-a-timeout",
        check,
        "The timeout's exception has no message.",
        Hooks(on_timeout=lambda _wait, error: _saying(error, "")),
    )
    yield Defect(
        "record_message.fixed",
        "record_message",
        "The message of a failed task is the same for every task.",
        Hooks(on_failure=lambda _wait, error: _saying(error, "the task failed")),
        ending=Ending.RECORDED,
        not_applicable=reason,
    )
    yield Defect(
        "record_cause.dropped",
        "record_cause",
        "A failed poll raises an exception that does not lead to the HTTP library's.",
        Hooks(on_poll_error=_without_cause),
        ending=Ending.RECORDED,
    )


def _saying(error: ModelError, message: str) -> ModelError:
    return ModelError(error.kind, error.cause, message, fields=error.fields, http=error.http)


def _without_cause(_wait: Wait, error: ModelError) -> Exception:
    error.__cause__ = None
    return error
