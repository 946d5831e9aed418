"""Text of a YAML file turned into values that know where they stand.

Reading is strict: one pass over the parser's events refuses what would surprise an author (aliases,
tags, duplicate keys, YAML 1.1's `no`, `1:30`, `010`, dates and `.nan`) and never expands anything, so
that no file can cost more than its size. `build` then makes a model of the values and turns every
validation error into a `Mistake` with a position. Finding and opening files is `suite`'s business.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Annotated, Any, ClassVar, TypeAlias, TypeVar, cast, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, PlainSerializer, PlainValidator, ValidationError, WithJsonSchema
from pydantic_core import ErrorDetails, PydanticCustomError

from waitproof.errors import InputError, Mistake, nearest

__all__ = [
    "Duration",
    "Format",
    "Json",
    "Model",
    "Node",
    "build",
    "invalid",
    "limited",
    "mistake_at",
    "read",
    "shown",
]

Json: TypeAlias = Any  # pydantic's JsonValue copies and checks every payload again; the parser has done that

MAX_DEPTH = 64  # far below Python's recursion limit, far above any payload a person writes
MAX_SHOWN = 100  # characters of an author's line that an error repeats
MAX_MISTAKES = 100  # of one file: nobody reads more at once, and no file may cost more than its size

# What no YAML reader takes (libyaml does not say where it stands), and line ends that editors do not count.
_FORBIDDEN = re.compile(yaml.reader.Reader.NON_PRINTABLE.pattern + "|[\x85\u2028\u2029]")
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where the wheel has it: same events, faster

_NULLS = {"", "~", "null", "Null", "NULL"}
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_SURPRISES = (
    (re.compile(r"(?i:y|n|yes|no|on|off)"), "some YAML readers take it for true or false"),
    (re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"), "some YAML readers take it for base 60"),
    (re.compile(r"[-+]?0[0-9_]+"), "some YAML readers take it for an octal number"),
    (re.compile(r"[-+]?0[xXbBoO][0-9a-fA-F_]+"), "it may be text or a number in another base"),
    (re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?"), "some YAML readers take it for a date"),
    (re.compile(r"[-+]?\.(?i:inf|nan)"), "JSON has no such number"),
    (
        re.compile(r"[-+]?\.?[0-9][0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?"),
        "some YAML readers take it for a number",
    ),
    (re.compile(r"=|<<"), "YAML gives it a meaning of its own"),
)


@dataclass(frozen=True)
class Node:
    """A value of a file with its place: a scalar, a list of nodes or a mapping of nodes.

    Attributes:
        value: `None`, bool, int, float, str, a tuple of nodes, or a dict from key to node.
        line: Line of its first character, from 1.
        column: Column of its first character, from 1.
        keys: For a mapping: line and column of each key.
        source: The whole file's lines, shared by all of its nodes.
    """

    value: bool | int | float | str | tuple[Node, ...] | dict[str, Node] | None
    line: int
    column: int
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)
    source: Sequence[str] = ()

    def plain(self) -> Json:
        """Return the value without positions, as JSON would carry it."""
        if isinstance(self.value, tuple):
            return [child.plain() for child in self.value]
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        return self.value

    def find(self, path: Sequence[str | int]) -> tuple[Node, tuple[int, int]]:
        """Return the deepest node on `path` that exists, and the position to point at.

        The position is that of the key when the last step found is a key of a mapping.
        """
        node, at = self, (self.line, self.column)
        for step in path:
            if isinstance(node.value, dict) and step in node.value:
                node, at = node.value[str(step)], node.keys[str(step)]
            elif isinstance(node.value, tuple) and isinstance(step, int) and step < len(node.value):
                node = node.value[step]
                at = (node.line, node.column)
        return node, at


def read(text: str, place: str) -> Node:
    """Return the one document in `text`.

    Args:
        text: A whole YAML file.
        place: Its name in messages, usually the path that its author typed.

    Raises:
        InputError: The text is not YAML, or uses what this reader refuses; all of a file at once, but for
            a syntax error, after which nothing can be read.
    """
    return _Reader(text, place).read()


class _Reader:
    def __init__(self, text: str, place: str) -> None:
        self.text = text.removeprefix("\ufeff")
        self.lines = self.text.splitlines()
        self.place = place
        self.mistakes: list[Mistake] = []

    def read(self) -> Node:
        for forbidden in islice(_FORBIDDEN.finditer(self.text), MAX_MISTAKES):
            self._forbidden(forbidden.start())
        if self.mistakes:
            raise InputError(self.mistakes)
        try:
            root = self._parsed()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            fact = "this is not YAML: " + (error.problem or error.context or "it cannot be parsed")
            self._mistake((line, column), fact, fix=_syntax_fix(error.problem or ""))
            root = None
        if self.mistakes or root is None:
            raise InputError(self.mistakes)
        return root

    def _parsed(self) -> Node | None:
        """Parse the text.

        libyaml's newest has a limit of its own to nesting, and reads so far ahead that ours has no chance to
        tell the place. The parser in Python has none; it is slow, and stops at the 65th level.
        """
        try:
            return self._document(yaml.parse(self.text, Loader=_Loader))
        except yaml.MarkedYAMLError as error:
            if "nesting depth" not in (error.problem or ""):
                raise
        self.mistakes.clear()
        return self._document(yaml.parse(self.text, Loader=yaml.SafeLoader))

    def _document(self, events: Iterator[Any]) -> Node | None:
        root: Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent) and root is not None:
                self._mistake(_at(event), "a second document starts here", expected="one document a file")
                return root
            if isinstance(event, yaml.NodeEvent):
                root = self._node(event, events, depth=0)
                if root is None:
                    return None
        if root is None:
            self.mistakes.append(Mistake(f"{self.place}:1:1", "the file is empty"))
        return root

    def _node(self, event: Any, events: Iterator[Any], depth: int) -> Node | None:
        at = _at(event)
        if depth > MAX_DEPTH:
            self._mistake(at, f"nested more than {MAX_DEPTH} levels deep", fix="flatten the value")
            return None
        if len(self.mistakes) >= MAX_MISTAKES:
            self.mistakes.append(_more(self.place))
            return None
        if isinstance(event, yaml.AliasEvent):
            self._mistake(at, f"an alias (*{event.anchor})", expected="the value itself, written out")
            return Node(None, *at)
        if event.anchor:
            self._mistake(at, f"an anchor (&{event.anchor})", expected="a value without a name")
        if event.tag:
            self._mistake(at, f"a tag ({event.tag})", expected="a plain value")
        if isinstance(event, yaml.ScalarEvent):
            return Node(self._scalar(event), *at, source=self.lines)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(at, events, depth)
        return self._mapping(at, events, depth)

    def _sequence(self, at: tuple[int, int], events: Iterator[Any], depth: int) -> Node | None:
        children = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            child = self._node(event, events, depth + 1)
            if child is None:
                return None
            children.append(child)
        return Node(tuple(children), *at, source=self.lines)

    def _mapping(self, at: tuple[int, int], events: Iterator[Any], depth: int) -> Node | None:
        children: dict[str, Node] = {}
        keys: dict[str, tuple[int, int]] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._node(event, events, depth + 1)
            child = self._node(next(events), events, depth + 1) if key is not None else None
            if key is None or child is None:
                return None
            name = event.value if isinstance(event, yaml.ScalarEvent) else None
            if name is None:
                self._mistake(_at(event), "a key that is not text", expected="a name")
            elif name in children:
                first_line = keys[name][0]
                self._mistake(
                    _at(event), f"key '{name}' stands twice", fix=f"line {first_line} has the first"
                )
            else:
                children[name], keys[name] = child, _at(event)
        return Node(children, *at, keys=keys, source=self.lines)

    def _scalar(self, event: Any) -> bool | int | float | str | None:
        text = str(event.value)
        if not _is_unicode(text):
            self._mistake(_at(event), "half of a surrogate pair", expected="whole Unicode characters")
            return ""
        if event.style:  # quoted or block text is text
            return text
        if text in _NULLS:
            return None
        if text in _BOOLEANS:
            return _BOOLEANS[text]
        if _INTEGER.fullmatch(text):
            return self._integer(event, text)
        if _FLOAT.fullmatch(text):
            number = float(text)
            if math.isfinite(number):
                return number
            fix = f'quote it if it is text: "{text}"'
            self._mistake(_at(event), f"the number {text} is too large", fix=fix)
            return text
        for pattern, why in _SURPRISES:
            if pattern.fullmatch(text):
                self._mistake(
                    _at(event), f"'{text}' is ambiguous: {why}", fix=f'quote it if it is text: "{text}"'
                )
                break
        return text

    def _integer(self, event: Any, text: str) -> int:
        if len(text) <= MAX_SHOWN:  # Python refuses to convert thousands of digits, and nobody means them
            return int(text)
        self._mistake(_at(event), f"a number of {len(text)} digits", expected=f"{MAX_SHOWN} or fewer")
        return 0

    def _forbidden(self, index: int) -> None:
        before = re.split("\r\n?|\n", self.text[:index])
        code = ord(self.text[index])
        fact = f"the character U+{code:04X} must not stand here as it is"
        fix = "" if 0xD800 <= code <= 0xDFFF else f'write "\\u{code:04x}" between double quotes'
        self.mistakes.append(Mistake(f"{self.place}:{len(before)}:{len(before[-1]) + 1}", fact, fix=fix))

    def _mistake(self, at: tuple[int, int], fact: str, *, expected: str = "", fix: str = "") -> None:
        self.mistakes.append(_mistake(self.place, self.lines, at, fact, expected=expected, fix=fix))


def _mistake(
    place: str, lines: Sequence[str], at: tuple[int, int], fact: str, *, expected: str, fix: str
) -> Mistake:
    found = lines[at[0] - 1].strip() if at[0] <= len(lines) else ""
    return Mistake(f"{place}:{at[0]}:{at[1]}", _cut(fact, 2 * MAX_SHOWN), _cut(found), expected, _cut(fix))


def _cut(text: str, most: int = MAX_SHOWN) -> str:
    return text if len(text) <= most else text[:most] + "…"


def _more(place: str) -> Mistake:
    return Mistake(place, f"reading stopped after {MAX_MISTAKES} mistakes", fix="fix these first")


def mistake_at(
    node: Node, path: Sequence[str | int], place: str, fact: str, *, expected: str = "", fix: str = ""
) -> Mistake:
    """Return a mistake of what lies at `path` in a file, whose root is `node`."""
    _, at = node.find(path)
    return _mistake(place, node.source, at, fact, expected=expected, fix=fix)


def limited(mistakes: Iterable[Mistake], place: str) -> list[Mistake]:
    """Return the mistakes of one file, as many as somebody reads."""
    first = list(islice(mistakes, MAX_MISTAKES + 1))
    return first if len(first) <= MAX_MISTAKES else [*first[:MAX_MISTAKES], _more(place)]


def shown(value: object) -> str:
    """Return an author's value as a message shows it."""
    return _cut(json.dumps(value, ensure_ascii=False))


def _at(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _syntax_fix(problem: str) -> str:
    if "mapping values" in problem:
        return "quote text that contains ': ', and check the indentation of this line"
    if "cannot start any token" in problem:
        return "indent with spaces, and quote text that starts with a special character"
    return ""


# --- values into models -------------------------------------------------------------------------------


class Model(BaseModel):
    """A frozen part of a file: unknown keys are mistakes, and no value is converted.

    `noun` names the part in messages: "a step has no key 'time'".
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)
    noun: ClassVar[str] = "file"

    @classmethod
    def key_names(cls) -> list[str]:
        """Return the keys as an author writes them, in the model's order."""
        return [info.alias or name for name, info in cls.model_fields.items()]

    def has(self, name: str) -> bool:
        """Say whether the author wrote this field, were it as null."""
        return name in self.model_fields_set


_M = TypeVar("_M", bound=Model)


def invalid(fact: str, *, expected: str = "", fix: str = "") -> PydanticCustomError:
    """Return the error that a validator raises, told like every other mistake of a file."""
    context = {"fact": fact, "expected": expected, "fix": fix}
    return PydanticCustomError("waitproof", "{fact}", context)


def build(model: type[_M], node: Node, place: str) -> _M:
    """Return `node` as a `model`.

    Raises:
        InputError: With one mistake for each thing that is wrong, each at its position.
    """
    try:
        return model.model_validate_json(json.dumps(node.plain()))
    except ValidationError as error:
        details = sorted(error.errors(include_url=False), key=lambda each: node.find(each["loc"])[1])
        told = (_explain(model, node, place, each) for each in details if not _follows(each, details))
        raise InputError(limited(told, place)) from None


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


def _explain(model: type[Model], root: Node, place: str, detail: ErrorDetails) -> Mistake:
    path, context = detail["loc"], detail.get("ctx", {})
    node, at = root.find(path)
    here = _model_at(model, path)
    name = str(path[-1]) if path else ""
    expected = _EXPECTED.get(detail["type"], "{expected}").format_map({"expected": detail["msg"], **context})
    if detail["type"] == "extra_forbidden":
        known = here.key_names()
        fact, expected = f"{_a(here.noun)} has no key '{name}'", _either(known) if known else "no key at all"
        return _mistake(place, root.source, at, fact, expected=expected, fix=nearest(name, known))
    if detail["type"] == "missing":
        fact = f"{_a(here.noun)} needs the key '{name}'"
        return _mistake(place, root.source, at, fact, expected="", fix=f"add '{name}'")
    if detail["type"] == "waitproof":
        expected, fix = context["expected"], context["fix"]
        return _mistake(place, root.source, at, context["fact"], expected=expected, fix=fix)
    if not path or (isinstance(path[-1], int) and here is not _model_at(model, path[:-1])):
        name = f"the {here.noun}"
    elif isinstance(path[-1], int):
        name = f"an item of '{[step for step in path if isinstance(step, str)][-1]}'"
    else:
        name = f"'{name}'"
    value = shown(node.plain())
    fix = nearest(value.strip('"'), re.findall(r"'([^']*)'", expected))
    if detail["type"] == "string_type" and isinstance(node.value, int | float):
        fix = "put it between quotes"
    return _mistake(place, root.source, at, f"{name} cannot be {value}", expected=expected, fix=fix)


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _either(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _model_at(model: type[Model], path: Sequence[str | int]) -> type[Model]:
    """Return the model that `path` leads to, the last that is one."""
    annotation: Any = model
    here = model
    for step in path:
        if _is_model(annotation):
            here = cast("type[Model]", annotation)
            fields = {info.alias or name: info for name, info in here.model_fields.items()}
            if step not in fields:
                return here
            annotation = fields[str(step)].annotation
        else:
            annotation = _inner(annotation)
        annotation = _find_model(annotation) or annotation
    found = _find_model(annotation)
    return here if found is None else found


def _inner(annotation: Any) -> Any:
    arguments = [argument for argument in get_args(annotation) if argument is not Ellipsis]
    return arguments[-1] if arguments else None


def _find_model(annotation: Any) -> type[Model] | None:
    if get_origin(annotation) in (tuple, dict, list):
        return None
    found: list[type[Model]] = [each for each in (annotation, *get_args(annotation)) if _is_model(each)]
    return found[0] if found else None


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Model)


# --- durations and formats ----------------------------------------------------------------------------

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m)")
MAX_DURATION_S = 600.0  # no check waits longer, and a slip of the unit should not cost an hour


def _duration(value: object) -> float:
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise invalid(
            f"{shown(value)} is not a duration",
            expected="a number with its unit, such as 200ms, 5s or 10m",
        )
    seconds = round(float(match[1]) * _UNITS[match[2]], 6)
    if seconds > MAX_DURATION_S:
        raise invalid(f"{_cut(match[0])} is too long", expected="10m or less")
    return seconds


def _written(seconds: float) -> str:
    return f"{seconds * 1000:.9g}ms" if seconds < 1 else f"{seconds:.9g}s"  # whole microseconds


Duration = Annotated[
    float,
    PlainValidator(_duration),
    PlainSerializer(_written),
    WithJsonSchema(
        {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(ms|s|m)$", "examples": ["200ms", "5s"]}
    ),
]
"""Seconds, written with a unit: `200ms`, `5s`, `10m`."""


def _format(value: object) -> int:
    if type(value) is int and value == 1:  # true and 1.0 are equal to 1 too
        return 1
    fix = "use the waitproof that this file was written for"
    raise invalid(f"'format' cannot be {shown(value)}", expected="1", fix=fix)


Format = Annotated[
    int, PlainValidator(_format), WithJsonSchema({"const": 1, "type": "integer", "title": "Format"})
]
"""The number of a file's format, so that a later one is refused rather than misread."""
