"""A summary for a pull request or a job's page, as Markdown of GitHub's kind.

What comes from an adapter is written so that it stays text: no table, tag, link, mention or reference of
its own. The page stays below what a job's summary may hold, and says what it leaves out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from waitproof.judge import Status
from waitproof.report.model import Adapter, Merged, StaleEntry, VerdictEntry
from waitproof.report.outcome import counted, outcome
from waitproof.run import ExitCode

__all__ = ["MAX_BYTES", "escaped", "markdown_summary"]

MAX_BYTES = 1024 * 1024  # of one step's summary: GitHub shows nothing of a longer one
RESERVE = 4 * 1024  # for what is said at the end
MAX_TEXT = 500  # characters of a cell
_SIGNS = {
    ExitCode.KEPT: "✅",
    ExitCode.NOT_KEPT: "❌",
    ExitCode.UNKNOWN: "❔",
    ExitCode.INTERRUPTED: "⏹",
}
# What makes Markdown of text, and what is found in what is shown: a mention, a reference, an address.
_SPECIAL = re.compile(
    r"[&<>\\`|*_\[\]~$]|[@#](?=\w)|\b(?:https?|ftp)(?=://)|\bwww(?=\.)|\bGH(?=-\d)", re.IGNORECASE
)
_APART = "&#8203;"  # a space of no width


def escaped(text: str, most: int = MAX_TEXT) -> str:
    """Return a text as one line that is text alone, wherever in a Markdown document it stands."""
    line = " ".join(text.split())
    line = line if len(line) <= most else f"{line[:most]}… ({len(line)} characters)"
    return _SPECIAL.sub(_as_text, line)


def _as_text(found: re.Match[str]) -> str:
    return found[0] + _APART if found[0] in "@#" or len(found[0]) > 1 else f"&#{ord(found[0])};"


def markdown_summary(report: Merged, *, most_bytes: int = MAX_BYTES) -> str:
    """Return the summary.

    Args:
        report: What to tell.
        most_bytes: How long it may be in UTF-8; what does not fit is left out, and counted.
    """
    told = [(adapter, verdict) for adapter in report.adapters for verdict in adapter.attention()]
    known = [(adapter, verdict) for adapter in report.adapters for verdict in adapter.excused()]
    seconds = sum(each.seconds for each in report.reports)
    page = _Page(most_bytes - RESERVE)
    page.add(
        f"## waitproof: {escaped(report.newest.title or report.suite)}",
        "",
        f"**{_SIGNS[report.exit_code]} {escaped(outcome(report))}**",
        "",
    )
    page.rows(
        ["adapter", "SDK", "verdicts"], (_adapter_row(adapter) for adapter in report.adapters), "adapter"
    )
    for adapter in report.adapters:
        if adapter.entry.error:
            page.add(f"**{escaped(adapter.name)}** could not be run: {escaped(adapter.entry.error)}", "")
    for note in report.notes:
        page.add(f"Note: {escaped(note)}", "")
    stale = [(adapter, each) for adapter in report.adapters for each in adapter.stale]
    if stale:
        page.add("### Stale deviations", "", "A baseline has these, and they hold no more.", "")
        columns = [*_who(report, "adapter"), "deviation", "what is wrong", "where", "fix"]
        page.rows(columns, (_stale_row(report, *each) for each in stale), "stale deviation")
    if told:
        page.add("### What is not kept", "")
        page.rows(_columns(report), (_verdict_row(report, *each) for each in told), "verdict")
    if known:
        page.add(f"<details><summary>{counted(len(known), 'known deviation')}</summary>", "")
        head = [*_columns(report), "why"]
        page.rows(head, (_known_row(report, *each) for each in known), "known deviation")
        page.add("</details>", "")
    size = f"{counted(len(report.scenarios), 'scenario')}, {counted(len(report.adapters), 'adapter')}"
    versions = ", ".join(sorted({each.waitproof for each in report.reports}))
    page.end(f"{size}, {seconds:.1f} s, waitproof {escaped(versions)}")
    return page.text()


def _adapter_row(adapter: Adapter) -> list[str]:
    return [escaped(adapter.name), escaped(adapter.sdk), escaped(adapter.sentence().replace("_", " "))]


def _columns(report: Merged) -> list[str]:
    return ["", *_who(report, "adapter"), "requirement", "scenario", "expected", "seen"]


def _who(report: Merged, name: str) -> list[str]:
    """Return the cell that says whose row it is, where that is a question."""
    return [name] if len(report.adapters) > 1 else []


def _stale_row(report: Merged, adapter: Adapter, stale: StaleEntry) -> list[str]:
    told = (stale.deviation, stale.fact, stale.place, stale.fix)
    return [*_who(report, escaped(adapter.name)), *(escaped(each) for each in told)]


def _verdict_row(report: Merged, adapter: Adapter, verdict: VerdictEntry) -> list[str]:
    return [
        _status(verdict.status),
        *_who(report, escaped(adapter.name)),
        escaped(verdict.requirement),
        escaped(verdict.scenario),
        escaped(verdict.expected),
        escaped(verdict.seen),
    ]


def _known_row(report: Merged, adapter: Adapter, verdict: VerdictEntry) -> list[str]:
    link = verdict.href
    is_plain = re.fullmatch(r"[\w:/.#?&=%~+,@-]+", link) is not None
    return [
        *_verdict_row(report, adapter, verdict),
        escaped(verdict.excused) + (f" [source]({link})" if is_plain else ""),
    ]


def _status(status: Status) -> str:
    sign = {Status.FAIL: "❌", Status.WARN: "⚠️", Status.ERROR: "💥", Status.INCONCLUSIVE: "❔"}.get(
        status, ""
    )
    return f"{sign} {status.value}".strip()


class _Page:
    """Lines up to a number of bytes; rows that would not fit are counted instead."""

    def __init__(self, most_bytes: int) -> None:
        self._lines: list[str] = []
        self._left = most_bytes

    def add(self, *lines: str) -> bool:
        """Add lines, unless they do not fit."""
        size = sum(len(line.encode()) + 1 for line in lines)
        if size > self._left:
            return False
        self._left -= size
        self._lines += lines
        return True

    def rows(self, columns: Sequence[str], rows: Iterator[list[str]], noun: str) -> None:
        """Add a table, and how many of its rows did not fit."""
        self.add(_row(columns), "|" + "---|" * len(columns))
        left_out = sum(not self.add(_row(row)) for row in rows)
        self._lines.append("")
        if left_out:
            told = f"… and {counted(left_out, noun)} more, left out for length: see report.json."
            self._lines += [told, ""]

    def end(self, line: str) -> None:
        """Add the last line; there is room for it."""
        self._lines += [line, ""]

    def text(self) -> str:
        return "\n".join(self._lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
