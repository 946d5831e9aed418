"""Placeholders in bodies and expectations: `${task_id}`, `${token}`, `${n}`, `${text:2MiB}`.

A string that is one placeholder and nothing else becomes the value itself, whatever its type; inside
longer text the value is written out. The same function fills what the mock server says and what the
caller must see, so that the two can be compared exactly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache

from harness.source import Json

__all__ = ["at_path", "fill", "placeholders"]

_PLACEHOLDER = re.compile(r"\$\{([a-z_]+)(?::([^}]*))?\}")
_SIZE = re.compile(r"([0-9]+)(B|KiB|MiB)")
_UNITS = {"B": 1, "KiB": 1024, "MiB": 1024 * 1024}
_MAX_TEXT = 8 * 1024 * 1024  # half of what an adapter may answer in one line, escapes included


def fill(value: Json, values: Mapping[str, Json]) -> Json:
    """Return `value` with its placeholders filled in, at any depth and in keys too.

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
    if isinstance(value, str):
        yield from (match[1] for match in _PLACEHOLDER.finditer(value))
    elif isinstance(value, Mapping):
        for key, child in value.items():
            yield from placeholders(key)
            yield from placeholders(child)
    elif isinstance(value, list | tuple):
        for child in value:
            yield from placeholders(child)


def at_path(value: Json, path: str) -> Json:
    """Return what lies at a dotted path ("error.type", "cids.0"), or None where nothing does."""
    for step in path.split(".") if path else ():
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list | tuple) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _fill_text(text: str, values: Mapping[str, Json]) -> Json:
    whole = _PLACEHOLDER.fullmatch(text)
    if whole:
        return _value(whole, values)
    return _PLACEHOLDER.sub(lambda match: str(_value(match, values)), text)


def _value(match: re.Match[str], values: Mapping[str, Json]) -> Json:
    name, argument = match[1], match[2]
    if name == "text" and argument is not None:
        return _text(argument)
    if argument is not None or name not in values:
        known = ", ".join("${" + known + "}" for known in sorted(values))
        raise ValueError(f"{match[0]} is not a placeholder: use {known} or ${{text:2MiB}}")
    return values[name]


@cache
def _text(argument: str) -> str:
    """Return ASCII text of that many bytes in which no two stretches of eight characters are alike."""
    size = _SIZE.fullmatch(argument)
    length = int(size[1]) * _UNITS[size[2]] if size else 0
    if not 0 < length <= _MAX_TEXT:
        raise ValueError(f"${{text:{argument}}} is not a size: write ${{text:10KiB}}, 8MiB at the most")
    return "".join(f"{number:07x} " for number in range(-(-length // 8)))[:length]
