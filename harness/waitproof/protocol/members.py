"""The members of an adapter's messages, checked by pydantic, and what is wrong with them in words."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

from pydantic import Field, TypeAdapter, ValidationError

from waitproof.errors import nearest
from waitproof.protocol.values import (
    MAX_COUNT,
    MAX_RESOLUTION_S,
    MIN_RESOLUTION_S,
    OPTIONS,
    ExceptionKind,
    JsonObject,
    Text,
)
from waitproof.text import either

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = [
    "SHOWN_CHARS",
    "Call",
    "ExceptionMember",
    "FaultError",
    "Greeting",
    "Sdk",
    "quoted",
    "unknown_word",
    "validated",
]

MAX_ELAPSED_S = 1e12  # even the microseconds of a call that takes a week, reported as seconds, are a number
SHOWN_CHARS = 120  # of a line, in a message: enough for the id and the outcome, and it fits a terminal


class FaultError(Exception):
    """What is wrong, before the line is known that it is wrong in."""

    def __init__(self, fact: str, *, expected: str = "", fix: str = "") -> None:
        self.fact = fact
        self.expected = expected
        self.fix = fix
        super().__init__(fact)


@dataclass(frozen=True)
class Greeting:
    """A hello, its parts unread."""

    sdk: dict[str, Any]
    helper: Text
    result_path: Text
    capabilities: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Sdk:
    """What SDK an adapter calls."""

    name: Text
    version: Text
    language: Text
    runtime: Text


@dataclass(frozen=True)
class Call:
    """What every answer to a call has."""

    outcome: Any
    elapsed: Annotated[float, Field(strict=True, ge=0, le=MAX_ELAPSED_S)] = 0.0


@dataclass(frozen=True)
class ExceptionMember:
    """An answer's exception, unread."""

    exception: dict[str, Any]


_COUNT = f"a whole number, from 0 to {MAX_COUNT}"
_RESOLUTION = f"seconds, from {MIN_RESOLUTION_S:g} to {MAX_RESOLUTION_S:g}"
_EXPECTED = {  # by the key of the member, where it isn't a string
    "sdk": "an object with name, version, language and runtime",
    "capabilities": "an object",
    "exception": "an object with kind, type, message and fields",
    "fields": "an object",
    "message": "a string or null",
    "elapsed": f"seconds, from 0 to {MAX_ELAPSED_S:g}",
    "wait": "true or false",
    "get_task": "true or false",
    "non_blocking": "true or false",
    "end": "true or false",
    "cancel": "true or false",
    "no_timeout": "true or false",
    "schedules": "true or false",
    "zero_values": "true or false",
    "options_together": "true or false",
    "operations": "a list of strings",
    "options": "a list of strings",
    "required_options": "a list of strings",
    "variants": "a list of strings",
    "max_concurrency": _COUNT,
    "native_stack_frames": _COUNT,
    "copies": "an object; for each way to copy it, true or a text",
    "poll_interval_resolution": _RESOLUTION,
    "timeout_resolution": _RESOLUTION,
}
_WORDS: dict[str, tuple[str, tuple[str, ...]]] = {  # by the key of the member that has some of these
    "options": ("option", OPTIONS),
    "required_options": ("option", OPTIONS),
    "returns": ("returns", ("task", "result", "nothing")),
}
_M = TypeVar("_M", bound="DataclassInstance")
_validator = functools.cache(TypeAdapter)


def validated(kind: type[_M], members: JsonObject, where: str) -> _M:
    """Return the members as a value; unknown members are ignored, as the protocol allows additions."""
    known = {name: members[name] for name in kind.__dataclass_fields__ if name in members}
    try:
        value: _M = _validator(cast("Any", kind)).validate_python(known)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = str(first["loc"][0])
        if first["type"] == "missing":
            raise FaultError(f"{where} has no '{key}'") from None
        if first["type"] == "enum":
            raise unknown_word(where, key, members[key], tuple(ExceptionKind)) from None
        if first["type"] == "literal_error" and key in _WORDS:
            what, words = _WORDS[key]
            raise unknown_word(where, what, first["input"], words) from None
        fact = f"{where} has '{key}': {quoted(members[key])}"
        raise FaultError(fact, expected=_EXPECTED.get(key, "a string")) from None
    return value


def unknown_word(where: str, what: str, value: object, known: tuple[str, ...]) -> FaultError:
    """Return that a value is none of the known words."""
    fact = f"{where} has the unknown {what} {quoted(value)}"
    return FaultError(fact, expected=either(known), fix=_nearest(value, known))


def _nearest(value: object, known: Iterable[str]) -> str:
    """Return `nearest`, but only for a word: comparing takes time with the square of the length."""
    return nearest(value, known) if isinstance(value, str) and len(value) <= SHOWN_CHARS else ""


def quoted(value: object) -> str:
    """Return a value from an adapter as short ASCII JSON; it may hold anything, lone surrogates too."""
    text = json.dumps(value)
    return text if len(text) <= SHOWN_CHARS // 2 else f"{text[: SHOWN_CHARS // 2]}…"
