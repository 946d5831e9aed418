"""Reads and writes report.json, and generates its JSON Schema.

An edge: it opens files. The one fact to know: a report of a run holds what adapters sent as it was, and so
does its file; `load`, `parse` and `shown` return it with every string escaped, so that a view can show it.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from waitproof.errors import InputError, Mistake, why
from waitproof.report.model import SCHEMA, Report
from waitproof.report.part import Part
from waitproof.report.writing import write_file
from waitproof.suite import Json
from waitproof.text import escape

__all__ = ["content", "document", "escaped", "load", "parse", "report_schema", "shown", "write"]

OLDER_SCHEMAS = (1,)  # `fix` was called `mend`
MAX_BYTES, CHUNK_BYTES = 64 << 20, 1 << 20
MAX_MISTAKES = 5  # of one file that isn't a report: the first say enough
_EXPECTED = {  # where pydantic's messages name our classes
    "dataclass_type": "input should be an object",
    "tuple_type": "input should be a list",
}


@functools.cache
def _adapter() -> TypeAdapter[Report]:
    return TypeAdapter(Report)


def report_schema() -> dict[str, Any]:
    """Return the JSON Schema of report.json."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_adapter().json_schema(),
        "title": f"waitproof report, schema {SCHEMA}",
    }


def document(report: Report) -> dict[str, Any]:
    """Return a report as values of which `json` makes report.json."""
    values: dict[str, Any] = _adapter().dump_python(report)
    return values


def write(report: Report, path: Path) -> None:
    """Write a report; everything beyond ASCII is escaped, so that lone surrogates survive.

    Raises:
        InputError: The file cannot be written.
    """
    write_file(path, json.dumps(document(report), indent=1) + "\n")


def load(path: Path) -> Report:
    """Return the report in a file, fit to be shown.

    Raises:
        InputError: It cannot be read, or isn't a report of a schema that this version knows.
    """
    try:
        values = json.loads(content(path))
    except OSError as error:
        raise InputError(Mistake(str(path), f"the report cannot be read: {why(error)}")) from None
    except (ValueError, RecursionError) as error:
        raise InputError(Mistake(str(path), f"this isn't JSON: {error}")) from None
    return parse(values, str(path))


def content(path: Path) -> bytes:
    """Return what is in a file, a pipe or a device, if it ends at a size that a report may have.

    Raises:
        InputError: It is larger.
        OSError: It cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a FIFO that nobody writes to is empty
    os.set_blocking(descriptor, True)
    with open(descriptor, "rb") as file:
        chunks = iter(functools.partial(file.read, CHUNK_BYTES), b"")
        data = b"".join(itertools.islice(chunks, MAX_BYTES // CHUNK_BYTES + 1))
    if len(data) > MAX_BYTES:
        raise InputError(Mistake(str(path), f"this is larger than any report: over {MAX_BYTES:,} bytes"))
    return data


def parse(values: Json, place: str) -> Report:
    """Return the JSON values of a report as a report that is fit to be shown.

    Args:
        values: As `json` reads them; schema 1 is understood as well.
        place: Their file, for messages.

    Raises:
        InputError: They aren't a report.
    """
    number = values.get("schema") if isinstance(values, dict) else None
    if type(number) is not int or number not in {*OLDER_SCHEMAS, SCHEMA}:
        raise InputError(
            Mistake(
                place,
                "this isn't a report that this version of waitproof can read",
                found=f"schema: {json.dumps(number)}",
                expected=f"schema: {SCHEMA} or {OLDER_SCHEMAS[-1]}, as written by waitproof run --json",
            )
        )
    try:
        report = _adapter().validate_python(escaped({**values, "schema": SCHEMA}))
    except ValidationError as error:
        mistakes = [
            Mistake(
                place,
                f"{'.'.join(map(str, each['loc']))}: {_EXPECTED.get(each['type'], each['msg'].lower())}",
            )
            for each in error.errors(include_url=False, include_input=False)
        ]
        raise InputError(mistakes[:MAX_MISTAKES]) from None
    except RecursionError:
        raise InputError(Mistake(place, "the report is nested too deeply to be read")) from None
    twice = [name for name, number in Counter(each.name for each in report.adapters).items() if number > 1]
    if twice:
        raise InputError([Mistake(place, f"several of its adapters are called '{name}'") for name in twice])
    return report


def shown(report: Report) -> Report:
    """Return the report of a run with every string escaped, as if it had been read from its file."""
    return parse(document(report), "the run")


def escaped(value: Any) -> Any:
    """Return the same with every string escaped: JSON, or the parts of a report."""
    if type(value) is str:
        return escape(value)
    if isinstance(value, Mapping):
        return {escape(str(key)): escaped(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(escaped, value))
    if isinstance(value, Part):
        old = {each.name: getattr(value, each.name) for each in dataclasses.fields(value) if each.init}
        new = {name: escaped(each) for name, each in old.items()}
        return value if new == old else dataclasses.replace(value, **new)
    return value
