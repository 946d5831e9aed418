"""The report on a terminal: the causes, the matrix, each failure that none explains, and the counts.

Colour and width are the console's business. Everything that comes from an adapter has been escaped by
`report.file`; `explain_verdict`, which pytest also uses, escapes its lines itself.
"""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

from waitproof.adapter import EXAMPLE_CLIENT
from waitproof.judge import Status, Verdict
from waitproof.report.causes import explained_causes, failures, unexplained, unexplained_sentence
from waitproof.report.deaths import death_sentences, stderr_sentence
from waitproof.report.matrix import Cell, Row, rows
from waitproof.report.merge import Adapter, Merged
from waitproof.report.model import ATTENTION, RequirementEntry, StrayEntry, VerdictEntry
from waitproof.run import ExitCode, sentence
from waitproof.suite import Level
from waitproof.text import escape, on_one_line, plural, shorten

__all__ = ["STYLES", "explain_verdict", "labelled", "print_report"]

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
_ID = re.compile(r"(?<=/)(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9]+)(?=/|$)", re.IGNORECASE)
LABEL_WIDTH = 13
HANGING = LABEL_WIDTH + 2  # where the text after a label begins
LEVEL_WIDTH = max(len(level) for level in Level)
MIN_COLUMN = 12  # characters of an adapter's column: its longest word is INCONCLUSIVE
NARROW_NAMES = 24  # of requirements, where that saves a block of columns
MAX_COLUMN = 24  # a longer word, such as an SDK's name, is broken
COLUMN_GAP = 2
SLOW_S = 5.0  # nobody waits for shorter ones
MAX_SLOWEST = 3
MAX_NEAR = 3  # scenarios that are named with a stray request
EXAMPLE_NOTE = (
    "this is the kit's example client, and no SDK was judged: call yours in the adapter, and name it in hello"
)
WARN_NOTE = "no MUST failed, and a WARN alone leaves the exit code at 0; --fail-on should makes it 1"
MAX_ALIKE = 3  # verdicts with the same requirement and status that are shown in full; the rest is counted


def print_report(console: Console, report: Merged, *, verbose: bool = False) -> None:
    """Print the causes, the matrix, each verdict that needs a person's attention, and the counts.

    Where something failed, the requirements that passed are left out unless `verbose`, and where causes are
    known the failures that they explain, except the one that shows each cause best: a run with one defect
    fits on a screen.
    """
    for lines in (lines for adapter in report.adapters for lines in _causes(report, adapter)):
        _print(console, lines)
        console.print()
    is_short = not verbose and any(failures(adapter.entry) for adapter in report.adapters)
    _print_matrix(console, report, is_short=is_short)
    for adapter in report.adapters:
        for lines in _attention(report, adapter, is_short=is_short):
            console.print()
            _print(console, lines)
    console.print()
    for adapter in report.adapters:
        _print_summary(console, adapter)
    if report.exit_code is ExitCode.KEPT and any(map(_is_let_off, report.adapters)):
        _print(console, [WARN_NOTE])
    strays = [stray for each in report.reports for stray in each.strays]
    left_out = sum(each.strays_left_out for each in report.reports)
    if strays or left_out:
        _print(console, [_strays_line(strays, left_out)])
    slowest = _slowest(report)
    if slowest:
        _print(console, [f"slowest: {', '.join(slowest)}"])


def _print_summary(console: Console, adapter: Adapter) -> None:
    """Print an adapter's counts, and what a reader must know about them."""
    stale = f"; {plural(len(adapter.stale), 'stale deviation')}" if adapter.stale else ""
    _print(console, [f"{adapter.name}: {sentence(adapter.entry.verdicts)}{stale}"])
    if adapter.entry.sdk is not None and adapter.entry.sdk.name == EXAMPLE_CLIENT:
        _print(console, [f"{adapter.name}: {EXAMPLE_NOTE}"])
    for line in death_sentences(adapter.entry):
        _print(console, [f"{adapter.name}: {line}"])
    if stderr := stderr_sentence(adapter):
        _print(console, [shorten(stderr, console.width - 1)])
    if adapter.unverified():
        _print(console, [f"{adapter.name}: not verified: {', '.join(adapter.unverified())}"])
    if partly := adapter.partly_unsupported():
        _print(console, [f"{adapter.name}: UNSUPPORTED in some scenarios: {', '.join(partly)}"])


def _is_let_off(adapter: Adapter) -> bool:
    """Return whether an adapter has a WARN that does not change the exit code, and no baseline excuses it."""
    return adapter.report.fail_on is Level.MUST and bool(failures(adapter.entry))


def _strays_line(strays: Sequence[StrayEntry], left_out: int) -> str:
    """Return how many requests came outside of a scenario, and which of the listed ones came most often.

    Paths that differ in an id alone are one.
    """
    late = [each.late_for for each in strays if each.late_for]
    kinds: dict[str, list[StrayEntry]] = {}
    for each in strays:
        if not each.late_for:
            kinds.setdefault(f"{each.method} {_ID.sub('…', each.target.partition('?')[0])}", []).append(each)
    parts = [f"{plural(len(late), 'poll')} after the end of {_few(late)}"] if late else []
    if kinds:
        most, alike = max(kinds.items(), key=lambda kind: len(kind[1]))
        near = [name for each in alike for name in each.scenarios]
        details = [f"nearest route: {alike[0].nearest}"] if alike[0].nearest else []
        details += [f"on connections of {_few(near)}"] if near else []
        note = f" ({'; '.join(details)})" if details else ""
        parts.append(f"{len(alike)} x {most}{note}")
    if left_out:
        parts.append(f"{left_out} more, which are not listed")
    return f"{plural(len(strays) + left_out, 'request')} came outside of a scenario: {', '.join(parts)}"


def _few(names: Iterable[str]) -> str:
    """Return the first few of different names, and how many more there are."""
    every = sorted(set(names))
    more = f" and {len(every) - MAX_NEAR} more" if len(every) > MAX_NEAR else ""
    return f"{', '.join(every[:MAX_NEAR])}{more}"


def _print_matrix(console: Console, report: Merged, *, is_short: bool) -> None:
    matrix = rows(report)
    if is_short:
        matrix = [row for row in matrix if any(cell and cell.status in ATTENTION for cell in row.cells)]
    names_width, blocks = _layout(console.width, report, matrix)
    for number, block in enumerate(blocks):
        if number:
            console.print()
        console.print(_table(block, matrix, names_width))
    if is_short:
        is_folded = any(adapter.entry.causes for adapter in report.adapters)
        more = ", and every failure in full" if is_folded else ""
        _print(console, [f"The other requirements did not fail; -v shows them{more}."])


def _slowest(report: Merged) -> list[str]:
    """Return the scenarios that a run waited for, longest first, each with its slowest adapter."""
    longest: dict[str, tuple[float, str]] = {}
    for adapter in report.adapters:
        plays = {play.id: play for play in reversed(adapter.entry.scenarios)}  # the first run of each
        for name, play in plays.items():
            longest[name] = max(longest.get(name, (0.0, "")), (play.waited_s, adapter.name))
    names = sorted(longest, key=lambda name: longest[name], reverse=True)[:MAX_SLOWEST]
    has_many = len(report.adapters) > 1
    return [
        f"{name} {longest[name][0]:.1f} s{f' ({longest[name][1]})' if has_many else ''}"
        for name in names
        if longest[name][0] > SLOW_S
    ]


def _print(console: Console, lines: Iterable[str]) -> None:
    """Print lines; on a terminal, one that doesn't fit is wrapped between two words."""
    console.print(Text("\n".join(_fitted(console, lines))), soft_wrap=True)


def _fitted(console: Console, lines: Iterable[str]) -> Iterator[str]:
    """Yield lines that fit a terminal's width, wrapped text below the text that it continues."""
    for line in (each.replace("\n", " ") for each in lines):  # no adapter begins a line
        is_command = line.startswith("  again:")  # on one line, so that it can be copied
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


# --- the matrix ---------------------------------------------------------------------------------------


@dataclass
class _Column:
    """An adapter's column.

    Attributes:
        number: The adapter's place among the adapters, from 0.
        width: How wide it is, at first just wide enough for its longest word.
        ideal_width: How wide it would have to be for nothing to be wrapped.
    """

    number: int
    heading: tuple[str, ...]
    width: int
    ideal_width: int


def _layout(width: int, report: Merged, matrix: Sequence[Row]) -> tuple[int, list[list[_Column]]]:
    """Return how wide the requirements' names are, and blocks of as many columns as fit beside them.

    Names are wrapped where that saves a block, and on a narrow terminal to leave room for one adapter.
    """
    columns = [_column(number, adapter, matrix) for number, adapter in enumerate(report.adapters)]
    room = width - LEVEL_WIDTH - COLUMN_GAP
    longest = max((len(row.requirement.id) for row in matrix), default=0)
    names_width = max(MIN_COLUMN, min(longest, room - MIN_COLUMN - COLUMN_GAP))
    blocks = _blocks(columns, room - names_width)
    narrow_blocks = _blocks(columns, room - min(names_width, NARROW_NAMES))
    if len(narrow_blocks) < len(blocks):
        blocks = narrow_blocks
        names_width = min(names_width, room - max(map(_taken, blocks)))
    for block in blocks:
        _widen(block, room - names_width - _taken(block))
    return names_width, blocks


def _blocks(columns: Sequence[_Column], room: int) -> list[list[_Column]]:
    blocks: list[list[_Column]] = []
    for column in columns:
        if not blocks or _taken([*blocks[-1], column]) > room:
            blocks.append([])
        blocks[-1].append(column)
    return blocks


def _taken(block: Sequence[_Column]) -> int:
    return sum(column.width + COLUMN_GAP for column in block)


def _widen(block: Sequence[_Column], free: int) -> None:
    """Share free space among columns, a character each in turn, as long as they have a use for it."""
    while free > 0 and (narrow := [column for column in block if column.width < column.ideal_width]):
        for column in narrow[:free]:
            column.width += 1
        free -= len(narrow)


def _column(number: int, adapter: Adapter, matrix: Sequence[Row]) -> _Column:
    heading = tuple(text for text in (adapter.name, adapter.sdk) if text)
    cells = [cell for row in matrix if (cell := row.cells[number])]
    texts = [*heading, *(_cell(cell).plain for cell in cells)]
    words = [word for text in texts for word in text.replace("-", "- ").split()]
    words += [cell.text for cell in cells if cell.status is not Status.INFO]  # a status with its count
    width = min(max(map(len, [*words, " " * MIN_COLUMN])), MAX_COLUMN)
    return _Column(number, heading, width, max(map(len, texts), default=0))


def _cell(cell: Cell | None) -> Text:
    if cell is None:
        return Text()
    return Text(f"{cell.text} ({cell.excused})" if cell.excused else cell.text, style=STYLES[cell.status])


def _table(columns: Sequence[_Column], matrix: Sequence[Row], names_width: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("level", min_width=LEVEL_WIDTH)
    table.add_column("requirement", max_width=names_width)
    for column in columns:
        lines = [line for text in column.heading for line in textwrap.wrap(text, column.width)]
        heading = Text("\n".join(lines))
        table.add_column(heading, overflow="fold", min_width=column.width, max_width=column.width)
    for row in matrix:
        cells = [row.cells[column.number] for column in columns]
        if any(cells):
            name = "\n".join(textwrap.wrap(row.requirement.id, names_width))
            table.add_row(row.requirement.level.value, Text(name), *map(_cell, cells))
    return table


# --- what needs attention -----------------------------------------------------------------------------


def _causes(report: Merged, adapter: Adapter) -> Iterator[list[str]]:
    """Yield a block of lines for each cause, and one about the failures that have none."""
    for cause in explained_causes(adapter.name, adapter.entry):
        yield [cause.headline, *labelled(cause.facts)]
    was_sought = not any(each.interrupted for each in report.reports)
    if line := unexplained_sentence(adapter.name, adapter.entry, was_sought=was_sought):
        yield [line]


def _attention(report: Merged, adapter: Adapter, *, is_short: bool) -> Iterator[list[str]]:
    """Yield blocks of lines: failures, excused deviations, stale ones, the adapter's last lines on stderr."""
    stderr = [f"  {line}" for line in adapter.entry.stderr_tail]
    if adapter.entry.error:
        yield from (str(stale).splitlines() for stale in adapter.stale)
        error = adapter.entry.error.removeprefix(f"{adapter.name}: ")
        first, *others = f"ERROR {adapter.name}: {error}".splitlines()
        yield [first, *(f"  {line.removeprefix('  ')}" for line in others)]
        if stderr:
            yield ["  its last lines on stderr:", *(f"  {line}" for line in stderr)]
        return
    verdicts = adapter.attention()
    if is_short:
        shown = [
            *unexplained(adapter.entry),
            *(each.shown_by for each in explained_causes("", adapter.entry)),
        ]
        verdicts = [each for each in verdicts if each in shown or each not in failures(adapter.entry)]
    seen: Counter[tuple[str, Status]] = Counter()
    for verdict in verdicts:
        kind = (verdict.requirement, verdict.status)
        seen[kind] += 1
        if seen[kind] <= MAX_ALIKE:
            yield _verdict_lines(report, adapter, verdict)
    for (requirement, status), count in seen.items():
        if count > MAX_ALIKE:
            yield [f"… and {count - MAX_ALIKE} more {status.value} for {requirement} ({adapter.name})"]
    if following := adapter.following():
        yield [_following(adapter.name, following)]
    if excused := list(_excused(adapter)):
        yield excused
    yield from (str(stale).splitlines() for stale in adapter.stale)
    if stderr and any(verdict.status is Status.ERROR for verdict in verdicts):
        yield [f"{adapter.name}: the adapter's last lines on stderr:", *stderr]


def _following(name: str, verdicts: Sequence[VerdictEntry]) -> str:
    """Return one line for all failures that follow from others."""
    counts = Counter(verdict.follows_from for verdict in verdicts)
    origins = ", ".join(f"{number} from {requirement}" for requirement, number in counts.most_common())
    verb = "follows" if len(verdicts) == 1 else "follow"
    return f"{plural(len(verdicts), 'more failure')} {verb} from others ({name}): {origins}"


def _excused(adapter: Adapter) -> Iterator[str]:
    """Yield a line for each known deviation that occurred, with its reason."""
    groups: dict[tuple[Status, str, str], list[VerdictEntry]] = {}
    for verdict in adapter.excused():
        groups.setdefault((verdict.status, verdict.requirement, verdict.excused), []).append(verdict)
    for (status, requirement, reason), verdicts in groups.items():
        where = verdicts[0].scenario if len(verdicts) == 1 else f"{len(verdicts)} scenarios"
        yield f"{status.value} {requirement} ({adapter.name}), excused in {where}: {reason}"


def _verdict_lines(report: Merged, adapter: Adapter, verdict: VerdictEntry) -> list[str]:
    requirement = report.requirement(verdict.requirement)
    again = labelled([("again", adapter.command_for(verdict))])
    return [*explain_verdict(adapter.name, verdict, requirement), *again]


def explain_verdict(adapter: str, verdict: Verdict, requirement: RequirementEntry) -> list[str]:
    """Return a verdict in full, except for the command that repeats it; the first line stands alone."""
    origin = {True: ", quoted", False: ", not documented", None: ""}[requirement.quoted]
    lines = verdict.seen.splitlines() or [""]
    rows_of_text = [
        ("requirement", f"{verdict.requirement} ({requirement.level.value}{origin}): {requirement.sentence}"),
        ("expected", verdict.expected),
        ("seen", lines[0]),
        *(("", line) for line in [*lines[1:], verdict.explanation]),
        ("", f"follows from {verdict.follows_from}" if verdict.follows_from else ""),
        ("polls", verdict.timeline),
        ("excused", verdict.excused),
    ]
    head = f"{verdict.status.value} {verdict.scenario} ({on_one_line(adapter)}): {lines[0]}"
    return [escape(line) for line in (head, *labelled(rows_of_text))]


def labelled(texts: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield a line for each labelled text that isn't empty, the texts below one another."""
    for label, text in texts:
        if text:
            line = text.replace("\n", " ")
            yield f"  {f'{label}:' if label else '':<{LABEL_WIDTH}}{line}"
