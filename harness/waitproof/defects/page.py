"""The kill matrix as a page of documentation and as lines of a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from waitproof.defects.catalog import Library
from waitproof.defects.matrix import Line, Outcome
from waitproof.suite import Contract
from waitproof.text import plural

__all__ = ["markdown", "not_caught", "reasons", "sentence_of", "summary"]


def sentence_of(library: Library, line: Line) -> str:
    """Return a line of the matrix for a terminal."""
    defect = library.named(line.name)
    head = f"{line.outcome.value:<7} {line.name}"
    also = f"; also by {', '.join(line.also_by)}" if line.by and line.also_by else ""
    match line.outcome:
        case Outcome.CAUGHT:
            return f"{head}  by {', '.join(line.by)} in {plural(len(line.caught_in), 'scenario')}{also}"
        case Outcome.MISSED:
            return f"{head}  {defect.sentence}"
        case Outcome.OTHER_REASON:
            return f"{head}  by {', '.join(line.also_by)}: {defect.sentence}"
        case Outcome.ACCUSED:
            return f"{head}  by {', '.join(line.also_by)}"
        case Outcome.CORRECT:
            return head


def reasons(not_applicable: Mapping[str, str], most: int | None = None) -> list[str]:
    """Return why defects do not apply, one line for each reason.

    Args:
        not_applicable: The reasons, by the defects' names.
        most: How many of these a line names; the rest is counted.
    """
    by_reason: dict[str, list[str]] = {}
    for name, reason in not_applicable.items():
        by_reason.setdefault(reason, []).append(name)
    lines = []
    for reason, names in by_reason.items():
        rest = names[most:] if most else []
        more = f" and {len(rest)} more" if rest else ""
        lines.append(f"not applicable, {reason}: {', '.join(names[:most])}{more}")
    return lines


def not_caught(library: Library, lines: Iterable[Line]) -> str:
    """Return which defects a suite lets through, by the check that would catch them; "" for none."""
    missed = [line.name for line in lines if line.outcome in {Outcome.MISSED, Outcome.OTHER_REASON}]
    by_check: dict[str, list[str]] = {}
    for name in missed:
        by_check.setdefault(library.named(name).check, []).append(name.partition(".")[2])
    checks = (f"{check} ({', '.join(names)})" for check, names in by_check.items())
    return f"not caught by this suite: {'; '.join(checks)}" if missed else ""


def summary(lines: Sequence[Line], not_applicable: int, seconds: float, where: str) -> str:
    """Return the last line: how many of what."""
    counts = {outcome: sum(line.outcome is outcome for line in lines) for outcome in Outcome}
    parts = [f"{count} {outcome.value}" for outcome, count in counts.items() if count]
    parts += [f"{not_applicable} not applicable"] if not_applicable else []
    unsettled = sum(len(line.unsettled) for line in lines)
    more = f"; {plural(unsettled, 'verdict')} not settled" if unsettled else ""
    return f"{where}: {plural(len(lines), 'client')} in {seconds:.1f} s: {', '.join(parts)}{more}"


def markdown(contract: Contract, library: Library, lines: Iterable[Line]) -> str:
    """Return the kill matrix as a page."""
    by_name = {line.name: line for line in lines}
    text = [
        f"# Which defects the suite `{contract.name}` catches",
        "",
        "Written by `waitproof prove --markdown docs/proof.md`; do not edit it.",
        "",
        "A defect is a small change of a correct wait helper that breaks one promise. It is named after the",
        "kind of check that must catch it, and *caught by* lists the requirements with that check that did.",
        "A correct client may look different, and the suite must not accuse it of anything.",
        "",
    ]
    for check in dict.fromkeys(defect.check for defect in library.defects.values()):
        proved = [each for each in library.defects.values() if each.check == check and each.name in by_name]
        if not proved:
            continue
        text += [
            f"## {check}",
            "",
            "| defect | what is wrong | outcome | caught by | in |",
            "|---|---|---|---|---|",
        ]
        for defect in proved:
            line = by_name[defect.name]
            where = f"{len(line.caught_in)}: {line.caught_in[0]}" if line.caught_in else ""
            name = defect.name.partition(".")[2]
            by = ", ".join(line.by or line.also_by)
            text.append(f"| {name} | {defect.sentence} | {line.outcome.value} | {by} | {where} |")
        text.append("")
    proved = [each for each in library.equivalents.values() if each.name in by_name]
    if proved:
        text += [
            "## Correct clients",
            "",
            "| client | what differs | outcome | accused by |",
            "|---|---|---|---|",
        ]
        for defect in proved:
            line = by_name[defect.name]
            by = ", ".join(line.also_by)
            text.append(f"| {defect.name} | {defect.sentence} | {line.outcome.value} | {by} |")
        text.append("")
    missed = [
        by_name[each.name]
        for each in library.defects.values()
        if each.name in by_name and not by_name[each.name].outcome.is_right
    ]
    if missed:
        text += ["## Not caught", "", "A scenario that shows one of these would be worth adding.", ""]
        text += [f"- {sentence_of(library, line).partition(' ')[2].strip()}" for line in missed]
        text.append("")
    if library.not_applicable:
        text += ["## Not applicable", "", *(f"- {each}" for each in reasons(library.not_applicable)), ""]
    return "\n".join(text)
