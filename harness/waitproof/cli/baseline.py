"""`waitproof baseline update`: brings an adapter's known deviations up to date with a run."""

from __future__ import annotations

import argparse
import os
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

from waitproof.adapter import FILE_NAME, baseline_file, given_name
from waitproof.cli.console import say
from waitproof.cli.options import no_adapter
from waitproof.errors import InputError, Mistake
from waitproof.report import AdapterEntry, Report, load, write_file
from waitproof.run import ExitCode, Problem, Run, Update, update
from waitproof.suite import read_file

__all__ = ["add_options", "execute"]

MANY = 3  # entries for one requirement


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    kinds = parser.add_subparsers(required=True, metavar="update")
    updating = kinds.add_parser(
        "update", help="add new deviations to deviations.yaml, remove entries that now pass"
    )
    updating.add_argument("adapters", nargs="*", metavar="ADAPTER", help="folder with an adapter.yaml")
    updating.add_argument(
        "--report",
        action="append",
        type=Path,
        metavar="FILE",
        help="report.json of the run, written by waitproof run --json; repeatable, for several suites",
    )
    updating.add_argument(
        "--wide",
        action="store_true",
        help="add one entry, not many, for a requirement that fails in every scenario",
    )
    updating.add_argument(
        "--check", action="store_true", help="change nothing; exit with 1 if something would change"
    )


def execute(options: argparse.Namespace) -> ExitCode:
    """Update each adapter's file and print what changed."""
    if not options.adapters:
        raise no_adapter("waitproof baseline update")
    if options.report is None:
        options.report = _configured_report(options)
    if options.report is None:
        run = shlex.join(["waitproof", "run", *options.adapters, "--json", "report.json"])
        fix = f"{run}; then the same command with --report report.json"
        raise InputError(Mistake("--report", "a run's report is needed to update a baseline", fix=fix))
    reports = [load(path) for path in options.report]
    updates = [_update_of(argument, reports, options) for argument in options.adapters]
    for file, new in updates:
        if new.changes and new.text is not None and not options.check:
            write_file(file, new.text, "baseline")
        for line in _summary(file, new, is_check=options.check):
            say(line)
        hint = _about_wide(new, reports, is_wide=options.wide)
        if hint:
            say(hint)
    changed = any(new.changes for _, new in updates)
    return ExitCode.NOT_KEPT if options.check and changed else ExitCode.KEPT


def _configured_report(options: argparse.Namespace) -> list[Path] | None:
    """Return the report.json that a run writes by the configuration, None without one."""
    found = options.configuration
    file = found and found.values.get("reports", {}).get("json")
    return [file] if file and file.exists() else None


def _update_of(argument: str, reports: Sequence[Report], options: argparse.Namespace) -> tuple[Path, Update]:
    name, file = baseline_file(argument)
    if options.configuration:
        file = options.configuration.baseline_of(Path(argument)) or file
    report, adapter = _played(argument, name, reports, options.report)
    run = Run(
        report.started[:10],
        adapter.named_sdk,
        adapter.verdicts,
        report.is_complete,
        [each.id for each in report.requirements],
    )
    before = read_file(file) if os.path.lexists(file) else None
    return file, update(before, str(file), run, date.today(), wide=options.wide)


def _played(
    argument: str, name: str, reports: Sequence[Report], files: Sequence[Path]
) -> tuple[Report, AdapterEntry]:
    """Return what the reports have about an adapter: of that name, and not of another folder's.

    Raises:
        InputError: They have nothing, or it is not clear which of several adapters it is.
    """
    played = [(report, each) for report in reports for each in report.adapters]
    found = [each for each in played if given_name(each[1].name) == name and _may_be(each[1], argument)]
    found = [each for each in found if _is_folder(each[1].argument, argument)] or found
    if len(found) == 1:
        return found[0]
    fact = f"{len(found)} adapters of the report are called '{name}'"
    if not found:
        fact = f"the report has nothing about the adapter '{name}'"
    fix = shlex.join(["waitproof", "run", argument, "--json", str(files[0])])
    expected = ", ".join(dict.fromkeys(each.name for _, each in played))
    raise InputError(Mistake(", ".join(map(str, files)), fact, expected=expected, fix=fix))


def _may_be(adapter: AdapterEntry, argument: str) -> bool:
    """Say whether an adapter was not another folder's; what its user typed may be relative to elsewhere."""
    return not Path(adapter.argument, FILE_NAME).is_file() or _is_folder(adapter.argument, argument)


def _is_folder(argument: str, other: str) -> bool:
    return argument != "" and Path(argument).resolve() == Path(other).resolve()


def _about_wide(new: Update, reports: Sequence[Report], *, is_wide: bool) -> str:
    """Return what to do about many entries for one requirement, "" where there are not many."""
    counts = Counter(each.deviation.partition(":")[2] for each in new.added if ":" in each.deviation)
    if not counts or max(counts.values()) < MANY:
        return ""
    if not is_wide:
        return "  --wide adds one entry for a requirement that fails in all of its scenarios"
    if not all(each.is_complete for each in reports):
        return "  --wide had no effect: the run left scenarios out, which may pass"
    return ""


def _summary(file: Path, new: Update, *, is_check: bool) -> Iterator[str]:
    would = "would be " if is_check else ""
    parts = [f"{len(new.added)} {would}added"] if new.added else []
    parts += [f"{len(new.removed)} {would}removed"] if new.removed else []
    yield f"{file}: {', '.join(parts) or 'nothing to change'}"
    yield from (f"  + {each.deviation}" for each in new.added)
    for each in new.removed:
        problem = "passes now" if each.problem is Problem.PASSES else "matches nothing"
        yield f"  - {each.entry.known.deviation}: {problem}"
    yield from (f"  ! {each.expiry}" for each in new.expired if each.expiry is not None)
