"""Reads YAML into values that know their positions.

Reading is strict: one pass over the parser's events refuses what would surprise an author (aliases, tags,
duplicate keys, YAML 1.1's `no`, `1:30`, `010`, dates and `.nan`) and never expands anything, so that no file
costs more than its size. It goes on after a mistake, and marks the value that has it. What else is wrong with
a file is collected in its `document`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, NoReturn, TypeAlias

import yaml

__all__ = ["MAX_MISTAKES", "MAX_SHOWN", "Json", "Node", "Path", "Position", "Reader", "unsendable"]

Json: TypeAlias = Any  # pydantic's JsonValue copies and checks every payload again; the parser has done that
Path: TypeAlias = tuple[str | int, ...]  # keys and indices, from the root of a file
Position: TypeAlias = tuple[int, int]  # line and column, from 1

MAX_DEPTH = 64  # far below Python's recursion limit, far above any payload a person writes
MAX_SHOWN = 100  # characters of an author's line that an error repeats
MAX_MISTAKES = 100  # of one file: nobody reads more at once, and no file may cost more than its size

# What no YAML reader takes (libyaml does not give its position), and line ends that editors do not count.
_BARE_PLACEHOLDER = re.compile(r"[:,{\[] *(\$\{[a-z_]{1,20}(?::[^}]{0,20})?\})")
_FORBIDDEN = re.compile(yaml.reader.Reader.NON_PRINTABLE.pattern + "|[\x85\u2028\u2029]")
_REPLACEMENT = "\ufffd"
_SURROGATE = re.compile("[\ud800-\udfff]")
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
    (re.compile(r"=|<<"), "it has a special meaning in YAML"),
)
_ANY_SURPRISE = re.compile("|".join(f"(?:{pattern.pattern})" for pattern, _ in _SURPRISES))


@dataclass(frozen=True)
class Node:
    """A value of a file with its position: a scalar, a list of nodes or a mapping of nodes.

    Attributes:
        value: `None`, bool, int, float, str, a tuple of nodes, or a dict from key to node.
        line: Line of its first character, from 1.
        column: Column of its first character, from 1.
        keys: For a mapping: line and column of each key.
        is_wrong: A mistake has been reported about this value, or about the key that it belongs to.
    """

    value: bool | int | float | str | tuple[Node, ...] | dict[str, Node] | None
    line: int = 1
    column: int = 1
    keys: dict[str, Position] = field(default_factory=dict)
    is_wrong: bool = False

    def plain(self) -> Json:
        """Return the value without positions, as JSON would carry it."""
        if isinstance(self.value, tuple):
            return [child.plain() for child in self.value]
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        return self.value

    def get(self, key: str) -> Node:
        """Return the value of a key; a null where there is no such key, or this is not a mapping."""
        nothing = Node(None, self.line, self.column)
        return self.value.get(key, nothing) if isinstance(self.value, dict) else nothing

    def has(self, key: str) -> bool:
        """Say whether a key has a value other than null, be it a wrong one."""
        child = self.get(key)
        return child.value is not None or child.is_wrong

    def items(self, key: str) -> tuple[Node, ...]:
        """Return the items of the list under a key; nothing where there is no list."""
        listed = self.get(key).value
        return listed if isinstance(listed, tuple) else ()

    def names(self, *keys: str) -> tuple[str, ...]:
        """Return the keys of this mapping, or of one below it; nothing where there is no mapping."""
        node = self.at(keys)
        return tuple(node.value) if node is not None and isinstance(node.value, dict) else ()

    def at(self, path: Sequence[str | int]) -> Node | None:
        """Return the node on `path`, None where there is none."""
        node: Node | None = self
        for step in path:
            if node is None:
                return None
            if isinstance(node.value, dict):
                node = node.value.get(str(step))
            elif isinstance(node.value, tuple) and isinstance(step, int) and step < len(node.value):
                node = node.value[step]
            else:
                return None
        return node

    def find(self, path: Sequence[str | int]) -> tuple[Node, Position]:
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

    def holds_a_mistake(self) -> bool:
        """Say whether a mistake has been reported about this value or anything in it."""
        if self.is_wrong:
            return True
        value = self.value
        children = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else ()
        return any(child.holds_a_mistake() for child in children)


class _StoppedError(Exception):
    """The rest cannot be read; the mistake has been noted."""


class Reader:
    """Makes nodes of one text.

    Attributes:
        text: What is read: characters that no YAML reader takes have been replaced.
        mistakes: What is wrong with it so far: position, fact, expected and fix.
    """

    def __init__(self, text: str) -> None:
        text = text.removeprefix("\ufeff")
        self.mistakes: list[tuple[Position, str, str, str]] = []
        for forbidden in islice(_FORBIDDEN.finditer(text), MAX_MISTAKES + 1):
            self._forbidden(text, forbidden.start())
        self._has_replaced = bool(self.mistakes)  # the replacement may also be what the author wrote
        self.text = _FORBIDDEN.sub(_REPLACEMENT, text)

    def read(self) -> Node | None:
        """Return the root, None when nothing can be read."""
        try:
            return self._parsed()
        except _StoppedError:
            return None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            at = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            fact = "this is not YAML: " + (error.problem or error.context or "it cannot be parsed")
            line = self.text.splitlines()[at[0] - 1 : at[0]]
            self.mistakes.append((at, fact, "", _syntax_fix(error.problem or "", "".join(line))))
            return None

    def _parsed(self) -> Node:
        """Parse the text.

        The newest libyaml limits nesting, and reads so far ahead that it reaches its limit before this reader
        can give the position of ours. The parser in Python has no limit; it is slow, and stops at the 65th
        level.
        """
        known = len(self.mistakes)
        try:
            return self._document(yaml.parse(self.text, Loader=_Loader))
        except yaml.MarkedYAMLError as error:
            if "nesting depth" not in (error.problem or ""):
                raise
        del self.mistakes[known:]
        return self._document(yaml.parse(self.text, Loader=yaml.SafeLoader))

    def _document(self, events: Iterator[Any]) -> Node:
        root: Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent) and root is not None:
                self._add(event, "a second document starts here", expected="one document per file")
                break
            if isinstance(event, yaml.NodeEvent):
                root = self._node(event, events, depth=0)
        if root is None:
            self._stop((1, 1), "the file is empty")
        return root

    def _node(self, event: Any, events: Iterator[Any], depth: int) -> Node:
        at = _at(event)
        if depth > MAX_DEPTH:
            self._stop(at, f"nested more than {MAX_DEPTH} levels deep", fix="flatten the value")
        if len(self.mistakes) > MAX_MISTAKES:
            raise _StoppedError
        if isinstance(event, yaml.AliasEvent):
            self._add(event, f"an alias (*{event.anchor})", expected="the value itself, written out")
            return Node(None, *at, is_wrong=True)
        if event.anchor:
            self._add(event, f"an anchor (&{event.anchor})", expected="a value without a name")
        if event.tag:
            self._add(event, f"a tag ({event.tag})", expected="a plain value")
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return Node(tuple(self._items(events, depth)), *at, is_wrong=bool(event.tag))
        return self._mapping(event, events, depth)

    def _items(self, events: Iterator[Any], depth: int) -> Iterator[Node]:
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                return
            yield self._node(event, events, depth + 1)

    def _mapping(self, start: Any, events: Iterator[Any], depth: int) -> Node:
        children: dict[str, Node] = {}
        keys: dict[str, Position] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._node(event, events, depth + 1)
            child = self._node(next(events), events, depth + 1)
            name = event.value if isinstance(event, yaml.ScalarEvent) else None
            if name is None:
                self._add(event, "a key that is not text", expected="a name")
            elif name in children:
                fix = f"line {keys[name][0]} has the first"
                self._add(event, f"key '{name}' appears twice", fix=fix)
                children[name] = replace(children[name], is_wrong=True)
            else:
                children[name] = replace(child, is_wrong=True) if key.is_wrong else child
                keys[name] = _at(event)
        return Node(children, *_at(start), keys=keys, is_wrong=bool(start.tag))

    def _scalar(self, event: Any) -> Node:
        text = str(event.value)
        fact, expected, fix = "", "", ""
        value: bool | int | float | str | None = text
        if _SURROGATE.search(text):
            value, fact, expected = "", "half of a surrogate pair", "whole Unicode characters"
        elif event.style:  # quoted or block text is text
            pass
        elif text in _NULLS:
            value = None
        elif text in _BOOLEANS:
            value = _BOOLEANS[text]
        elif _INTEGER.fullmatch(text):
            if len(text) <= MAX_SHOWN:  # Python refuses to convert thousands of digits, and nobody means them
                value = int(text)
            else:
                fact, expected = f"a number of {len(text)} digits", f"{MAX_SHOWN} or fewer"
        elif _FLOAT.fullmatch(text) and math.isfinite(float(text)):
            value = float(text)
        else:
            fact = _surprise(text)
            fix = f'quote it if it is text: "{text}"' if fact else ""
        if fact:
            self._add(event, fact, expected=expected, fix=fix)
        is_cut = self._has_replaced and _REPLACEMENT in text
        return Node(value, *_at(event), is_wrong=bool(fact or event.tag or is_cut))

    def _forbidden(self, text: str, index: int) -> None:
        before = re.split("\r\n?|\n", text[:index])
        code = ord(text[index])
        fix = "" if 0xD800 <= code <= 0xDFFF else f'write "\\u{code:04x}" between double quotes'
        fact = f"the character U+{code:04X} cannot appear here as it is"
        self.mistakes.append(((len(before), len(before[-1]) + 1), fact, "", fix))

    def _add(self, event: Any, fact: str, *, expected: str = "", fix: str = "") -> None:
        self.mistakes.append((_at(event), fact, expected, fix))

    def _stop(self, at: Position, fact: str, *, fix: str = "") -> NoReturn:
        self.mistakes.append((at, fact, "", fix))
        raise _StoppedError


def unsendable(value: Json) -> str:
    """Return why a value that did not come from a file cannot be sent as JSON, "" if it can.

    What a `Reader` returns can always be sent.
    """
    level: list[Json] = [value]
    for _ in range(MAX_DEPTH):
        for each in level:
            if isinstance(each, float) and not math.isfinite(each):
                return "JSON has no such number"
            texts = each if isinstance(each, dict) else [each] if isinstance(each, str) else ()
            if any(_SURROGATE.search(text) for text in texts):
                return "half of a surrogate pair"
        level = [
            child
            for each in level
            if isinstance(each, dict | list | tuple)
            for child in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return ""
    return f"nested more than {MAX_DEPTH} levels deep"


def _at(event: Any) -> Position:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _surprise(text: str) -> str:
    """Return why some reader may take a plain scalar for something else, "" when none does."""
    if _FLOAT.fullmatch(text):
        return f"the number {text} is too large"
    if not _ANY_SURPRISE.fullmatch(text):  # one look, where most text has none
        return ""
    return next(
        (f"'{text}' is ambiguous: {why}" for pattern, why in _SURPRISES if pattern.fullmatch(text)), ""
    )


def _syntax_fix(problem: str, line: str) -> str:
    bare = _BARE_PLACEHOLDER.search(line)
    if "did not find expected" in problem and bare:
        return f'quote a placeholder within {{…}} and […]: "{bare[1]}"'
    if "mapping values" in problem:
        return "quote text that contains ': ', and check the indentation of this line"
    if "cannot start any token" in problem:
        return "indent with spaces, and quote text that starts with a special character"
    return ""
