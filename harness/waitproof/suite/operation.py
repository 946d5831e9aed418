"""Requests that begin tasks: what they look like, and which task one of them means.

A request names its task by a scenario's token, in its body or in its path. Some requests name nothing, such
as one without a body: the task that such a request begins is the only one that waits for it. The live mock
server and the simulated one both decide by this module.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Protocol, TypeVar
from urllib.parse import quote, unquote_to_bytes

from pydantic import Field

from waitproof.suite.model import Model, Wrong
from waitproof.suite.template import at_path
from waitproof.suite.yaml import Json, Node

__all__ = ["BeginRequest", "Operation", "Operations"]

IN_PATH = "{token}"


class Begun(Protocol):
    """A task that a request may begin."""

    @property
    def token(self) -> str:
        """What the request has in it, "" where it has nothing."""

    @property
    def begun_by(self) -> str:
        """The operation that begins it, "" for none."""


_T = TypeVar("_T", bound=Begun)


class Operation(Model):
    """A request that begins a task.

    `token` is the dotted path to a scenario's token in its body; it is left out where the path has `{token}`,
    and where nothing in the request names the task. `arguments` is an example of what an adapter is given to
    begin it.
    """

    noun: ClassVar[str] = "operation"
    method: Literal["POST", "PUT", "DELETE", "PATCH", "GET"] = "POST"
    path: Annotated[str, Field(pattern="^/")]
    token: str | None = None
    arguments: dict[str, Json] = {}
    status: Annotated[int, Field(ge=200, le=299)] = 200
    body: dict[str, Json]

    @classmethod
    def rules(cls, written: Node) -> Iterator[Wrong]:
        """A token has one place."""
        path = str(written.get("path").plain())
        count = path.count(IN_PATH)
        if count > 1 or (count and written.has("token")):
            yield Wrong(
                "the token has two places",
                expected=f"one {IN_PATH} in 'path', or 'token' with the place in the body",
                path=("path",),
            )

    @property
    def names_its_task(self) -> bool:
        """Whether something in its requests says which task they begin."""
        return self.token is not None or IN_PATH in self.path

    @property
    def place(self) -> str:
        """Where the token is, in words; "" where it is nowhere."""
        if IN_PATH in self.path:
            return f"the path {self.path}"
        return "" if self.token is None else f"'{self.token}' in the body"

    @property
    def why_no_task(self) -> str:
        """Why a request of it begins no task, where it does not."""
        if IN_PATH in self.path:
            return f"the path has no scenario's token in place of {IN_PATH}: {self.path}"
        if self.token is not None:
            return f"the body has no scenario's token at '{self.token}'"
        return "nothing in this request names a task, and there is not exactly one that waits for it"

    def path_for(self, text: str) -> str:
        """Return the path with a text in place of the token."""
        return self.path.replace(IN_PATH, quote(text, safe=""))

    def pattern(self) -> re.Pattern[str]:
        """Return a pattern that matches the raw path and captures what is in place of the token, if any."""
        before, found, after = self.path.partition(IN_PATH)
        return re.compile(re.escape(before) + ("([^/?]+)" if found else "") + re.escape(after))


@dataclass(frozen=True, slots=True)
class BeginRequest:
    """A request whose method and path are those of an operation.

    Attributes:
        name: The operation's name in the contract.
        in_path: What the path has in place of the token, None where it has no token.
    """

    name: str
    operation: Operation
    in_path: str | None = None

    def named(self, body: bytes | None) -> str | None:
        """Return the text that has the token in it, None where there is none."""
        if self.in_path is not None or self.operation.token is None:
            return self.in_path
        try:
            text = at_path(json.loads(body or b"null"), self.operation.token)
        except (ValueError, RecursionError):
            return None
        return text if isinstance(text, str) else None

    def begins(self, body: bytes | None, tasks: Iterable[_T]) -> _T | None:
        """Return the task that a request with this body begins, None if there is none."""
        if not self.operation.names_its_task:
            waiting = [task for task in tasks if task.begun_by == self.name]
            return waiting[0] if len(waiting) == 1 else None
        text = self.named(body)
        if text is None:
            return None
        fitting = [task for task in tasks if task.token and task.token in text]
        return max(fitting, key=lambda task: len(task.token), default=None)  # the longest, should several fit


class Operations:
    """A contract's operations, by the method and the path of a request."""

    def __init__(self, operations: Mapping[str, Operation]) -> None:
        self._plain: dict[tuple[str, str], BeginRequest] = {}
        self._patterns: list[tuple[str, re.Pattern[str], BeginRequest]] = []
        for name, each in operations.items():
            request = BeginRequest(name, each)
            if IN_PATH in each.path:
                self._patterns.append((each.method, each.pattern(), request))
            else:
                self._plain.setdefault((each.method, each.path), request)

    def find(self, method: str, path: str) -> BeginRequest | None:
        """Return what a request means, by its method and its path without a query; None for no operation."""
        plain = self._plain.get((method, path))
        if plain is not None:
            return plain
        for wanted, pattern, request in self._patterns:
            found = pattern.fullmatch(path) if method == wanted else None
            if found is not None:
                text = unquote_to_bytes(found[1].encode("latin-1", "replace")).decode("utf-8", "replace")
                return BeginRequest(request.name, request.operation, text)
        return None
