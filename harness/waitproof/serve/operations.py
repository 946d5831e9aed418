"""The table of what the control API does; its routes and its OpenAPI description are made from it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_type_hints

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
        handler: Called with the control, the path's values, the query's, and `body` if it has a model.
        body: Model of the request's body.
        answer: Model of the answer; None for 204, which has no body, and for what is not JSON.
        http: Status code of the answer.
        query: Description and JSON Schema of each parameter of the query; "" stands for one that is absent.
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
    query: Mapping[str, tuple[str, Mapping[str, Json]]] = field(default_factory=dict)
    refusals: tuple[int, ...] = ()


OPERATIONS: list[Operation] = []


def operation(method: str, path: str, **more: Any) -> Callable[[_F], _F]:
    """Enter a method of `Control` into the table, described by its name, docstring and annotations."""

    def enter(handler: _F) -> _F:
        first, *words = handler.__name__.split("_")
        models = {
            name: hint
            for name, hint in get_type_hints(handler).items()
            if isinstance(hint, type) and issubclass(hint, BaseModel)
        }
        OPERATIONS.append(
            Operation(
                method,
                path,
                id=first + "".join(word.capitalize() for word in words),
                text=inspect.getdoc(handler) or "",
                handler=handler,
                body=models.get("body"),
                answer=models.get("return"),
                **more,
            )
        )
        return handler

    return enter
