"""The report as one HTML file: it needs no network, and forbids it.

The matrix and all that needs attention stand in the page itself, for readers without scripts and for
paper; the rest lies in it as data, and `page.js` opens it cell by cell. Every string has come through
`report.model`; Jinja escapes what stands in the page, `_data` what stands in the script.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from waitproof.judge import Status
from waitproof.report.model import (
    Adapter,
    AnswerEntry,
    CallEntry,
    Merged,
    RequirementEntry,
    VerdictEntry,
)
from waitproof.report.outcome import counted, outcome
from waitproof.run import ORDER
from waitproof.suite.contract import Level
from waitproof.suite.yaml import Json

__all__ = ["html_page"]

MAX_CELL = 48  # characters of a behaviour in the matrix or a timeline; what is around it has it whole
SHORT = {Status.NOT_APPLICABLE: "n/a"}  # as on the terminal


@dataclass(frozen=True)
class _Cell:
    """What one SDK makes of one requirement; `status` is None where nothing was judged."""

    status: Status | None
    text: str
    is_excused: bool
    statuses: str
    topics: str
    anchor: str


@dataclass(frozen=True)
class _Row:
    number: int
    requirement: RequirementEntry
    cells: Sequence[_Cell]


def html_page(merged: Merged) -> str:
    """Return the report as one self-contained HTML document."""
    loader = PackageLoader("waitproof.report", "html")
    environment = Environment(
        loader=loader,
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = loader.get_source(environment, "page.css")[0]
    script = loader.get_source(environment, "page.js")[0]
    rows = _rows(merged)
    return environment.get_template("page.html.jinja").render(
        merged=merged,
        newest=merged.newest,
        levels=[
            (level, [row for row in rows if row.requirement.level is level])
            for level in Level
            if any(row.requirement.level is level for row in rows)
        ],
        row_count=len(rows),
        statuses=[
            status
            for status in ORDER
            if any(status.value in c.statuses.split() for r in rows for c in r.cells)
        ],
        exit_code=int(merged.exit_code),
        outcome=outcome(merged),
        attention=[
            (number, adapter) for number, adapter in enumerate(merged.adapters) if _needs_telling(adapter)
        ],
        known=[(number, adapter) for number, adapter in enumerate(merged.adapters) if adapter.excused()],
        strays=[stray for report in merged.reports for stray in report.strays],
        counted=counted,
        grouped=_grouped,
        seconds=sum(report.seconds for report in merged.reports),
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        data=Markup(_data(merged)),  # noqa: S704 - escaped by `_data`
        policy=_policy(style, script),
    )


def _needs_telling(adapter: Adapter) -> bool:
    return bool(adapter.entry.error or adapter.attention())


def _policy(style: str, script: str) -> str:
    """Return a policy under which these two run and nothing is loaded from anywhere."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    return (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _rows(merged: Merged) -> list[_Row]:
    rows = []
    for number, requirement in enumerate(merged.requirements):
        cells = [_cell(merged, adapter, a, number, requirement) for a, adapter in enumerate(merged.adapters)]
        if any(cell.status is not None for cell in cells):
            rows.append(_Row(number, requirement, cells))
    return rows


def _cell(merged: Merged, adapter: Adapter, a: int, number: int, requirement: RequirementEntry) -> _Cell:
    verdicts = adapter.of(requirement.id)
    status = min((verdict.status for verdict in verdicts), key=ORDER.index, default=None)
    if status is None:
        return _Cell(None, "", False, "", "", "")
    of_status = [verdict for verdict in verdicts if verdict.status is status]
    text = SHORT.get(status, status.value)
    if status is Status.INFO:
        text = "; ".join(sorted({verdict.seen.partition(":")[0] for verdict in verdicts}))
        text = _short(text)
    elif status in {Status.UNSUPPORTED, Status.NOT_APPLICABLE}:
        pass  # how often says nothing
    elif len(of_status) < len(verdicts):
        text += f" {len(of_status)} of {len(verdicts)}"
    elif len(verdicts) > 1:
        text += f" {len(verdicts)}"
    topics = {merged.scenarios[verdict.scenario].topic for verdict in verdicts}
    is_told = any(verdict.needs_attention or verdict.is_known_deviation for verdict in verdicts)
    return _Cell(
        status,
        text,
        is_excused=all(verdict.excused for verdict in of_status),
        statuses=" ".join(sorted({verdict.status.value for verdict in verdicts})),
        topics=" ".join(sorted(topics)),
        anchor=f"told-{a}-{number}" if is_told else f"row-{number}",
    )


def _grouped(
    merged: Merged, verdicts: Sequence[VerdictEntry]
) -> list[tuple[int, RequirementEntry, list[VerdictEntry]]]:
    """Return verdicts by requirement, with its number, in the order of the requirements."""
    return [
        (number, requirement, of)
        for number, requirement in enumerate(merged.requirements)
        if (of := [verdict for verdict in verdicts if verdict.requirement == requirement.id])
    ]


def _data(merged: Merged) -> str:
    """Return what the script needs as JSON that no HTML parser takes for anything else."""
    data: dict[str, Any] = {
        "suite": merged.suite,
        "requirements": [each.model_dump(mode="json") for each in merged.requirements],
        "scenarios": {
            name: {"summary": each.summary, "file": each.file, "topic": each.topic}
            for name, each in merged.scenarios.items()
        },
        "adapters": [_adapter(adapter) for adapter in merged.adapters],
    }
    text = json.dumps(data, separators=(",", ":"))  # ASCII alone: U+2028 and U+2029 are escaped too
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _adapter(adapter: Adapter) -> dict[str, Any]:
    entry = adapter.entry.model_dump(
        mode="json",
        by_alias=True,
        exclude_defaults=True,
        exclude={
            "baseline": True,
            "capabilities": True,
            "name": True,
            "argument": True,
            "verdicts": {"__all__": {"level", "timeline"}},  # the page and the requirements have them
            "scenarios": {"__all__": {"summary", "watched_s", "calls", "answers"}},
        },
    )
    verdicts = [
        {**shown, "href": verdict.href} if verdict.href else shown
        for verdict, shown in zip(adapter.entry.verdicts, entry["verdicts"], strict=True)
    ]
    for play, shown in zip(adapter.entry.scenarios, entry.get("scenarios", ()), strict=True):
        if play.calls:
            shown["calls"] = [_call(call) for call in play.calls]
        if play.answers:
            shown["answers"] = [_answer(answer) for answer in play.answers]
    return {
        **entry,
        "verdicts": verdicts,
        "name": adapter.name,
        "sdk": adapter.sdk,
        "again": adapter.again,
    }


def _call(call: CallEntry) -> dict[str, Any]:
    """Return a call in words: a script would lose digits of large numbers."""
    times = call.model_dump(by_alias=True, exclude_defaults=True, exclude={"request", "answer"})
    answer = call.answer
    outcome = "has no answer" if answer is None else str(answer.get("outcome", "answered")).replace("_", " ")
    if answer is not None and outcome == "raised":
        exception = answer.get("exception")
        outcome = f"raised {exception.get('type', '') if isinstance(exception, dict) else 'an exception'}"
    if not call.request:
        outcome = "was not made"
    return {
        **times,
        "op": _short(str(call.request.get("op", "call"))),
        "outcome": _short(outcome),
        "asked": _pretty(call.request),
        "said": "no answer" if answer is None else _pretty(answer),
    }


def _answer(answer: AnswerEntry) -> dict[str, Any]:
    shown = answer.model_dump(exclude_defaults=True, exclude={"body"})
    body = answer.body
    return shown if body is None else {**shown, "body": body if isinstance(body, str) else _pretty(body)}


def _pretty(value: Json) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False)


def _short(text: str) -> str:
    return text if len(text) <= MAX_CELL else f"{text[: MAX_CELL - 1]}…"
