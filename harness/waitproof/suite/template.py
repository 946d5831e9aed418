"""Placeholders in bodies and expectations: `${task_id}`, `${token}`, `${n}`, `${text:2MiB}`.

Headers may have `${date:2s}` too: the time of day in so long, as HTTP writes dates.

A string that is one placeholder and nothing else becomes the value itself, whatever its type; inside
longer text the value is written out. The same function fills what the mock server says and what the
caller must see, so that the two can be compared exactly.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from email.utils import formatdate
from functools import lru_cache

from waitproof.suite.yaml import Json, Path

__all__ = ["at_path", "check", "dotted", "fill", "path_of", "placeholders", "walk"]

_PLACEHOLDER = re.compile(r"\$\{([a-z_]+)(?::([^}]*))?\}")
_SIZE = re.compile(r"([0-9]{1,9})(B|KiB|MiB)")
_INDEX = re.compile(r"[0-9]{1,9}")
_SECONDS = re.compile(r"([0-9]{1,6})s")
_UNITS = {"B": 1, "KiB": 1024, "MiB": 1024 * 1024}
_MAX_TEXT = 8 * 1024 * 1024  # half of what an adapter may answer in one line, including escapes


def fill(value: Json, values: Mapping[str, Json]) -> Json:
    """Return `value` with its placeholders filled in, at any depth and in keys too.

    Args:
        value: What has placeholders.
        values: By name; `date` is the time of day in nanoseconds since 1970, where dates may be written.

    Raises:
        ValueError: A placeholder is not known, or its size is not one.
    """
    if isinstance(value, str):
        return _fill_text(value, values)
    if isinstance(value, Mapping):
        return {str(_fill_text(key, values)): fill(child, values) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [fill(child, values) for child in value]
    return value


def placeholders(value: Json) -> Iterator[str]:
    """Yield the name of every placeholder in `value`."""
    return (match[1] for match in _matches(value))


def check(value: Json, names: Collection[str]) -> None:
    """Make sure that `fill` will succeed with values of these names, without making any text.

    Raises:
        ValueError: A placeholder is not known, or its size is not one; "what is wrong: how to fix it".
    """
    length = 0
    for match in _matches(value):
        if match[1] == "text" and match[2] is not None:
            length += _length(match[2])
        elif match[1] == "date" and match[2] is not None and "date" in names:
            _seconds(match[2])
        elif match[2] is not None or match[1] not in names:
            raise _unknown(match, names)
    if length > _MAX_TEXT:
        raise ValueError(f"texts of {length:,} bytes in one place: 8MiB at most")


def at_path(value: Json, path: str) -> Json:
    """Return what is at a dotted path ("error.type", "items.0"), or None if there is nothing."""
    for step in path.split(".") if path else ():
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list | tuple) and _INDEX.fullmatch(step) and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def path_of(template: Json, name: str, *, is_part: bool = False) -> Path | None:
    """Return where a template has `${name}`, alone unless it may be a part of a text, or None."""
    placeholder = "${" + name + "}"
    for path, text in walk(template):
        if isinstance(text, str) and (text == placeholder or (is_part and placeholder in text)):
            return path
    return None


def dotted(path: Path) -> str:
    """Return a path as `at_path` reads it."""
    return ".".join(map(str, path))


def walk(value: Json, path: Path = ()) -> Iterator[tuple[Path, Json]]:
    """Yield a value and everything in it, each with its path; what holds others comes before them."""
    yield path, value
    if isinstance(value, Mapping):
        for key, child in value.items():
            yield from walk(child, (*path, key))
    elif isinstance(value, list | tuple):
        for number, child in enumerate(value):
            yield from walk(child, (*path, number))


def _matches(value: Json) -> Iterator[re.Match[str]]:
    if isinstance(value, str):
        yield from _PLACEHOLDER.finditer(value)
    elif isinstance(value, Mapping):
        for key, child in value.items():
            yield from _matches(key)
            yield from _matches(child)
    elif isinstance(value, list | tuple):
        for child in value:
            yield from _matches(child)


def _fill_text(text: str, values: Mapping[str, Json]) -> Json:
    whole = _PLACEHOLDER.fullmatch(text)
    if whole:
        return _value(whole, values)
    return _PLACEHOLDER.sub(lambda match: str(_value(match, values)), text)


def _value(match: re.Match[str], values: Mapping[str, Json]) -> Json:
    name, argument = match[1], match[2]
    if name == "text" and argument is not None:
        return _text(argument)
    if name == "date" and argument is not None and isinstance(values.get("date"), int):
        return formatdate(values["date"] / 1e9 + _seconds(argument), usegmt=True)
    if argument is not None or name not in values:
        raise _unknown(match, values)
    return values[name]


def _unknown(match: re.Match[str], names: Collection[str]) -> ValueError:
    known = ", ".join("${" + name + "}" for name in sorted(set(names) - {"date"}))
    more = "${text:2MiB} or ${date:2s}" if "date" in names else "${text:2MiB}"
    separator = "," if "date" in names else " or"
    return ValueError(f"{match[0]} is not a placeholder: use {known}{separator} {more}")


def _seconds(argument: str) -> int:
    seconds = _SECONDS.fullmatch(argument)
    if seconds is None:
        raise ValueError(f"${{date:{argument}}} is not a time from now: write ${{date:2s}}, in whole seconds")
    return int(seconds[1])


@lru_cache(maxsize=8)  # a scenario has one or two, and each of its polls asks for them
def _text(argument: str) -> str:
    """Return ASCII text of that many bytes in which no two stretches of eight characters are alike."""
    length = _length(argument)
    return "".join(f"{number:07x} " for number in range(-(-length // 8)))[:length]


def _length(argument: str) -> int:
    size = _SIZE.fullmatch(argument)
    length = int(size[1]) * _UNITS[size[2]] if size else 0
    if not 0 < length <= _MAX_TEXT:
        raise ValueError(f"${{text:{argument}}} is not a size: write ${{text:10KiB}}, 8MiB at most")
    return length
