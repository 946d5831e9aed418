"""Turns the values of a file into a model, and everything that is wrong with them into mistakes.

A `Model` says which keys a part of a file has and of what type they are; `rules` says what must hold
between them. `validate` applies all of it at once: keys first, of which the misspelt ones are put right, then
rules, then values. So a misspelt key is one mistake: it is not also missing, and its value is still checked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, TypeVar, get_args, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from waitproof.errors import closest, nearest
from waitproof.suite.document import Document, shown
from waitproof.suite.yaml import MAX_MISTAKES, MAX_SHOWN, Node, Path
from waitproof.text import either, shorten

__all__ = [
    "BRANCH",
    "DURATION_SCHEMA",
    "MAX_DURATION_S",
    "PASSED_INTERVAL_SCHEMA",
    "Duration",
    "Format",
    "Model",
    "PositiveDuration",
    "Wrong",
    "build",
    "invalid",
    "passed_interval",
    "positive_duration",
    "validate",
    "written_duration",
]


BRANCH = "|"  # begins the tag of a union's branch: pydantic names it in an error's place, a file does not


@dataclass(frozen=True)
class Wrong:
    """A rule that a file breaks.

    Attributes:
        path: Where, from the part that has the rule; empty for the part itself.
    """

    fact: str
    expected: str = ""
    fix: str = ""
    path: Path = ()


class Model(BaseModel):
    """A frozen part of a file: unknown keys are mistakes, and no value is converted.

    `noun` names the part in messages: "a step has no key 'time'".
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)
    noun: ClassVar[str] = "file"

    @classmethod
    def rules(cls, written: Node) -> Iterator[Wrong]:  # noqa: ARG003 - for those that have rules
        """Yield each rule that is broken between the keys of `written`, whatever else is wrong with it."""
        yield from ()

    def has(self, name: str) -> bool:
        """Say whether the author wrote this field, even if as null."""
        return name in self.model_fields_set


_M = TypeVar("_M", bound=Model)


def invalid(fact: str, *, expected: str = "", fix: str = "") -> PydanticCustomError:
    """Return the error that a validator of one value raises, shown like every other mistake of a file."""
    return PydanticCustomError("waitproof", "{fact}", {"fact": fact, "expected": expected, "fix": fix})


def build(model: type[_M], document: Document, check: Callable[[], None] = lambda: None) -> _M:
    """Return the whole document as a `model`.

    Args:
        model: What it is.
        document: Collects its mistakes.
        check: Called to report more of them before they are raised.

    Raises:
        InputError: With every mistake of the document, one for each thing that is wrong.
    """
    built = validate(model, document)
    check()
    document.check()
    assert built is not None
    return built


def validate(model: type[_M], document: Document, path: Path = ()) -> _M | None:
    """Return what is at `path` as a `model`; None if it is not one, which is then reported in the document.

    What is not there at all is an empty mapping.
    """
    written = document.root.at(path) or Node({})
    _correct(model, written, document, path)
    try:
        return model.model_validate_json(json.dumps(written.plain()))
    except ValidationError as error:
        details = error.errors(include_url=False)
        for detail in details:
            detail["loc"] = tuple(step for step in detail["loc"] if not str(step).startswith(BRANCH))
        details.sort(key=lambda detail: document.root.find((*path, *detail["loc"]))[1])
        for detail in details[: MAX_MISTAKES + 1]:
            if not _follows(detail, details):
                _report(model, document, path, detail)
        return None


# --- keys and rules -----------------------------------------------------------------------------------


def _correct(annotation: Any, node: Node, document: Document, path: Path) -> None:
    """Report the unknown keys and broken rules of a node and all in it, and put misspelt keys right."""
    model = _find_model(annotation)
    if isinstance(node.value, dict):
        if model is not None:
            _correct_keys(model, node, node.value, document, path)
        known = {} if model is None else _fields(model)
        for key, child in node.value.items():
            _correct(known[key] if model else _inner(annotation), child, document, (*path, key))
        for wrong in model.rules(node) if model is not None else ():
            document.add((*path, *wrong.path), wrong.fact, expected=wrong.expected, fix=wrong.fix)
    elif isinstance(node.value, tuple):
        for number, child in enumerate(node.value):
            _correct(_inner(annotation), child, document, (*path, number))


def _correct_keys(
    model: type[Model], node: Node, children: dict[str, Node], document: Document, path: Path
) -> None:
    known = list(_fields(model))
    for key in [key for key in children if key not in known]:
        child, at = children.pop(key), node.keys.pop(key)
        if document.is_full:
            continue
        fact = f"{_a(model.noun)} has no key '{key}'"
        expected = either(known) if known else "no key at all"
        document.add_key((*path, key), at, fact, expected=expected, fix=nearest(key, known))
        meant = closest(key, known)
        if meant and meant not in children:
            children[meant], node.keys[meant] = replace(child, is_wrong=True), at


# --- values -------------------------------------------------------------------------------------------

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "tuple_type": "a list",
    "list_type": "a list",
    "too_short": "at least one item",
    "string_too_short": "text that is not empty",
    "string_pattern_mismatch": "text that matches {pattern}",
    "greater_than_equal": "{ge} or more",
    "less_than_equal": "{le} or less",
}


def _follows(detail: ErrorDetails, details: Sequence[ErrorDetails]) -> bool:
    """Say whether a list counts as too short only because its items are wrong."""
    path = detail["loc"]
    return detail["type"] == "too_short" and any(
        other["loc"][: len(path)] == path and len(other["loc"]) > len(path) for other in details
    )


def _report(model: type[Model], document: Document, base: Path, detail: ErrorDetails) -> None:
    steps, context = detail["loc"], detail.get("ctx", {})
    path = (*base, *steps)
    here = _model_at(model, steps)
    if detail["type"] == "missing":
        fact, fix = f"{_a(here.noun)} needs the key '{steps[-1]}'", f"add '{steps[-1]}'"
        document.add(path, fact, fix=fix)
        return
    if detail["type"] == "waitproof":
        fact, expected, fix = context["fact"], context["expected"], context["fix"]
        document.add_wrong_value(path, fact, expected=expected, fix=fix)
        return
    expected = _EXPECTED.get(detail["type"], "{expected}").format_map({"expected": detail["msg"], **context})
    if not steps or (isinstance(steps[-1], int) and here is not _model_at(model, steps[:-1])):
        name = f"the {here.noun}"
    elif isinstance(steps[-1], int):
        name = f"an item of '{[step for step in steps if isinstance(step, str)][-1]}'"
    else:
        name = f"'{steps[-1]}'"
    value = document.root.find(path)[0].plain()
    fix = nearest(shown(value).strip('"'), re.findall(r"'([^']*)'", expected))
    if detail["type"] == "string_type" and isinstance(value, int | float):
        fix = "put it between quotes"
    document.add_wrong_value(path, f"{name} cannot be {shown(value)}", expected=expected, fix=fix)


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


# --- models -------------------------------------------------------------------------------------------


def _fields(model: type[Model]) -> dict[str, Any]:
    """Return the types of a model's fields by the key that an author writes, in the model's order."""
    return {info.alias or name: info.annotation for name, info in model.model_fields.items()}


def _model_at(model: type[Model], path: Path) -> type[Model]:
    """Return the model that `path` leads to, the last that is one."""
    annotation: Any = model
    here = model
    for step in path:
        inside = _find_model(annotation)
        here = inside or here
        annotation = _fields(inside).get(str(step)) if inside else _inner(annotation)
    return _find_model(annotation) or here


def _inner(annotation: Any) -> Any:
    arguments = [argument for argument in get_args(annotation) if argument is not Ellipsis]
    return arguments[-1] if arguments else None


def _find_model(annotation: Any) -> type[Model] | None:
    """Return the model that a type is, that it is when it is not None, or that a branch of a union is."""
    if get_origin(annotation) in (tuple, dict, list):
        return None
    inside = get_args(annotation)
    if any(isinstance(each, Discriminator) for each in inside):
        return next(filter(None, map(_find_model, get_args(inside[0]))), None)
    for each in (annotation, *inside):
        if isinstance(each, type) and issubclass(each, Model):
            return each
    return None


# --- durations and formats ----------------------------------------------------------------------------

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(-?[0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
MAX_DURATION_S = 600.0  # no check waits longer, and a slip of the unit should not cost an hour
MAX_TIMEOUT_S = 366 * 86400.0  # beyond 32 bits of milliseconds, where SDKs go wrong
NO_TIMEOUT_S = 1e9  # for arithmetic: nobody sees it pass


def _signed(value: object, longest_s: float, longest: str) -> float:
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise invalid(
            f"{shown(value)} is not a duration",
            expected="a number with its unit, such as 200ms, 5s or 10m",
        )
    seconds = round(float(match[1]) * _UNITS[match[2]], 6)
    if abs(seconds) > longest_s:
        raise invalid(f"{shorten(match[0], MAX_SHOWN)} is too long", expected=f"{longest} or less")
    return seconds


def _duration(value: object) -> float:
    seconds = _signed(value, MAX_DURATION_S, "10m")
    if seconds < 0:
        raise invalid(f"{value} is negative", expected="a duration of 0 or more")
    return seconds


def passed_interval(value: object) -> float:
    """Return a duration as a caller may pass it for an interval, in seconds: 0 and less are possible."""
    return _signed(value, MAX_DURATION_S, "10m")


def _timeout(value: object) -> float:
    return NO_TIMEOUT_S if value == "none" else _signed(value, MAX_TIMEOUT_S, "366d")


def positive_duration(value: object) -> float:
    """Return a duration above 0, in seconds."""
    seconds = _duration(value)
    if seconds == 0:
        raise invalid(f"{value} is too short", expected="a duration above 0")
    return seconds


def written_duration(seconds: float) -> str:
    """Return seconds as an author writes them."""
    if seconds == NO_TIMEOUT_S:
        return "none"
    return f"{seconds * 1000:.9g}ms" if seconds < 1 else f"{seconds:.9g}s"  # whole microseconds


DURATION_SCHEMA: dict[str, Any] = {
    "type": "string",
    "pattern": r"^[0-9]+(\.[0-9]+)?(ms|s|m)$",
    "examples": ["200ms", "5s"],
}
_SCHEMA = WithJsonSchema(DURATION_SCHEMA)

Duration = Annotated[float, PlainValidator(_duration), PlainSerializer(written_duration), _SCHEMA]
"""Seconds, written with a unit: `200ms`, `5s`, `10m`."""

PositiveDuration = Annotated[
    float, PlainValidator(positive_duration), PlainSerializer(written_duration), _SCHEMA
]

PASSED_INTERVAL_SCHEMA: dict[str, Any] = {
    "type": "string",
    "pattern": r"^-?[0-9]+(\.[0-9]+)?(ms|s|m|h|d)$",
    "examples": ["200ms", "30d"],
}

PassedTimeout = Annotated[
    float,
    PlainValidator(_timeout),
    PlainSerializer(written_duration),
    WithJsonSchema({"anyOf": [PASSED_INTERVAL_SCHEMA, {"const": "none"}]}),
]
"""A timeout as a caller passes it: also 0 and less, up to a year, and `none`, which is `NO_TIMEOUT_S`."""


def _format(value: object) -> int:
    if type(value) is int and value == 1:  # true and 1.0 are equal to 1 too
        return 1
    fix = "use the waitproof that this file was written for"
    raise invalid(f"'format' cannot be {shown(value)}", expected="1", fix=fix)


Format = Annotated[
    int, PlainValidator(_format), WithJsonSchema({"const": 1, "type": "integer", "title": "Format"})
]
"""The number of a file's format, so that a later one is refused rather than misread."""
