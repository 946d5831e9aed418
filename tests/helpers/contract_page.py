"""The parts of docs/reference/contract.md that are made from the model and from the checks.

`python tests/helpers/contract_page.py` writes them; a test says when that is due.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from waitproof.cli.checks import about
from waitproof.judge import checks
from waitproof.suite import ROOT, contract_keys, contract_schema

__all__ = ["PAGE", "renewed"]

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "contract.md"


def renewed(text: str) -> str:
    """Return the page with its generated parts as they must be."""
    for name, lines in (("keys", _keys()), ("checks", _checks())):
        start, end = f"<!-- {name}: made by tests/helpers/contract_page.py -->", f"<!-- end of {name} -->"
        made = "\n".join([start, *lines, end])
        before, _, rest = text.partition(start)
        _, found, after = rest.partition(end)
        assert found, f"{PAGE} has no place for its {name}"
        text = f"{before}{made}{after}"
    return text


def _keys() -> list[str]:
    schema = contract_schema(checks())
    parts: dict[str, list[str]] = {}
    for part, key, value in contract_keys(schema):
        about_part = schema if part == ROOT else schema["$defs"][part]
        is_needed = key in (schema["anyOf"][0] if part == ROOT else about_part).get("required", ())
        more = " Required." if is_needed else _default(value)
        row = f"| `{key}` | {value['description']}{_values(schema, value)}{more} |"
        parts.setdefault(part, []).append(row)
    lines = []
    order = list(schema["properties"])
    for part, rows in sorted(parts.items(), key=lambda item: _rank(schema, order, item[0])):
        title = "## Keys" if part == ROOT else f"### `{_holder(schema, part)}`"
        lines += ["", title, "", "| key | meaning |", "|---|---|", *rows]
    return [*lines, ""]


def _rank(schema: Mapping[str, Any], order: list[str], part: str) -> tuple[int, str]:
    holder = "" if part == ROOT else _holder(schema, part)
    return (order.index(holder.partition(":")[0]) if holder else -1), holder


def _holder(schema: Mapping[str, Any], part: str) -> str:
    """Return the key under which a part of a contract is written."""
    holders = [
        key if owner == ROOT else f"{_holder(schema, owner)}: {key}"
        for owner, key, value in contract_keys(schema)
        if f'"#/$defs/{part}"' in str(value).replace("'", '"')
    ]
    return holders[0]


def _values(schema: Mapping[str, Any], value: Mapping[str, Any]) -> str:
    """Return the words that a key's value can be."""
    values = value.get("additionalProperties")
    held = values if isinstance(values, dict) else value
    name = str(held.get("$ref", "")).rpartition("/")[2]
    words = value.get("enum") or schema["$defs"].get(name, {}).get("enum", ())
    if not words or len(words) > 10:
        return ""
    return " One of " + ", ".join(f"`{word}`" for word in words) + "."


def _default(value: Mapping[str, Any]) -> str:
    default = value.get("default")
    return (
        f" Default: `{default}`."
        if default not in (None, [], {}, "") and not isinstance(default, dict)
        else ""
    )


def _checks() -> list[str]:
    lines = []
    for check in checks().values():
        facts = about(check)
        lines += ["", f"### `{check.kind}`", "", check.sentence, ""]
        lines += [f"- **{label}**: {text}" for label, text in facts.items()]
    return [*lines, ""]


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
