"""The report as one HTML file: it needs no network, and forbids it.

The causes, everything that needs attention and the matrix are in the page itself, for readers without scripts
and for paper; the rest is in it as data, and `page.js` opens it cell by cell. `report.file` has escaped every
string for a terminal; Jinja escapes those in the page, `_data` those in the script.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from markupsafe import Markup
from pydantic import TypeAdapter

from waitproof.report.causes import unexplained_sentence
from waitproof.report.deaths import death_sentences
from waitproof.report.html.failures import causes_by_rank, causes_by_verdict, failures_by_requirement
from waitproof.report.html.shell import policy, source, template
from waitproof.report.matrix import Cell, rows, status_word
from waitproof.report.merge import Adapter, Merged, outcome
from waitproof.report.model import RequirementEntry, VerdictEntry
from waitproof.report.plays import AnswerEntry, CallEntry
from waitproof.run import ORDER
from waitproof.suite import Json, Level
from waitproof.text import plural, script_json, shorten

__all__ = ["html_page"]

MAX_CELL = 48  # characters of a behavior in the matrix or a timeline; elsewhere it is in full
MAX_STRAYS = 200
MAX_STALE_OPEN = 3  # stale deviations of one adapter that are not folded up
# What comes before the matrix is at most three screens of a desk; the rest of each list is folded up.
MAX_SDKS = 8
MAX_CAUSES = 10
MAX_FAILURES = 12
MAX_OPEN = 2  # causes, if there are no more
_type_adapter: Callable[[type], TypeAdapter[Any]] = functools.cache(TypeAdapter)
_LEVELS = {
    Level.MUST: "documented",
    Level.SHOULD: "not documented, but any caller would expect it",
    Level.INFO: "left open by the documentation: recorded, never judged",
}
_NOT_IN_PAGE: Any = {  # what the script doesn't need, or what is added in another form
    "baseline": True,
    "capabilities": True,
    "name": True,
    "argument": True,
    "causes": True,
    "verdicts": {"__all__": {"level", "timeline"}},
    "scenarios": {"__all__": {"summary", "watched_s", "calls", "answers"}},
}


def html_page(report: Merged) -> str:
    """Return the report as one self-contained HTML document."""
    style = source("base.css") + source("page.css")
    script = source("page.js")
    matrix = rows(report)
    explained = causes_by_verdict(report)
    by_level = {level: [row for row in matrix if row.requirement.level is level] for level in Level}
    statuses = {verdict.status for adapter in report.adapters for verdict in adapter.entry.verdicts}
    return template("page.html.jinja").render(
        report=report,
        newest=report.newest,
        levels=[(level, _LEVELS[level], found) for level in Level if (found := by_level[level])],
        row_count=len(matrix),
        statuses=[status for status in ORDER if status in statuses],
        exit_code=int(report.exit_code),
        outcome=outcome(report),
        death_sentences=death_sentences,
        numbered=list(enumerate(report.adapters)),
        causes=causes_by_rank(report),
        unexplained=_unexplained(report),
        cause_of=lambda number, verdict: explained.get((number, verdict.scenario, verdict.requirement), ""),
        failed=[adapter for adapter in report.adapters if adapter.entry.error],
        failures=failures_by_requirement(report),
        excused=[(number, adapter) for number, adapter in enumerate(report.adapters) if adapter.excused()],
        strays=[stray for each in report.reports for stray in each.strays],
        stray_count=sum(len(each.strays) + each.strays_left_out for each in report.reports),
        max_strays=MAX_STRAYS,
        max_stale_open=MAX_STALE_OPEN,
        max_sdks=MAX_SDKS,
        max_causes=MAX_CAUSES,
        max_failures=MAX_FAILURES,
        max_open=MAX_OPEN,
        plural=plural,
        status_word=status_word,
        cell_text=lambda cell: shorten(cell.text, MAX_CELL),
        topics_of=lambda cell: _joined(report.scenarios[each.scenario].topic for each in cell.verdicts),
        statuses_of=lambda cell: _joined(each.status.value for each in cell.verdicts),
        anchor=_anchor,
        grouped=_grouped,
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        data=Markup(_data(report)),  # noqa: S704 - escaped by `_data`
        policy=policy(style, script),
    )


def _unexplained(report: Merged) -> list[str]:
    # An older file has no causes because nobody looked for any.
    sentences = (
        unexplained_sentence(adapter.name, adapter.entry, was_sought=False) for adapter in report.adapters
    )
    return [sentence for sentence in sentences if sentence]


def _joined(names: Iterator[str]) -> str:
    return " ".join(sorted(set(names)))


def _anchor(cell: Cell, adapter: int, row: int) -> str:
    """Return where a reader without scripts finds a cell's verdicts, or its row if the page has none."""
    is_shown = any(verdict.needs_attention or verdict.is_known_deviation for verdict in cell.verdicts)
    return f"verdicts-{adapter}-{row}" if is_shown else f"row-{row}"


def _grouped(
    report: Merged, verdicts: Sequence[VerdictEntry]
) -> list[tuple[int, RequirementEntry, list[VerdictEntry]]]:
    """Return verdicts by requirement, with its number, in the order of the requirements."""
    return [
        (number, requirement, found)
        for number, requirement in enumerate(report.requirements)
        if (found := [verdict for verdict in verdicts if verdict.requirement == requirement.id])
    ]


# --- the data for the script --------------------------------------------------------------------------


def _data(report: Merged) -> str:
    """Return what the script needs as JSON that no HTML parser takes for anything else."""
    data: dict[str, Any] = {
        "suite": report.suite,
        "requirements": [_values(each) for each in report.requirements],
        "scenarios": {
            name: {"summary": each.summary, "file": each.file, "topic": each.topic}
            for name, each in report.scenarios.items()
        },
        "adapters": [_adapter(adapter) for adapter in report.adapters],
    }
    return script_json(data)


def _values(entry: Any, exclude: Any = None) -> dict[str, Any]:
    """Return the members of an entry that differ from their defaults, as JSON values."""
    kind = _type_adapter(type(entry))
    values: dict[str, Any] = kind.dump_python(entry, mode="json", exclude=exclude, exclude_defaults=True)
    return values


def _adapter(adapter: Adapter) -> dict[str, Any]:
    values = _values(adapter.entry, _NOT_IN_PAGE)
    for verdict, shown in zip(adapter.entry.verdicts, values["verdicts"], strict=True):
        shown.update({"href": verdict.href} if verdict.href else {})
    for play, shown in zip(adapter.entry.scenarios, values.get("scenarios", ()), strict=True):
        shown.update({"calls": [_call(call) for call in play.calls]} if play.calls else {})
        shown.update({"answers": [_answer(answer) for answer in play.answers]} if play.answers else {})
    return {**values, "name": adapter.name, "sdk": adapter.sdk, "command": adapter.command}


def _call(call: CallEntry) -> dict[str, Any]:
    """Return a call in words: a script would lose digits of large numbers."""
    answer = call.answer
    return {
        **_values(call, {"request", "answer"}),
        "op": shorten(str(call.request.get("op", "call")), MAX_CELL),
        "outcome": shorten(_outcome(call), MAX_CELL),
        "request": _pretty(call.request),
        "answer": "no answer" if answer is None else _pretty(answer),
    }


def _outcome(call: CallEntry) -> str:
    if not call.request:
        return "was not made"
    if call.answer is None:
        return "has no answer"
    word = str(call.answer.get("outcome", "answered")).replace("_", " ")
    if word != "raised":
        return word
    exception = call.answer.get("exception")
    return f"raised {exception.get('type', '') if isinstance(exception, dict) else 'an exception'}"


def _answer(answer: AnswerEntry) -> dict[str, Any]:
    values = _values(answer, {"body"})
    body = answer.body
    return values if body is None else {**values, "body": body if isinstance(body, str) else _pretty(body)}


def _pretty(value: Json) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False)
