"""Brings a baseline file up to date with a run, by editing its text in place. Pure.

Entries that now pass or match nothing are removed, new ones are added; every other byte of the file stays,
comments and line ends included. YAML writers cannot do that, so whole lines are cut out and inserted, and the
new text is read again: if it has not exactly the right entries, the file is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from waitproof.errors import InputError, Mistake
from waitproof.judge import Status, Verdict
from waitproof.run.baseline import Baseline, Deviation, Entry, Problem, Stale, parse_baseline
from waitproof.suite import Node, read
from waitproof.text import on_one_line, shorten

__all__ = ["Run", "Update", "quoted", "update"]

MAX_SEEN = 200  # characters of what was seen that a reason quotes
DEVIATES = {Status.FAIL, Status.WARN}
# Needs no quotes in YAML: starts with a letter, and has a character that no word like `true` or `null` has.
_BARE = re.compile(r"[a-z][a-z0-9]*[-/][a-z0-9/-]*(:[a-z][a-z0-9-]*)?")


@dataclass(frozen=True)
class Run:
    """What a run has shown of one adapter.

    Attributes:
        day: When it was, such as 2026-11-24.
        sdk: Name and version of the SDK.
        complete: The whole suite was played: whatever has no verdict is not in the suite.
        requirements: Every requirement of the contract.
    """

    day: str
    sdk: str
    verdicts: Sequence[Verdict]
    complete: bool
    requirements: Sequence[str]


@dataclass(frozen=True)
class Update:
    """What a baseline becomes.

    Attributes:
        text: The whole file; None where there is none and there is nothing to excuse.
        added: New entries, in the file's order.
        removed: Entries that now pass or match nothing.
        expired: Entries that have expired but still occur: they stay, for a person to decide.
    """

    text: str | None
    added: tuple[Deviation, ...] = ()
    removed: tuple[Stale, ...] = ()
    expired: tuple[Entry, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether the file has to be written."""
        return bool(self.added or self.removed)


def update(text: str | None, place: str, run: Run, today: date, *, wide: bool = False) -> Update:
    """Return what a baseline becomes after a run.

    Args:
        text: The file's text, None where there is no file yet.
        place: The file's name in messages.
        run: What the run has shown.
        today: The day that decides what has expired.
        wide: Write one entry for a requirement that fails in every scenario, rather than one for each.

    Raises:
        InputError: The file is wrong, is about another suite, or cannot be edited in place.
    """
    baseline = Baseline() if text is None else parse_baseline(text, place, today)
    stale = _judged(baseline, run)
    removed = tuple(each for each in stale if each.problem is not Problem.EXPIRED)
    if len(stale) == len(baseline.entries) > 1 and all(each.problem is Problem.NO_MATCH for each in stale):
        fact = "none of its entries matches anything in the report: is the report about another suite?"
        raise InputError(Mistake(place, fact, fix="use a report of the suite that this baseline is for"))
    gone = {id(each.entry) for each in removed}
    remaining = [entry.known for entry in baseline.entries if id(entry) not in gone]
    added = tuple(_new(run, remaining, wide=wide))
    expired = tuple(each.entry for each in stale if each.problem is Problem.EXPIRED)
    if text is None:
        return Update(_head(run.sdk) + "".join(_lines(added)) if added else None, added)
    if not added and not removed:
        return Update(text, expired=expired)
    positions = [number for number, entry in enumerate(baseline.entries) if id(entry) in gone]
    edited = _edit(text, place, positions, added)
    _check(edited, place, today, [*remaining, *added])
    return Update(edited, added, removed, expired)


def _judged(baseline: Baseline, run: Run) -> tuple[Stale, ...]:
    proves: dict[str, list[str]] = {}
    for verdict in run.verdicts:
        proves.setdefault(verdict.scenario, []).append(verdict.requirement)
    return baseline.stale(run.verdicts, proves if run.complete else None, run.requirements, adapter="")


# --- new entries --------------------------------------------------------------------------------------


def _new(run: Run, known: Sequence[Deviation], *, wide: bool) -> Iterator[Deviation]:
    """Yield an entry for everything that fails and that no entry covers yet."""
    by_requirement: dict[str, list[Verdict]] = {}
    for verdict in run.verdicts:
        by_requirement.setdefault(verdict.requirement, []).append(verdict)
    covered: set[str] = set()
    for verdict in run.verdicts:
        every = by_requirement[verdict.requirement]
        is_known = any(each.covers(verdict.scenario, verdict.requirement) for each in known)
        if verdict.status not in DEVIATES or is_known or verdict.requirement in covered:
            continue
        if wide and run.complete and len(every) > 1 and all(each.status in DEVIATES for each in every):
            covered.add(verdict.requirement)
            where = f" in all {len(every)} scenarios, in {verdict.scenario}"
            yield Deviation(deviation=_utf8(verdict.requirement), reason=_reason(run, verdict, where))
        else:
            name = _utf8(f"{verdict.scenario}:{verdict.requirement}")
            yield Deviation(deviation=name, reason=_reason(run, verdict))


def _reason(run: Run, verdict: Verdict, where: str = "") -> str:
    seen = shorten(_line(verdict.seen), MAX_SEEN) or "it failed"
    return _line(f"seen {run.day} with {run.sdk or 'an unknown SDK'}{where}: {seen}; say why")


def _line(text: str) -> str:
    return on_one_line(_utf8(text))


def _utf8(text: str) -> str:
    """Return text that UTF-8 can carry: half of a surrogate pair is written out."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _head(sdk: str) -> str:
    named = "".join(each if each.isprintable() else " " for each in _line(sdk)) or "the SDK"
    return (
        f"# Known deviations of {named} from what waitproof expects. Each entry excuses what it names and\n"
        "# says why; it can have a link and a last day (expires). One that no longer occurs fails the run.\n"
        "format: 1\n"
        "deviations:\n"
    )


def _lines(added: Sequence[Deviation], indent: str = "  ") -> Iterator[str]:
    for each in added:
        name = each.deviation if _BARE.fullmatch(each.deviation) else quoted(each.deviation)
        yield f"{indent}- deviation: {name}\n"
        yield f"{indent}  reason: {quoted(each.reason)}\n"


def quoted(text: str) -> str:
    r"""Return any text as a YAML scalar between double quotes, on one line.

    Raises:
        ValueError: The text has half of a surrogate pair, which no YAML file can contain.
    """
    return f'"{"".join(_escaped(character) for character in text)}"'


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xD800 <= code <= 0xDFFF:
        raise ValueError("half of a surrogate pair")
    if character in {'"', "\\"}:
        return f"\\{character}"
    if character.isprintable():
        return character
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


# --- the text -----------------------------------------------------------------------------------------


def _edit(text: str, place: str, gone: Sequence[int], added: Sequence[Deviation]) -> str:
    """Return the text without the entries of these numbers, and with new ones after the last."""
    root = read(text, place)
    listed, key = root.find(("deviations",))
    assert isinstance(listed.value, tuple)
    lines = text.splitlines(keepends=True)
    end = "\r\n" if lines[0].endswith("\r\n") else "\n"
    spans = [_span(lines, entry, place) for entry in listed.value]
    indent, after = "  ", listed.line - 1
    if spans:
        indent, after = " " * _column(lines[spans[0].start]), spans[-1].stop - 1
    if not lines[after].endswith(("\n", "\r")):
        lines[after] += end
    new = [line.replace("\n", end) for line in _lines(added, indent)]
    if not spans:
        _open(lines, listed, place)
    elif len(gone) == len(spans) and not new:
        line, column = key[0] - 1, key[1] - 1
        colon = lines[line].index(":", column)
        lines[line] = f"{lines[line][: colon + 1]} []{lines[line][colon + 1 :]}"
    dropped = {number for index in gone for number in spans[index]}
    kept = [line if number not in dropped else "" for number, line in enumerate(lines)]
    return "".join([*kept[: after + 1], *new, *kept[after + 1 :]])


def _span(lines: Sequence[str], entry: Node, place: str) -> range:
    """Return the lines of an entry, from its dash to the last that is indented below it."""
    start = entry.line - 1
    if lines[start][: entry.column - 1].strip():
        if lines[start][: entry.column - 1].strip() != "-":
            raise _uneditable(place)
    else:  # the dash has a line of its own
        start -= 1
        while start > 0 and not lines[start].partition("#")[0].strip():
            start -= 1
        if lines[start].partition("#")[0].strip() != "-":
            raise _uneditable(place)
    column = _column(lines[start])
    stop = start + 1
    is_left = False  # a comment as far left as the dash belongs to what follows, unless the entry goes on
    for number, line in enumerate(lines[start + 1 :], start + 1):
        is_comment = line.lstrip().startswith("#")
        if not line.strip() or (is_left and is_comment):
            continue
        is_left = _column(line) <= column
        if is_left and not is_comment:
            break
        if not is_left:
            stop = number + 1
    return range(start, stop)


def _open(lines: list[str], listed: Node, place: str) -> None:
    """Remove the `[]` of an empty list, so that entries can follow on separate lines."""
    line, column = listed.line - 1, listed.column - 1
    found = re.match(r"\[\s*\]", lines[line][column:])
    if found is None:
        raise _uneditable(place)
    rest = lines[line][column + found.end() :]
    lines[line] = lines[line][:column].rstrip() + rest


def _column(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _check(text: str, place: str, today: date, expected: Sequence[Deviation]) -> None:
    """Read the new text, and raise unless it has exactly the right entries: some YAML isn't line by line."""
    try:
        found = [entry.known for entry in parse_baseline(text, place, today).entries]
    except InputError:
        raise _uneditable(place) from None
    if found != list(expected):
        raise _uneditable(place)


def _uneditable(place: str) -> InputError:
    fact = "the entries are not on separate lines, so they cannot be changed in place"
    expected = "'- deviation: …' on a separate line for each, with its keys indented below it"
    return InputError(
        Mistake(place, fact, expected=expected, fix="write them that way, or edit them by hand")
    )
