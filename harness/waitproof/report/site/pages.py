"""The contents of a site's files. Pure: histories go in, texts by path come out.

Nothing in them depends on when or where they are made. A result that stays the same for a hundred runs is one
bar, so that a page stays small however long its history is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from markupsafe import Markup

from waitproof.report.badge import badge
from waitproof.report.html.shell import policy, source, template
from waitproof.report.matrix import status_word
from waitproof.report.merge import merge_reports
from waitproof.report.site.history import Sdk, Suite
from waitproof.report.site.names import slug
from waitproof.suite import Level
from waitproof.text import on_one_line, plural, shorten

__all__ = ["page_texts", "runs_with_page"]

FULL_PAGES = 10  # of each SDK: its newest reports, and as many in which something changed
MAX_EVENTS_INDEX, MAX_EVENTS = 12, 60
MAX_CHANGES_INDEX, MAX_CHANGES = 4, 20  # of one event
MAX_RUNS = 400  # rows of an SDK's list of runs
MAX_SEEN, MAX_CELL, MAX_NAME = 160, 40, 60  # characters
_COLORS = {"brightgreen": "#2c8a3d", "green": "#4a7c1f", "red": "#c2392b", "lightgrey": "#6b7280"}
CHARACTER_PX = 6.7  # about what one takes in a badge; the text is stretched to what was reckoned


def runs_with_page(suites: Sequence[Suite]) -> list[str]:
    """Return the ids of the reports that get a page in full."""
    found = set()
    for sdk in (each for suite in suites for each in suite.sdks):
        found |= {run.id for run in sdk.runs[-FULL_PAGES:]} | {sdk.newest.id}
        found |= {run.id for run in sdk.events[:FULL_PAGES]}
    return sorted(found)


def page_texts(suites: Sequence[Suite], linked: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the path and the text of every page and badge, except for the reports in full.

    Args:
        suites: All of them.
        linked: The ids of the reports that have a page in full.
    """
    style = source("base.css") + source("site.css", "site")
    common: dict[str, Any] = {
        "style": Markup(style),  # noqa: S704 - our own file
        "policy": policy(style),
        "plural": plural,
        "status_word": status_word,
        "cell_text": lambda cell: shorten(cell.text, MAX_CELL),
        "short": lambda text: shorten(on_one_line(text), MAX_SEEN),
        "name": lambda text: shorten(text, MAX_NAME),
        "slug": slug,
        "linked": set(linked),
        "result_of": _result,
        "is_many": len(suites) > 1,
    }
    events = sorted(
        (
            (run, sdk)
            for suite in suites
            for sdk in suite.sdks
            for run in sdk.events
            if run.event is not None and run.event.has_news
        ),
        key=lambda found: (found[0].report.started, found[1].suite, found[1].name),
        reverse=True,
    )
    runs = {run.id: run for suite in suites for sdk in suite.sdks for run in sdk.runs}
    newest = max(runs.values(), key=lambda run: run.report.started)
    yield (
        "index.html",
        template("index.html.jinja", "site").render(
            **common,
            root="",
            suites=suites,
            rows=_rows,
            events=events[:MAX_EVENTS_INDEX],
            more_events=max(0, len(events) - MAX_EVENTS_INDEX),
            most=MAX_CHANGES_INDEX,
            newest=newest,
            run_count=len(runs),
        ),
    )
    for suite in suites:
        yield from _of_suite(suite, common)


def _of_suite(suite: Suite, common: dict[str, Any]) -> Iterator[tuple[str, str]]:
    folder = slug(suite.name)
    places = [f"{sdk.suite} {sdk.name} {sdk.newest.id}" for sdk in suite.sdks]
    yield from _badges(folder, badge(merge_reports([sdk.newest.report for sdk in suite.sdks], places)))
    shared = {**common, "root": "../../", "suite": suite, "most": MAX_CHANGES}
    for sdk in suite.sdks:
        path = f"{folder}/{slug(sdk.name)}"
        values = badge(sdk.merged)
        yield from _badges(path, values)
        steady = [each.id for each in suite.requirements if sdk.is_steady(each.id)]
        text = template("sdk.html.jinja", "site").render(
            **shared,
            sdk=sdk,
            events=sdk.events[:MAX_EVENTS],
            more_events=max(0, len(sdk.events) - MAX_EVENTS),
            moving=[each for each in _worst_first(suite, [sdk]) if each.id not in steady],
            steady=steady,
            listed=list(reversed(sdk.runs))[:MAX_RUNS],
            badge_path=f"badge/{path}",
            picture=Markup(badge_svg(values)),  # noqa: S704 - its template escapes
        )
        yield f"sdk/{path}.html", text
    for requirement in suite.requirements:
        changes = sorted(
            (
                (run, sdk, change)
                for sdk in suite.sdks
                for run in sdk.events
                if run.event is not None
                for change in run.event.diff.changes
                if change.requirement == requirement.id
            ),
            key=lambda found: (found[0].report.started, found[1].name),
            reverse=True,
        )
        text = template("requirement.html.jinja", "site").render(
            **shared, requirement=requirement, changes=changes[:MAX_EVENTS]
        )
        yield f"requirement/{folder}/{slug(requirement.id)}.html", text


def _worst_first(suite: Suite, sdks: Sequence[Sdk]) -> list[Any]:
    """Return the requirements, those first that fail now, each group in the suite's order."""
    return sorted(
        suite.requirements, key=lambda each: (not _needs_attention(each.id, sdks), each.level is Level.INFO)
    )


def _needs_attention(requirement: str, sdks: Sequence[Sdk]) -> bool:
    cells = [sdk.newest.cells.get(requirement) for sdk in sdks]
    return any(cell and cell.needs_attention for cell in cells)


def _rows(suite: Suite) -> tuple[list[Any], list[Any]]:
    """Return the requirements that not every SDK passes now, and the others."""
    open_: list[Any] = []
    rest: list[Any] = []
    for each in _worst_first(suite, suite.sdks):
        (open_ if _needs_attention(each.id, suite.sdks) else rest).append(each)
    return open_, rest


def _result(sdk: Sdk) -> dict[str, str]:
    """Return what an SDK's badge says, its message and its color."""
    values: dict[str, str] = json.loads(badge(sdk.merged))
    return values


def _badges(path: str, values: str) -> Iterator[tuple[str, str]]:
    """Yield a badge as JSON for shields.io and as a picture."""
    yield f"badge/{path}.json", values
    yield f"badge/{path}.svg", badge_svg(values)


def badge_svg(values: str) -> str:
    """Return the picture of a badge, given its JSON."""
    read = json.loads(values)
    widths = [round(len(read[name]) * CHARACTER_PX) + 10 for name in ("label", "message")]
    color = _COLORS[read["color"]]
    return template("badge.svg.jinja", "site").render(
        label=read["label"], message=read["message"], color=color, widths=widths
    )
