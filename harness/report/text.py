"""The report for people: a table of verdicts, failures in full, and what to do next.

Everything that comes from an adapter goes through `plain`, so that no escape sequence of its reaches a
terminal. Colour and width are the console's business.
"""

from __future__ import annotations

import shlex
import unicodedata
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.contract import Requirement
from harness.judge import Status, Verdict
from harness.runner import AdapterResult, RunResult
from harness.summary import ORDER, sentence, unproved, worst

__all__ = ["STYLES", "explain_verdict", "plain", "print_report", "verdict_lines"]

STYLES = {
    Status.PASS: "green",
    Status.FAIL: "bold red",
    Status.WARN: "yellow",
    Status.INFO: "cyan",
    Status.INCONCLUSIVE: "magenta",
    Status.UNSUPPORTED: "dim",
    Status.NOT_APPLICABLE: "dim",
    Status.ERROR: "bold magenta",
}
TOLD_IN_FULL = {Status.ERROR, Status.FAIL, Status.WARN, Status.INCONCLUSIVE}
SHORT = {Status.NOT_APPLICABLE: "n/a"}
SAME_TOLD = 3  # verdicts of one requirement for the same reason that are told before the rest is counted


def plain(text: str) -> str:
    """Return text with every character escaped that a terminal would act on or cannot show."""
    return "".join(
        character
        if character == "\n" or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn"}
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in text
    )


def print_report(console: Console, result: RunResult) -> None:
    """Print the table of verdicts, then each verdict that needs a person's attention, then the counts."""
    console.print(_table(result))
    for adapter in result.adapters:
        for lines in _attention(result, adapter):
            console.print()
            console.print(Text("\n".join(lines)), soft_wrap=True)
    console.print()
    for adapter in result.adapters:
        _print_counts(console, adapter)
    if result.strays:
        known = result.strays[0]
        told = f"{len(result.strays)} requests belonged to no scenario, the first: "
        told += f"{known.method} {known.target} (the nearest route is {known.nearest})"
        console.print(Text(plain(told)), soft_wrap=True)


def _print_counts(console: Console, adapter: AdapterResult) -> None:
    verdicts = list(adapter.verdicts())
    console.print(Text(f"{adapter.name}: {sentence(verdicts)}"), soft_wrap=True)
    missing = unproved(verdicts)
    if missing:
        told = f"{adapter.name}: nobody knows whether these hold: {', '.join(missing)}"
        console.print(Text(told), soft_wrap=True)


def _table(result: RunResult) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("level")
    table.add_column("requirement", no_wrap=True)
    for adapter in result.adapters:
        table.add_column(_heading(adapter), overflow="fold")
    for requirement in result.suite.contract.requirements:
        cells = [_cell(adapter, requirement) for adapter in result.adapters]
        if any(cell is not None for cell in cells):
            table.add_row(requirement.level.value, requirement.id, *(cell or Text("") for cell in cells))
    return table


def _heading(adapter: AdapterResult) -> str:
    if adapter.hello is None:
        return adapter.name
    return plain(f"{adapter.name}\n{adapter.hello.sdk_name} {adapter.hello.sdk_version}")


def _cell(adapter: AdapterResult, requirement: Requirement) -> Text | None:
    verdicts = [verdict for verdict in adapter.verdicts() if verdict.requirement == requirement.id]
    status = worst(verdicts)
    if status is None:
        return None
    text = SHORT.get(status, status.value)
    if status is Status.INFO:
        text = "; ".join(sorted({plain(verdict.seen).partition(":")[0] for verdict in verdicts}))
    elif status is Status.PASS:
        text += f" {len(verdicts)}" if len(verdicts) > 1 else ""
    elif len(verdicts) > 1 and status is not Status.NOT_APPLICABLE:
        count = sum(verdict.status is status for verdict in verdicts)
        text += f" {count} of {len(verdicts)}"
    if any(verdict.excused for verdict in verdicts if verdict.status is status):
        text += " (excused)"
    return Text(text, style=STYLES[status])


def _attention(result: RunResult, adapter: AdapterResult) -> Iterator[list[str]]:
    if adapter.error:
        yield plain(f"ERROR {adapter.name}: {adapter.error}").splitlines()
        if adapter.stderr_tail:
            yield ["  its last lines on stderr:", *(f"    {plain(line)}" for line in adapter.stderr_tail)]
        return
    told = [verdict for verdict in adapter.verdicts() if verdict.status in TOLD_IN_FULL]
    told.sort(key=lambda verdict: ORDER.index(verdict.status))
    by_reason: dict[tuple[str, Status], int] = {}
    for verdict in told:
        key = (verdict.requirement, verdict.status)
        by_reason[key] = by_reason.get(key, 0) + 1
        if by_reason[key] <= SAME_TOLD:
            yield verdict_lines(result, adapter, verdict)
    for (requirement, status), count in by_reason.items():
        if count > SAME_TOLD:
            yield [f"… and {count - SAME_TOLD} more {status.value} of {requirement} ({adapter.name})"]
    if adapter.stderr_tail and any(verdict.status is Status.ERROR for verdict in told):
        head = f"{adapter.name}: the adapter's last lines on stderr:"
        yield [head, *(f"  {plain(line)}" for line in adapter.stderr_tail)]


def verdict_lines(result: RunResult, adapter: AdapterResult, verdict: Verdict) -> list[str]:
    """Return a verdict in full, and the command that repeats it; the first line stands alone."""
    requirement = result.suite.contract.requirement(verdict.requirement)
    again = f"-k {shlex.quote(f'{verdict.scenario}:{verdict.requirement}')}"
    lines = explain_verdict(adapter.name, verdict, requirement)
    return [*lines, f"  {'again:':<13}waitproof run --adapter {adapter.name} {again}"]


def explain_verdict(adapter: str, verdict: Verdict, requirement: Requirement) -> list[str]:
    """Return a verdict in full, but for the command that repeats it."""
    excused = f"excused, {verdict.excused}: " if verdict.excused else ""
    seen = verdict.seen.splitlines() or [""]
    word = "quoted" if requirement.quote else "by reason"
    rows: list[tuple[str, str | Sequence[str]]] = [
        ("requirement", f"{verdict.requirement} ({requirement.level.value}, {word}): {requirement.sentence}"),
        ("expected", verdict.expected),
        ("seen", [*seen, verdict.explanation] if verdict.explanation else seen),
        ("polls", verdict.timeline),
    ]
    lines = [f"{verdict.status.value} {verdict.scenario} ({adapter}): {excused}{seen[0]}"]
    for name, value in rows:
        for number, line in enumerate([value] if isinstance(value, str) else value):
            if line:
                label = f"{name}:" if number == 0 else ""
                lines.append(f"  {label:<13}{line}")
    return [plain(line) for line in lines]
