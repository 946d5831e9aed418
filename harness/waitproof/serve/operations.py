"""The table of what the control API does; its routes and its OpenAPI description are made from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel

from waitproof.suite import Json

__all__ = ["OPERATIONS", "PREFIX", "Operation", "operation"]

PREFIX = "/_waitproof"

_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Operation:
    """One thing that the API does.

    Attributes:
        method: HTTP method.
        path: Below the prefix; `{task_id}` and `{name}` are handed to the handler.
        id: Its name in the description, and so in generated clients.
        text: What it does: one sentence, then perhaps more after an empty line.
        handler: Called with the control, the request, the path's values, and `body` if it has a model.
        body: Model of the request's body.
        answer: Model of the answer; None for 204, which has no body, and for what is not JSON.
        http: Status code of the answer.
        query: Description and JSON Schema of each parameter of the query.
        refusals: Status codes of refusals, besides those that follow from path, query and body.
    """

    method: str
    path: str
    id: str
    text: str
    handler: Callable[..., Any]
    body: type[BaseModel] | None = None
    answer: type[BaseModel] | None = None
    http: int = 200
    query: Mapping[str, tuple[str, Mapping[str, Json]]] | None = None
    refusals: tuple[int, ...] = ()


OPERATIONS: list[Operation] = []


def operation(method: str, path: str, operation_id: str, **more: Any) -> Callable[[_F], _F]:
    """Enter a method of `Control` into the table; its docstring describes the operation."""

    def enter(handler: _F) -> _F:
        text = "\n".join(line.strip() for line in (handler.__doc__ or "").splitlines()).strip()
        OPERATIONS.append(Operation(method, path, operation_id, text, handler, **more))
        return handler

    return enter
