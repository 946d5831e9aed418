"""What the caller must see of one call: a result, an exception or a cancellation, and how many polls."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema

from waitproof.errors import nearest
from waitproof.suite.document import shown
from waitproof.suite.model import Model, Wrong, invalid
from waitproof.suite.yaml import Json, Node
from waitproof.text import plural

__all__ = ["Expect", "PollCount", "Raises"]

_KINDS = ("task", "transport", "api", "other", "timeout")
_KIND_SCHEMA: dict[str, Any] = {"enum": list(_KINDS)}


def _kinds(value: object) -> tuple[str, ...]:
    kinds = [value] if isinstance(value, str) else value
    if isinstance(kinds, list) and kinds and all(kind in _KINDS for kind in kinds):
        return tuple(kinds)
    raise invalid(
        f"'kind' cannot be {shown(value)}",
        expected="task, transport, api, other or timeout, or a list of them",
        fix=nearest(value, _KINDS) if isinstance(value, str) else "",
    )


class Raises(Model):
    """The exception that the caller must see; several kinds are alternatives.

    `timeout` is what the contract promises for a deadline that has passed, whatever kind that is.
    """

    noun: ClassVar[str] = "raises"
    kind: Annotated[
        tuple[str, ...],
        PlainValidator(_kinds),
        WithJsonSchema({"anyOf": [_KIND_SCHEMA, {"type": "array", "items": _KIND_SCHEMA, "minItems": 1}]}),
    ]
    fields: dict[str, Json] = {}


class PollCount(Model):
    """How many polls a call makes."""

    noun: ClassVar[str] = "polls"
    at_least: Annotated[int, Field(ge=0)] = 0
    at_most: Annotated[int, Field(ge=0)] | None = None

    def holds(self, count: int) -> bool:
        """Say whether `count` is right."""
        return self.at_least <= count and (self.at_most is None or count <= self.at_most)

    def __str__(self) -> str:
        if self.at_most is None:
            return f"{self.at_least} polls or more"
        if self.at_least == self.at_most:
            return plural(self.at_least, "poll")
        return f"{self.at_least} to {self.at_most} polls"


def _poll_count(value: object) -> PollCount:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return PollCount(at_least=value, at_most=value)
    if isinstance(value, dict) and value and set(value) <= {"at_least", "at_most"}:
        least, most = value.get("at_least", 0), value.get("at_most", math.inf)
        if all(type(bound) is int for bound in value.values()) and 0 <= least <= most:
            return PollCount(at_least=least, at_most=value.get("at_most"))
    raise invalid(
        f"'polls' cannot be {shown(value)}", expected="a whole number, or {at_least: n, at_most: m}"
    )


_COUNT_SCHEMA: dict[str, Any] = {"type": "integer", "minimum": 0}
_BOUNDS_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "minProperties": 1,
    "properties": {"at_least": _COUNT_SCHEMA, "at_most": _COUNT_SCHEMA},
}
Polls = Annotated[
    PollCount,
    PlainValidator(_poll_count),
    PlainSerializer(lambda count: count.model_dump(exclude_none=True)),
    WithJsonSchema({"anyOf": [_COUNT_SCHEMA, _BOUNDS_SCHEMA]}),
]


class Expect(Model):
    """What the caller must see of one call."""

    noun: ClassVar[str] = "expectation"
    returns: Json = None
    raises: Raises | None = None
    task: dict[str, Json] | None = None
    cancelled: bool | None = None
    polls: Polls | None = None

    @classmethod
    def rules(cls, written: Node) -> Iterator[Wrong]:
        """A call has one outcome, and only `returns` can be null."""
        names = written.names()
        for name in ("raises", "task", "cancelled", "polls"):
            if name in names and not written.has(name):
                yield Wrong(f"'{name}' cannot be null", fix=f"leave '{name}' out", path=(name,))
        if written.get("cancelled").value is False:
            yield Wrong("'cancelled' cannot be false", fix="leave 'cancelled' out", path=("cancelled",))
        if sum(name in names for name in ("returns", "raises", "task", "cancelled")) > 1:
            yield Wrong(
                "a call has one outcome", expected="one of 'returns', 'raises', 'task' and 'cancelled'"
            )

    def parts(self) -> Iterator[str]:
        """Yield what is expected, in the words that checks use: the names of the fields."""
        return (name for name in ("returns", "raises", "task", "cancelled", "polls") if self.has(name))
