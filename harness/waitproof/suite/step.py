"""One step of a task: what the server says for some polls in a row, and how its answers travel.

A step says a status, or its answers go wrong. When a step's turn is over is `task`'s business, and how an
answer is compressed and cut into chunks `sending`'s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema

from waitproof.suite.document import shown
from waitproof.suite.model import Duration, Model, Wrong, invalid
from waitproof.suite.yaml import Json, Node

__all__ = ["CONTROL", "FOREVER", "REDIRECTS", "Drop", "Fault", "Step"]

MAX_TIMES = 1_000_000
FOREVER = 0  # as `times`: a step without end, written `forever`
REDIRECTS = frozenset({301, 302, 303, 307, 308})

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OF_A_STATUS = {"result", "error", "body", "omit", "encoding", "chunked"}
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# What the server writes itself: anything else there would break the answer's end.
_SERVERS_OWN = {"content-length": "remove it", "transfer-encoding": "write 'chunked: true' in its place"}


def _times(value: object) -> int:
    if value == "forever":
        return FOREVER
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_TIMES:
        return value
    raise invalid(f"'times' cannot be {shown(value)}", expected="a whole number from 1, or forever")


Times = Annotated[
    int,
    PlainValidator(_times),
    PlainSerializer(lambda value: "forever" if value == FOREVER else value),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"const": "forever"}]}),
]


def _headers(headers: dict[str, str]) -> dict[str, str]:
    for name, text in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise invalid(f"{shown(name)} is not a header's name", expected="letters, digits and hyphens")
        if name.lower() in _SERVERS_OWN:
            raise invalid(f"'{name}' is the server's own header", fix=_SERVERS_OWN[name.lower()])
        if CONTROL.search(text):
            raise invalid(f"'{name}' cannot be {shown(text)}", expected="text without line ends")
    return headers


Headers = Annotated[dict[str, str], AfterValidator(_headers)]


class Drop(StrEnum):
    """How a connection ends in place of an answer."""

    BEFORE_RESPONSE = "before-response"
    RESET = "reset"
    MID_BODY = "mid-body"


class Fault(Model):
    """An answer that goes wrong: an HTTP error, text in place of JSON, or a dropped connection."""

    noun: ClassVar[str] = "fault"
    http: Annotated[int, Field(ge=300, le=599)] | None = None
    drop: Drop | None = None
    text: str | None = None
    headers: Headers = {}
    body: dict[str, Json] | None = None

    @classmethod
    def rules(cls, written: Node) -> Iterator[Wrong]:
        """A fault is a dropped connection or one answer."""
        has_answer, has_drop = written.has("http") or written.has("text"), written.has("drop")
        if has_answer == has_drop:
            yield Wrong("a fault is one thing", expected="drop, or an answer: http, text or both")
        elif written.has("body") and not written.has("http"):
            yield Wrong("only an http fault has a body", expected="text for an answer that is not JSON")
        if written.has("body") and written.has("text") and written.has("http"):
            yield Wrong("an answer has one body", expected="one of 'body' and 'text'")
        if written.names("headers") and has_drop:
            yield Wrong("a dropped connection sends no headers", fix="remove 'headers'")


class Step(Model):
    """What the server says for some polls in a row."""

    noun: ClassVar[str] = "step"
    status: str | None = None
    times: Times = 1
    for_: Duration | None = Field(default=None, alias="for")
    delay: Duration = 0.0
    result: Json = None
    error: Json = None
    body: dict[str, Json] = {}
    omit: tuple[str, ...] = ()
    headers: Headers = {}
    encoding: Literal["gzip"] | None = None
    chunked: bool = False
    close_after: Duration | None = None
    fault: Fault | None = None

    @classmethod
    def rules(cls, written: Node) -> Iterator[Wrong]:
        """A step is a status or a fault."""
        if written.has("status") == written.has("fault"):
            yield Wrong("a step is a status or a fault", expected="exactly one of 'status' and 'fault'")
        elif written.has("fault"):
            extra = sorted(_OF_A_STATUS.intersection(written.names()))
            if extra:
                yield Wrong(f"a fault has no '{extra[0]}'", fix="put it under the step that has a status")
            if "headers" in written.names():
                yield Wrong("a step with a fault has no 'headers'", fix="put them under 'fault'")

    @property
    def most_polls(self) -> int:
        """How many polls it answers at most, FOREVER for any number; `for_` can end it sooner."""
        is_limited = self.for_ is None or "times" in self.model_fields_set
        return self.times if is_limited else FOREVER

    @property
    def is_plain(self) -> bool:
        """Whether it answers each request alike, in one piece."""
        return not (self.headers or self.encoding or self.chunked)

    @property
    def redirects(self) -> bool:
        """Whether its answer leads to another URL, so that the next request may be the same poll."""
        fault = self.fault
        return (
            fault is not None
            and fault.http in REDIRECTS
            and any(name.lower() == "location" for name in fault.headers)
        )

    @property
    def label(self) -> str:
        """A word for the step in a timeline: its status, `503`, `drop` or `text`."""
        if self.fault is None:
            return self.status or ""
        if self.fault.http is not None:
            return str(self.fault.http)
        return "text" if self.fault.drop is None else f"drop:{self.fault.drop.value}"
