"""The OpenAPI description of the control API, made from its table of operations and their models."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from waitproof.serve import models
from waitproof.serve.operations import PREFIX, Operation

__all__ = ["openapi"]

REFUSALS = {
    400: "The body is not JSON.",
    403: "A browser sent this on behalf of another site's page.",
    404: "There is no such task or scenario.",
    413: "The body is larger than 64 KiB; the answer is in the words of the served API.",
    415: "The body's type is not application/json.",
    422: "The request can be read but is wrong.",
    503: "Too many streams are open.",
}
DESCRIPTION = (
    "Makes tasks, shows them and steers them while an SDK waits on them. Pages of other sites may not use it."
)
_REFERENCE = "#/components/schemas/{model}"


class _Schema(GenerateJsonSchema):
    """A schema without what readers don't need: a title for each member, and `null` as a default."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's name
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """Return what a member is when it is there: in a request, none of them may be null."""
        if self.mode == "validation":
            return self.generate_inner(schema["schema"])
        return super().nullable_schema(schema)


def openapi(operations: Sequence[Operation], base_url: str, example: str) -> dict[str, Any]:
    """Return the description of the control API of a server.

    Args:
        operations: What it does.
        base_url: Where the server listens.
        example: Name of a scenario, for the example of a request that makes a task.
    """
    used: list[tuple[type[BaseModel] | None, JsonSchemaMode]] = [
        (models.Refusal, "serialization"),
        (models.Changes, "serialization"),
    ]
    for each in operations:
        used += [(each.body, "validation"), (each.answer, "serialization")]
    wanted = [(model, mode) for model, mode in dict.fromkeys(used) if model is not None]
    _, definitions = models_json_schema(wanted, ref_template=_REFERENCE, schema_generator=_Schema)
    definitions["$defs"][models.NewTask.__name__]["examples"] = [{"scenario": example}]
    paths: dict[str, dict[str, Any]] = {}
    for each in operations:
        paths.setdefault(f"{PREFIX}{each.path}", {})[each.method.lower()] = _described(each)
    refusals = {
        f"Refused{http}": _content(text, {"type": "object"} if http == 413 else _reference(models.Refusal))
        for http, text in REFUSALS.items()
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "waitproof serve: control API", "version": "1", "description": DESCRIPTION},
        "servers": [{"url": base_url}],
        "paths": paths,
        "components": {"schemas": definitions["$defs"], "responses": refusals},
    }


def _described(what: Operation) -> dict[str, Any]:
    summary, _, description = what.text.partition("\n")
    described: dict[str, Any] = {"operationId": what.id, "summary": summary}
    if description:
        described["description"] = description.strip().replace("\n", " ")
    parameters = list(_parameters(what))
    if parameters:
        described["parameters"] = parameters
    if what.body is not None:
        is_required = any(field.is_required() for field in what.body.model_fields.values())
        is_required |= what.body is models.NewTask
        body = {"application/json": {"schema": _reference(what.body)}}
        described["requestBody"] = {"required": is_required, "content": body}
    answers = {str(what.http): _answer(what)}
    answers |= {str(http): {"$ref": f"#/components/responses/Refused{http}"} for http in _refusals(what)}
    return described | {"responses": answers}


def _parameters(what: Operation) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", what.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    for name, (text, schema) in (what.query or {}).items():
        yield {"name": name, "in": "query", "required": False, "description": text, "schema": schema}


def _answer(what: Operation) -> dict[str, Any]:
    if what.answer is not None:
        answer = _content(what.answer.__doc__ or "", _reference(what.answer))
    elif what.id == "events":
        answer = {"description": "Events.", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
    elif what.http == 204:
        answer = {"description": "Done."}
    else:
        answer = _content("OpenAPI 3.1.", {"type": "object"})
    if what.http == 201:
        location = {"description": "Path of the task.", "schema": {"type": "string"}}
        answer["headers"] = {"Location": location}
    return answer


def _refusals(what: Operation) -> list[int]:
    found = {403, *what.refusals}
    found |= {404} if "{" in what.path else set()
    found |= {400, 413, 415, 422} if what.body is not None else set()
    found |= {422} if what.query and what.answer is not None else set()
    return sorted(found)


def _reference(model: type[BaseModel]) -> Mapping[str, str]:
    return {"$ref": _REFERENCE.format(model=model.__name__)}


def _content(text: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": schema}}}
