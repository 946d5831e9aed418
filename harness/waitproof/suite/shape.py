"""What a wait helper of one API is like: what ends a wait, what its caller gets, and how it gives up.

The parts of a contract that differ from vendor to vendor in kind and not only in words. Which of them a
contract has, and where, is `contract`'s business.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    PlainSerializer,
    PlainValidator,
    Tag,
    WithJsonSchema,
)

from waitproof.suite.document import shown
from waitproof.suite.model import BRANCH, Model, Wrong, invalid
from waitproof.suite.yaml import Json, Node

__all__ = [
    "AppliesTo",
    "Pattern",
    "Returns",
    "Status",
    "StatusMeaning",
    "StatusRule",
    "TimeoutPromise",
    "Variant",
]


class StatusMeaning(StrEnum):
    """What a status must lead a wait helper to do."""

    KEEP_POLLING = "keep_polling"
    RETURN_RESULT = "return_result"
    RAISE_TASK = "raise_task"


class Returns(StrEnum):
    """What a wait hands to its caller, from the most to the least.

    `task`: the task, as an object, of which a part is compared. `result`: what the answer has at `${result}`,
    which is compared exactly. `nothing`: only that the wait returned is judged.
    """

    TASK = "task"
    RESULT = "result"
    NOTHING = "nothing"

    def narrowed(self, other: str | None) -> Returns:
        """Return the one of the two that is less; None for the other is no limit."""
        words = list(Returns)
        return self if other is None else max(self, Returns(other), key=words.index)


class Status(Model):
    """What a status leads to, and whether it says that the task failed.

    A status that raises says so anyway; one that is returned does only with `fails: true`.
    """

    noun: ClassVar[str] = "status"
    means: StatusMeaning
    fails: bool = False

    @classmethod
    def rules(cls, written: Node) -> Iterator[Wrong]:
        """A task that has failed has ended."""
        if written.get("fails").value is True and written.get("means").value == StatusMeaning.KEEP_POLLING:
            yield Wrong("a task that has failed is not polled on", expected="return_result or raise_task")


def _branch(value: object) -> str:
    return BRANCH + ("status" if isinstance(value, dict | Status) else "meaning")


StatusRule = Annotated[
    Annotated[StatusMeaning, Tag(f"{BRANCH}meaning")] | Annotated[Status, Tag(f"{BRANCH}status")],
    Discriminator(_branch),
]
"""A meaning, or a `Status`: `failed: {means: return_result, fails: true}`."""


def _words(known: tuple[str, ...] = ()) -> BeforeValidator:
    """Return the validator of a text or a list of them, as a tuple; only `known` ones if there are some."""

    def validate(value: object) -> tuple[str, ...]:
        words = [value] if isinstance(value, str) else value
        if isinstance(words, list | tuple) and words and all(_is_word(each, known) for each in words):
            return tuple(words)
        of = f" of {', '.join(known)}" if known else ""
        raise invalid(f"a condition cannot be {shown(value)}", expected=f"a text{of}, or a list of texts")

    return BeforeValidator(validate)  # not PlainValidator, which warns of a tuple that it writes as JSON


def _is_word(value: object, known: tuple[str, ...]) -> bool:
    return isinstance(value, str) and (not known or value in known)


def _one_or_more(schema: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [schema, {"type": "array", "items": schema, "minItems": 1}]})


_RETURNS = tuple(each.value for each in Returns)
_Words = Annotated[tuple[str, ...], _words(), PlainSerializer(list), _one_or_more({"type": "string"})]
_ReturnsWords = Annotated[
    tuple[str, ...], _words(_RETURNS), PlainSerializer(list), _one_or_more({"enum": list(_RETURNS)})
]


class Variant(Model):
    """Another way to call the helper: which options make it, and what statuses then lead to."""

    noun: ClassVar[str] = "variant"
    options: dict[str, Json] = {}
    statuses: dict[str, StatusRule] = {}


class Conditions(Model):
    """What an adapter reports about itself in its hello; a list has alternatives."""

    noun: ClassVar[str] = "condition of a requirement"
    language: _Words | None = None
    non_blocking: bool | None = None
    cancel: bool | None = None
    no_timeout: bool | None = None
    variant: _Words | None = None
    returns: _ReturnsWords | None = None


class AppliesTo(Conditions):
    """Which SDKs a requirement is about; a condition that is left out does not restrict it.

    An SDK that meets any condition under `not` is left out.
    """

    not_: Conditions | None = Field(default=None, alias="not")


def _pattern(value: object) -> str:
    if not isinstance(value, str):
        raise invalid(f"{json.dumps(value)} is not a pattern", expected="a regular expression")
    try:
        re.compile(value)
    except re.error as error:
        raise invalid(f"the pattern {json.dumps(value)} cannot be read: {error}") from None
    return value


_PATTERN_SCHEMA: dict[str, Any] = {"type": "string", "format": "regex"}
Pattern = Annotated[str, PlainValidator(_pattern), WithJsonSchema(_PATTERN_SCHEMA)]


def _types(value: object) -> str | dict[str, str]:
    if isinstance(value, dict) and value:
        return {language: _pattern(pattern) for language, pattern in value.items()}
    if not isinstance(value, str):
        expected = "a regular expression, or one for each language: {python: …, go: …}"
        raise invalid(f"'type' cannot be {shown(value)}", expected=expected)
    return _pattern(value)


Types = Annotated[
    str | dict[str, str],
    PlainValidator(_types),
    WithJsonSchema(
        {
            "anyOf": [
                _PATTERN_SCHEMA,
                {"type": "object", "additionalProperties": _PATTERN_SCHEMA, "minProperties": 1},
            ]
        }
    ),
]


class TimeoutPromise(Model):
    """How a helper tells its caller that the deadline has passed, as far as that is documented.

    `type` is a pattern for the exception's type, one for all languages or one for each; a language that has
    none may raise any. Without `kind` and `type`, any exception will do but that of a failed task.
    """

    noun: ClassVar[str] = "timeout"
    kind: Literal["transport", "task", "api", "other"] | None = None
    type: Types | None = None
    fields: dict[str, Json] = {}

    def pattern(self, language: str) -> str | None:
        """Return the pattern that a type must match in this language, None where any will do."""
        if not isinstance(self.type, Mapping):
            return self.type
        return next((own for name, own in self.type.items() if name.casefold() == language.casefold()), None)

    def fits(self, kind: str, type_name: str, language: str) -> bool:
        """Say whether an exception can be the timeout's, as far as its kind and type show.

        A type that is written like the pattern fits: it is what `a_type` returns where it finds no name.
        """
        pattern = self.pattern(language)
        if self.kind is None and pattern is None:
            return kind != "task"
        return self.kind in (None, kind) and (
            pattern in (None, type_name) or re.search(pattern, type_name) is not None
        )

    def promised(self, language: str) -> str:
        """Return what is promised, as words that follow "the call raises"."""
        pattern = self.pattern(language)
        if self.kind is None and pattern is None:
            return "an exception, not that of a failed task"
        of_kind = f" of kind {self.kind}" if self.kind else ""
        return f"an exception{of_kind}" + ("" if pattern is None else f" whose type matches {pattern}")

    def a_type(self, language: str) -> str | None:
        """Return a type's name that fits, None where any does; the pattern itself where no name is found."""
        pattern = self.pattern(language)
        return None if pattern is None else _matching(pattern) or pattern


_TOKEN = re.compile(r"\w+|[^\w\s]")
_MOST_TRIES = 50_000


@lru_cache(maxsize=64)
def _matching(pattern: str) -> str | None:
    """Return a text that a pattern for names matches, put together from the pattern's own words."""
    tokens = _TOKEN.findall(pattern)
    chosen = (
        parts for number in range(1, len(tokens) + 1) for parts in itertools.combinations(tokens, number)
    )
    texts = ("".join(parts) for parts in itertools.islice(chosen, _MOST_TRIES))
    return next((text for text in texts if re.search(pattern, text)), None)
