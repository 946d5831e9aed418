"""Defects of what the caller is given when the deadline has passed: the exception, its type, its fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from waitproof.defects.client import Hooks, Instead, Wait
from waitproof.defects.defect import Defect
from waitproof.defects.wire import LANGUAGE, ModelError
from waitproof.protocol import ExceptionKind
from waitproof.suite import Contract, Json

__all__ = ["timeout_defects", "without_fields"]


def timeout_defects(contract: Contract) -> Iterator[Defect]:
    """Yield the defects of this module for one contract."""
    check, promise = "raises_timeout", contract.timeout

    def raising(other: ExceptionKind) -> Hooks:
        return Hooks(on_timeout=lambda _wait, error: ModelError(other, error.cause, error.message))

    def with_fields(fields: Mapping[str, Json]) -> Hooks:
        return Hooks(
            on_timeout=lambda _wait, error: ModelError(
                error.kind, error.cause, error.message, fields=fields, type_name=error.type_name
            )
        )

    def unless(kind: str, type_name: str) -> str:
        if not promise.fits(kind, type_name, LANGUAGE):
            return ""
        return f"the timeout's exception is {promise.promised(LANGUAGE).removeprefix('an exception ')}"

    every: tuple[tuple[str, str, Hooks, str], ...] = (
        (
            "bare-error",
            "The helper raises the language's own timeout error.",
            Hooks(on_timeout=lambda _wait, error: TimeoutError(error.message)),
            unless("other", "TimeoutError"),
        ),
        (
            "returns-nothing",
            "The helper returns null at its timeout.",
            Hooks(on_timeout=lambda _wait, _error: Instead(None)),
            "",
        ),
        (
            "other-fields",
            "The fields of the timeout's exception do not name a timeout.",
            with_fields(dict.fromkeys(contract.timeout.fields, "connection")),
            without_fields(contract),
        ),
        (
            "no-fields",
            "The timeout's exception lacks its fields.",
            with_fields({}),
            without_fields(contract),
        ),
        (
            "task-exception",
            "The helper raises the exception of a failed task at its timeout.",
            raising(ExceptionKind.TASK),
            unless("task", "TaskException"),
        ),
    )
    if promise.pattern(LANGUAGE) is not None:
        name, sentence = "of-another-type", "The timeout's exception is not of the documented type."
        other = "Misfortune"
        every += ((name, sentence, _named(other), unless(str(promise.kind), other)),)
    for name, sentence, hooks, reason in every:
        yield Defect(f"{check}.{name}", check, sentence, hooks, not_applicable=reason)


def _named(type_name: str) -> Hooks:
    """Return hooks whose timeout is right in all but its type."""

    def on_timeout(_wait: Wait, error: ModelError) -> Exception:
        return ModelError(error.kind, error.cause, error.message, fields=error.fields, type_name=type_name)

    return Hooks(on_timeout=on_timeout)


def without_fields(contract: Contract) -> str:
    """Return why a defect of the timeout's fields does not apply, "" where it has some."""
    return "" if contract.timeout.fields else "the timeout's exception has no documented fields"
