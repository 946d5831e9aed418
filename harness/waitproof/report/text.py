"""The report for people: a table of verdicts, failures in full, and what to do next.

Everything that comes from an adapter goes through `plain`, so that no escape sequence of its reaches a
terminal. Colour and width are the console's business.
"""

from __future__ import annotations

import re
import shlex
import textwrap
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from waitproof.judge import Status, Verdict
from waitproof.judge.observation import Observation
from waitproof.run import ORDER, AdapterResult, RunResult, sentence, unproved, worst
from waitproof.suite.contract import Level, Requirement

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
HANGING = 15  # where the text of a row begins
MAX_SDK = 60  # characters of an SDK's name and version above its column
LEVEL_WIDTH = max(len(level) for level in Level)
MIN_COLUMN = 12  # characters of an adapter's column: its longest word is INCONCLUSIVE
MAX_COLUMN = 24  # a word that is longer, of an SDK's own, is broken
COLUMN_GAP = 2
SLOW_S = 5.0  # shorter ones nobody waits for
SLOWEST_TOLD = 3
SAME_TOLD = 3  # verdicts of one requirement for the same reason that are told before the rest is counted


def plain(text: str) -> str:
    """Return text whose tabs are spaces, with everything escaped that a terminal would act on."""
    return "".join(
        character
        if character == "\n" or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn"}
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in text.expandtabs(4)
    )


def print_report(console: Console, result: RunResult) -> None:
    """Print the table of verdicts, then each verdict that needs a person's attention, then the counts."""
    for number, block in enumerate(_blocks(console.width, result)):
        if number:
            console.print()
        console.print(_table(result, block, _names_width(console.width, result)))
    for adapter in result.adapters:
        for lines in _attention(result, adapter):
            console.print()
            console.print(Text("\n".join(_fitted(console, lines))), soft_wrap=True)
    console.print()
    for adapter in result.adapters:
        _print_counts(console, adapter)
    if result.strays:
        known = result.strays[0]
        told = f"{len(result.strays)} requests belonged to no scenario, the first: "
        told += f"{known.method} {known.target} (the nearest route is {known.nearest})"
        _say(console, told)
    slow = _slowest(result)
    if slow:
        _say(console, f"slowest: {', '.join(slow)}")


def _slowest(result: RunResult) -> list[str]:
    """Return the scenarios that a run waited for, longest first, each with the adapter that took longest."""
    took: dict[str, tuple[float, str]] = {}
    for adapter in result.adapters:
        for name, played in adapter.scenarios.items():
            if played.observations:
                took[name] = max(took.get(name, (0.0, "")), (_length_s(played.observations[0]), adapter.name))
    longest = sorted(took, key=lambda name: took[name], reverse=True)[:SLOWEST_TOLD]
    who = len(result.adapters) > 1
    return [
        f"{name} {took[name][0]:.1f} s{f' ({took[name][1]})' if who else ''}"
        for name in longest
        if took[name][0] > SLOW_S
    ]


def _length_s(seen: Observation) -> float:
    """Return how long a scenario's calls took; one without an answer lasted as long as it was watched."""
    ends = (seen.watched_s if call.received_s is None else call.received_s for call in seen.calls)
    return max(ends, default=0.0)


def _fitted(console: Console, lines: Sequence[str]) -> Iterator[str]:
    """Yield lines that fit a terminal's width, what is wrapped below the text that it continues."""
    for line in lines:
        is_command = line.startswith("  again:")  # one line, so that it can be copied
        if console.is_terminal and not is_command and len(line) > console.width > HANGING:
            label = re.match(r"  \w+: +", line)
            text = re.sub(r"(?<! ) (?! )", "\xa0", line) if line.startswith("  polls:") else line
            wrapped = textwrap.wrap(
                text,
                console.width,
                subsequent_indent=" " * (label.end() if label else HANGING) if line.startswith("  ") else "",
                drop_whitespace=True,
                replace_whitespace=False,
                break_on_hyphens=False,
            )
            yield from (part.replace("\xa0", " ") for part in wrapped)
        else:
            yield line


def _print_counts(console: Console, adapter: AdapterResult) -> None:
    verdicts = list(adapter.verdicts())
    counts = sentence(verdicts)
    if adapter.stale:
        counts += f"; {len(adapter.stale)} stale deviation{'' if len(adapter.stale) == 1 else 's'}"
    _say(console, f"{adapter.name}: {counts}")
    missing = unproved(verdicts)
    if missing:
        _say(console, f"{adapter.name}: nobody knows whether these hold: {', '.join(missing)}")


def _say(console: Console, line: str) -> None:
    """Print a line of its own; what does not fit a terminal is wrapped between two words."""
    console.print(Text("\n".join(_fitted(console, plain(line).splitlines()))), soft_wrap=True)


@dataclass
class _Column:
    """An adapter's column: its heading and its cells, by requirement.

    Attributes:
        width: How wide it is, at first just wide enough for its longest word.
        wanted: How wide it would have to be for nothing to be wrapped.
    """

    heading: tuple[str, ...]
    cells: Mapping[str, Text]
    width: int
    wanted: int


def _blocks(width: int, result: RunResult) -> Iterator[list[_Column]]:
    """Yield the adapters' columns, in blocks of as many as fit beside the requirements with whole words."""
    requirements = result.suite.contract.requirements
    room = width - LEVEL_WIDTH - COLUMN_GAP - _names_width(width, result)
    blocks: list[list[_Column]] = []
    free = 0
    for adapter in result.adapters:
        column = _column(adapter, requirements)
        if not blocks or column.width + COLUMN_GAP > free:
            blocks.append([])
            free = room
        blocks[-1].append(column)
        free -= column.width + COLUMN_GAP
    for block in blocks:
        _widen(block, room - sum(column.width + COLUMN_GAP for column in block))
        yield block


def _names_width(width: int, result: RunResult) -> int:
    """Return how wide the requirements' names are; on a narrow terminal they give way to one adapter."""
    judged = {verdict.requirement for adapter in result.adapters for verdict in adapter.verdicts()}
    longest = max(map(len, judged), default=0)
    return max(MIN_COLUMN, min(longest, width - LEVEL_WIDTH - MIN_COLUMN - 2 * COLUMN_GAP))


def _widen(block: Sequence[_Column], free: int) -> None:
    """Share free space out among columns, a character each in turn, as far as they have a use for it."""
    while free > 0 and (narrow := [column for column in block if column.width < column.wanted]):
        for column in narrow[:free]:
            column.width += 1
        free -= len(narrow)


def _column(adapter: AdapterResult, requirements: Sequence[Requirement]) -> _Column:
    cells = {each.id: cell for each in requirements if (cell := _cell(adapter, each)) is not None}
    heading = [plain(adapter.name)]
    if adapter.hello is not None:
        sdk = f"{adapter.hello.sdk_name[:MAX_SDK]} {adapter.hello.sdk_version[:MAX_SDK]}"
        sdk = " ".join(plain(sdk).split())
        heading.append(sdk if len(sdk) <= MAX_SDK else f"{sdk[: MAX_SDK - 1]}…")
    texts = [*heading, *(cell.plain for cell in cells.values())]
    longest = max((len(word) for text in texts for word in text.replace("-", "- ").split()), default=0)
    width = min(max(longest, MIN_COLUMN), MAX_COLUMN)
    return _Column(tuple(heading), cells, width, max(map(len, texts)))


def _table(result: RunResult, columns: Sequence[_Column], names_width: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("level", min_width=LEVEL_WIDTH)
    table.add_column("requirement", no_wrap=True, overflow="ellipsis", max_width=names_width)
    for column in columns:
        lines = [line for text in column.heading for line in textwrap.wrap(text, column.width)]
        heading = Text("\n".join(lines))
        table.add_column(heading, overflow="fold", min_width=column.width, max_width=column.width)
    for requirement in result.suite.contract.requirements:
        cells = [column.cells.get(requirement.id) for column in columns]
        if any(cell is not None for cell in cells):
            table.add_row(requirement.level.value, requirement.id, *(cell or Text("") for cell in cells))
    return table


def _cell(adapter: AdapterResult, requirement: Requirement) -> Text | None:
    verdicts = [verdict for verdict in adapter.verdicts() if verdict.requirement == requirement.id]
    status = worst(verdicts)
    if status is None:
        return None
    text = SHORT.get(status, status.value)
    if status is Status.INFO:
        text = "; ".join(sorted({plain(verdict.seen).partition(":")[0] for verdict in verdicts}))
    elif status is Status.PASS:
        count = sum(verdict.status is status for verdict in verdicts)
        text += f" {count} of {len(verdicts)}" if count < len(verdicts) else ""
        text += f" {count}" if 1 < count == len(verdicts) else ""
    elif len(verdicts) > 1 and status is not Status.NOT_APPLICABLE:
        count = sum(verdict.status is status for verdict in verdicts)
        text += f" {count} of {len(verdicts)}"
    if any(verdict.excused for verdict in verdicts if verdict.status is status):
        text += " (excused)"
    return Text(text, style=STYLES[status])


def _attention(result: RunResult, adapter: AdapterResult) -> Iterator[list[str]]:
    if adapter.error:
        for stale in adapter.stale:
            yield plain(str(stale.mistake)).splitlines()
        error = adapter.error.removeprefix(f"{adapter.name}: ")
        yield plain(f"ERROR {adapter.name}: {error}").splitlines()
        if adapter.stderr_tail:
            yield ["  its last lines on stderr:", *(f"    {plain(line)}" for line in adapter.stderr_tail)]
        return
    told = [v for v in adapter.verdicts() if v.status in TOLD_IN_FULL and not v.excused]
    told.sort(key=lambda verdict: ORDER.index(verdict.status))
    by_reason: dict[tuple[str, Status], int] = {}
    for verdict in told:
        key = (verdict.requirement, verdict.status)
        by_reason[key] = by_reason.get(key, 0) + 1
        if by_reason[key] <= SAME_TOLD:
            yield verdict_lines(result, adapter, verdict)
    for (requirement, status), count in by_reason.items():
        if count > SAME_TOLD:
            yield [plain(f"… and {count - SAME_TOLD} more {status.value} of {requirement} ({adapter.name})")]
    excused = list(_excused(adapter))
    if excused:
        yield excused
    for stale in adapter.stale:
        yield plain(str(stale.mistake)).splitlines()
    if adapter.stderr_tail and any(verdict.status is Status.ERROR for verdict in told):
        head = plain(f"{adapter.name}: the adapter's last lines on stderr:")
        yield [head, *(f"  {plain(line)}" for line in adapter.stderr_tail)]


def _excused(adapter: AdapterResult) -> Iterator[str]:
    """Yield a line for each known deviation that was seen, with its reason."""
    seen: dict[tuple[Status, str, str], list[Verdict]] = {}
    for verdict in adapter.verdicts():
        if verdict.excused and verdict.status is not Status.UNSUPPORTED:
            seen.setdefault((verdict.status, verdict.requirement, verdict.excused), []).append(verdict)
    for (status, requirement, reason), verdicts in seen.items():
        where = verdicts[0].scenario if len(verdicts) == 1 else f"{len(verdicts)} scenarios"
        yield plain(f"{status.value} {requirement} ({adapter.name}), excused in {where}: {reason}")


def verdict_lines(result: RunResult, adapter: AdapterResult, verdict: Verdict) -> list[str]:
    """Return a verdict in full, and the command that repeats it; the first line stands alone."""
    requirement = result.suite.contract.requirement(verdict.requirement)
    again = ["waitproof", "run", "--adapter", adapter.argument or adapter.name]
    again += ["--suite", result.argument] if result.argument else []
    again += ["-k", f"{verdict.scenario}:{verdict.requirement}"]
    lines = explain_verdict(adapter.name, verdict, requirement)
    return [*lines, plain(f"  {'again:':<13}{shlex.join(again)}")]


def explain_verdict(adapter: str, verdict: Verdict, requirement: Requirement) -> list[str]:
    """Return a verdict in full, but for the command that repeats it."""
    seen = verdict.seen.splitlines() or [""]
    word = "quoted" if requirement.quote else "by reason"
    rows: list[tuple[str, str | Sequence[str]]] = [
        ("requirement", f"{verdict.requirement} ({requirement.level.value}, {word}): {requirement.sentence}"),
        ("expected", verdict.expected),
        ("seen", [*seen, verdict.explanation] if verdict.explanation else seen),
        ("polls", verdict.timeline),
        ("excused", verdict.excused),
    ]
    lines = [f"{verdict.status.value} {verdict.scenario} ({adapter}): {seen[0]}"]
    for name, value in rows:
        for number, line in enumerate([value] if isinstance(value, str) else value):
            if line:
                label = f"{name}:" if number == 0 else ""
                lines.append(f"  {label:<13}{line}")
    return [plain(line) for line in lines]
