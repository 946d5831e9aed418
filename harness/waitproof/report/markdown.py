"""Markdown of GitHub's kind: the summary for a pull request, and a page that compares SDKs.

Text that comes from an adapter stays text: it can make no table, tag, link, mention or reference.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from waitproof.judge import Status
from waitproof.report.causes import explained_causes, unexplained
from waitproof.report.deaths import death_sentences
from waitproof.report.matrix import cell
from waitproof.report.merge import Adapter, Merged, outcome
from waitproof.report.model import ATTENTION, Report, RequirementEntry, StaleEntry, VerdictEntry
from waitproof.run import ExitCode, sentence
from waitproof.suite import Level
from waitproof.text import markdown_code, markdown_text, plural

__all__ = ["MAX_BYTES", "markdown_summary", "results_page"]

MAX_BYTES = 1024 * 1024  # of one step's summary: GitHub shows nothing of a longer one
RESERVE = 4 * 1024  # for the last lines
MAX_SENTENCE = 2_000  # characters of a quoted sentence
_PLAIN_LINK = re.compile(r"[\w:/.#?&=%~+,@-]+")
_SIGNS = {
    ExitCode.KEPT: "✅",
    ExitCode.NOT_KEPT: "❌",
    ExitCode.UNKNOWN: "❔",
    ExitCode.INTERRUPTED: "⏹",
    ExitCode.INTERNAL_ERROR: "💥",
}
_STATUS_SIGNS = {Status.FAIL: "❌", Status.WARN: "⚠️", Status.ERROR: "💥", Status.INCONCLUSIVE: "❔"}


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _head(columns: Sequence[str]) -> list[str]:
    return [_row(columns), "|" + "---|" * len(columns)]


# --- the summary --------------------------------------------------------------------------------------


def markdown_summary(report: Merged, *, most_bytes: int = MAX_BYTES) -> str:
    """Return the summary.

    Args:
        report: What to summarize.
        most_bytes: How long it may be in UTF-8; anything that doesn't fit is left out, and counted.
    """
    attention = [(adapter, verdict) for adapter in report.adapters for verdict in adapter.attention()]
    excused = [(adapter, verdict) for adapter in report.adapters for verdict in adapter.excused()]
    stale = [(adapter, each) for adapter in report.adapters for each in adapter.stale]
    page = _Page(most_bytes - RESERVE)
    page.add(f"## waitproof: {markdown_text(report.newest.title or report.suite)}", "")
    page.add(f"**{_SIGNS[report.exit_code]} {markdown_text(outcome(report))}**", "")
    adapters = ([each.name, each.sdk, sentence(each.entry.verdicts)] for each in report.adapters)
    page.table(["adapter", "SDK", "verdicts"], ([*map(markdown_text, row)] for row in adapters), "adapter")
    for adapter in report.adapters:
        if adapter.entry.error:
            name, error = markdown_text(adapter.name), markdown_text(adapter.entry.error)
            page.add(f"**{name}** could not be run: {error}", "")
        for line in death_sentences(adapter.entry):
            page.add(f"**{markdown_text(adapter.name)}**: {markdown_text(line)}", "")
    for note in report.notes:
        page.add(f"Note: {markdown_text(note)}", "")
    who = ["adapter"] if len(report.adapters) > 1 else []
    columns = ["", *who, "requirement", "scenario", "expected", "seen"]
    if stale:
        page.add("### Stale deviations", "", "These entries of a baseline are no longer true.", "")
        stale_columns = [*who, "deviation", "what is wrong", "where", "fix"]
        page.table(stale_columns, (_stale_row(report, *each) for each in stale), "stale deviation")
    causes = [line for adapter in report.adapters for line in _causes(adapter)]
    if causes:
        page.add("### Causes", "", *causes, "")
    if attention:
        page.add("### What needs attention", "")
        page.table(columns, (_verdict_row(report, *each) for each in attention), "verdict")
    if excused:
        page.add(f"<details><summary>{plural(len(excused), 'known deviation')}</summary>", "")
        rows = ([*_verdict_row(report, *each), _reason(each[1])] for each in excused)
        page.table([*columns, "why"], rows, "known deviation")
        page.add("</details>", "")
    size = f"{plural(len(report.scenarios), 'scenario')}, {plural(len(report.adapters), 'adapter')}"
    versions = ", ".join(sorted({each.waitproof for each in report.reports}))
    return page.end(f"{size}, {report.seconds:.1f} s, waitproof {markdown_text(versions)}")


def _causes(adapter: Adapter) -> Iterator[str]:
    """Yield a numbered item for each cause, and a line about what has none."""
    for cause in explained_causes(adapter.name, adapter.entry):
        number, _, headline = cause.headline.partition(" ")
        yield f"{number} **{markdown_text(headline)}**"
        for label, text in cause.facts:
            yield f"   - {label}: {markdown_text(text)}"
        if cause.shown_by is not None and cause.shown_by.timeline:
            yield f"   - polls: {markdown_text(cause.shown_by.timeline)}"
    if adapter.entry.causes is not None and (without := len(unexplained(adapter.entry))):
        yield f"\nNo known defect explains {plural(without, 'failure')} ({markdown_text(adapter.name)})."


def _who(report: Merged, adapter: Adapter) -> list[str]:
    """Return the cell that names a row's adapter, if there are several."""
    return [markdown_text(adapter.name)] if len(report.adapters) > 1 else []


def _stale_row(report: Merged, adapter: Adapter, stale: StaleEntry) -> list[str]:
    texts = (stale.deviation, stale.fact, stale.place, stale.fix)
    return [*_who(report, adapter), *(markdown_text(text) for text in texts)]


def _verdict_row(report: Merged, adapter: Adapter, verdict: VerdictEntry) -> list[str]:
    status = f"{_STATUS_SIGNS.get(verdict.status, '')} {verdict.status.value}".strip()
    texts = (verdict.requirement, verdict.scenario, verdict.expected, verdict.seen)
    return [status, *_who(report, adapter), *(markdown_text(text) for text in texts)]


def _reason(verdict: VerdictEntry) -> str:
    is_plain = _PLAIN_LINK.fullmatch(verdict.href) is not None
    return markdown_text(verdict.excused) + (f" [source]({verdict.href})" if is_plain else "")


class _Page:
    """Lines up to a number of bytes; rows that would not fit are counted instead."""

    def __init__(self, most_bytes: int) -> None:
        self._lines: list[str] = []
        self._free = most_bytes

    def add(self, *lines: str) -> bool:
        """Add lines, unless they don't fit."""
        size = sum(len(line.encode()) + 1 for line in lines)
        if size > self._free:
            return False
        self._free -= size
        self._lines += lines
        return True

    def table(self, columns: Sequence[str], rows: Iterator[list[str]], noun: str) -> None:
        """Add a table, and how many of its rows didn't fit."""
        self.add(*_head(columns))
        left_out = sum(not self.add(_row(row)) for row in rows)
        self._lines.append("")
        if left_out:
            note = f"… and {plural(left_out, f'more {noun}')}, left out for length: see report.json."
            self._lines += [note, ""]

    def end(self, line: str) -> str:
        """Return the page with its last line, for which there is room."""
        return "\n".join([*self._lines, line, ""])


# --- the page of results ------------------------------------------------------------------------------


_Columns: TypeAlias = Mapping[str, Adapter | None]  # by name, None where the adapter was not run


def results_page(reports: Sequence[Report], not_run: Sequence[str] = ()) -> str:
    """Return a page that compares SDKs.

    Args:
        reports: Of one suite; of an adapter that is in several of them, the newest counts. Adapters of one
            name that were started in different ways are different ones.
        not_run: Names of adapters that exist but could not be run.
    """
    newest = {
        (entry.name, entry.argument): (report, entry)
        for report in sorted(reports, key=lambda report: report.started)
        for entry in report.adapters
    }
    counts = Counter(name for name, _ in newest)
    adapters: dict[str, Adapter] = {}
    for (name, argument), (report, entry) in newest.items():
        shown = name if counts[name] == 1 else f"{name} ({argument})"
        adapters[shown] = Adapter(shown, report, entry)
    columns = {name: adapters.get(name) for name in [*sorted(adapters), *sorted({*not_run} - {*adapters})]}
    requirements = reports[-1].requirements if reports else ()
    lines = [
        "# Results",
        "",
        "Generated by `waitproof report` from the JSON reports of real runs. Each word is explained in",
        "[verdicts](reference/verdicts.md).",
        "",
        *_head(["adapter", "SDK", "language", "helper", "verdicts", "run on"]),
        *(_row(_run(name, adapter)) for name, adapter in columns.items()),
        "",
        "## Results by requirement",
        "",
        *_matrix(columns, [each for each in requirements if each.level is not Level.INFO]),
        "",
        "## Where an SDK departs from its documentation",
        "",
        *_deviations(columns, requirements),
        "## Where the documentation leaves it open",
        "",
        *_matrix(columns, [each for each in requirements if each.level is Level.INFO]),
    ]
    return "\n".join(lines) + "\n"


def _run(name: str, adapter: Adapter | None) -> list[str]:
    if adapter is None:
        return [markdown_text(name), "not run", "", "", "", ""]
    runtime = "" if adapter.entry.sdk is None else adapter.entry.sdk.runtime
    helper = markdown_code(adapter.entry.helper) or "none"
    counts = ", ".join(f"{count} {status.value}" for status, count, _ in adapter.counts())
    before, after = (name, adapter.sdk, runtime), (counts, adapter.report.started[:10])
    return [*map(markdown_text, before), helper, *map(markdown_text, after)]


def _matrix(columns: _Columns, requirements: Sequence[RequirementEntry]) -> Iterator[str]:
    yield from _head(["level", "requirement", *map(markdown_text, columns)])
    for requirement in requirements:
        cells = [adapter and cell(adapter, requirement.id) for adapter in columns.values()]
        texts = (markdown_text(each.text) if each else "" for each in cells)
        yield _row([requirement.level.value, markdown_text(requirement.id), *texts])


def _deviations(columns: _Columns, requirements: Sequence[RequirementEntry]) -> Iterator[str]:
    for name, adapter in columns.items():
        verdicts = [each for each in adapter.entry.verdicts if each.status in ATTENTION] if adapter else []
        if not verdicts:
            continue
        yield from (f"### {markdown_text(name)}", "")
        for requirement in requirements:
            found = [_deviation(verdict) for verdict in verdicts if verdict.requirement == requirement.id]
            if found:
                sentence_ = markdown_text(requirement.sentence, MAX_SENTENCE)
                yield f"**{markdown_text(requirement.id)}** ({requirement.level.value}): {sentence_}"
                yield from ("", *found, "")


def _deviation(verdict: VerdictEntry) -> str:
    why = f" Why: {markdown_text(verdict.excused).rstrip('.')}." if verdict.excused else ""
    source = f" [Source]({verdict.href})." if _PLAIN_LINK.fullmatch(verdict.href) else ""
    expected, seen = markdown_text(verdict.expected), markdown_text(verdict.seen)
    where = f"{verdict.status.value} in {markdown_code(verdict.scenario)}"
    return f"- {where}: expected {expected}; {seen}.{why}{source}"
