"""The judge's checks in words, for the author of a contract: `waitproof explain --checks`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from waitproof.errors import InputError, Mistake, nearest
from waitproof.judge import Check, checks

__all__ = ["about", "explain_checks"]

WIDTH = 96
_TYPES = {
    "string": "text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
}


def explain_checks(name: str | None) -> Iterator[str]:
    """Yield what there is to know of one check, or of all.

    Raises:
        InputError: There is no such check.
    """
    known = checks()
    if name is not None and name not in known:
        fix = nearest(name, known) or "'waitproof explain --checks' shows all"
        raise InputError(Mistake("explain", f"no check is called '{name}'", fix=fix))
    for check in [known[name]] if name is not None else known.values():
        yield check.kind
        for line in textwrap.wrap(check.sentence, WIDTH):
            yield f"  {line}"
        for label, text in about(check).items():
            wrapped = textwrap.wrap(text, WIDTH - 10)
            yield from (
                f"  {f'{label}:' if not number else '':<10}{line}" for number, line in enumerate(wrapped)
            )
        if name is None:
            yield ""


def about(check: Check) -> dict[str, str]:
    """Return what a contract's author needs to know of a check, by label."""
    schema = check.arguments.model_json_schema(by_alias=True)
    arguments = [f"{key}: {_type(each)}" for key, each in schema.get("properties", {}).items()]
    is_timed = "yes: what a busy machine could have caused is re-run in isolation"
    return {
        "with": "; ".join(arguments) or "nothing",
        "reads": ", ".join(check.reads) or "nothing of a call's expectation",
        "time": is_timed if check.timed else "no",
        "accuses": check.accuses,
        "excuses": check.excuses,
    }


def _type(schema: Mapping[str, Any]) -> str:
    """Return a JSON Schema's type in words."""
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "array":
        items = schema["items"]
        return f"a list of {', '.join(items['enum'])}" if "enum" in items else f"a list, each {_type(items)}"
    return _TYPES.get(schema.get("type", ""), "any value")
