"""Finds and reads the reports that a site is made from.

An edge. Of each report only what a history needs is read: no polls and no texts about what passed, which are
nine tenths of a file. A year of nightly runs fits into memory because equal verdicts are one object.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from waitproof.errors import InputError, Mistake, why
from waitproof.judge import Status
from waitproof.report.file import content, escaped, load
from waitproof.report.model import AdapterEntry, Report, StrayEntry, VerdictEntry
from waitproof.report.plays import PlayEntry
from waitproof.text import plural

__all__ = ["SiteRun", "read_runs"]

MAX_NAMES = 3  # files that a note names


@dataclass(frozen=True)
class SiteRun:
    """One report.

    Attributes:
        path: Its file.
        id: The start of its run and a hash of its bytes: no other report has it.
        report: Without what a history doesn't show.
    """

    path: Path
    id: str
    report: Report


@dataclass(frozen=True)
class _Adapter(AdapterEntry):
    scenarios: Annotated[tuple[PlayEntry, ...], Field(validation_alias="-")] = ()


@dataclass(frozen=True, kw_only=True)
class _Report(Report):
    schema: Literal[1, 2] = 2  # type: ignore[assignment]
    adapters: tuple[_Adapter, ...]
    strays: Annotated[tuple[StrayEntry, ...], Field(validation_alias="-")] = ()


def read_runs(paths: Sequence[Path], site: Path) -> tuple[list[SiteRun], list[str]]:
    """Return the reports in files and folders, that which began first coming first, and notes for stderr.

    Args:
        paths: Files that must be reports, and folders, of which every report.json and other JSON is read;
            JSON there that isn't a report, such as a badge's, is left out, and a note says so.
        site: What is in there is not read.

    Raises:
        InputError: With everything that is wrong.
    """
    mistakes: list[Mistake] = []
    runs: dict[str, SiteRun] = {}
    skipped: list[Path] = []
    copies: list[Path] = []
    reader, verdicts = TypeAdapter(_Report), dict[Any, VerdictEntry]()
    for file, is_named in _files(paths, site):
        try:
            data = content(file)
            if not is_named and not _may_be_report(data):
                skipped.append(file)
                continue
            report = _read(reader, data, file)
        except OSError as error:
            mistakes.append(Mistake(str(file), f"the report cannot be read: {why(error)}"))
            continue
        except InputError as error:
            mistakes += error.mistakes
            continue
        digest = hashlib.sha256(data).hexdigest()[:8]
        run_id = f"{report.started[:19].replace(':', '').replace('T', '-')}-{digest}"
        if run_id in runs:
            copies.append(file)
        else:
            runs[run_id] = SiteRun(file, run_id, _shared(report, verdicts))
    mistakes += _same_time(runs.values())
    if not runs and not mistakes:
        names = ", ".join(map(str, paths))
        fact, fix = "there is no report of a run here", "waitproof run ADAPTER --json runs/DATE.json"
        mistakes.append(Mistake(names, fact, expected="report.json files", fix=fix))
    if mistakes:
        raise InputError(mistakes)
    notes = [_note(skipped, "isn't a report", "aren't reports")] if skipped else []
    notes += [_note(copies, "is a copy of another", "are copies of others")] if copies else []
    return sorted(runs.values(), key=lambda run: (run.report.started, run.id)), notes


def _note(files: Sequence[Path], one: str, many: str) -> str:
    names = ", ".join(map(str, files[:MAX_NAMES])) + (", …" if len(files) > MAX_NAMES else "")
    return f"left out: {plural(len(files), 'file')} that {one if len(files) == 1 else many} ({names})"


def _files(paths: Sequence[Path], site: Path) -> Iterator[tuple[Path, bool]]:
    """Yield each file once, and whether it was named; hidden folders and the site are left out."""
    seen: set[str] = set()
    own = os.path.realpath(site)
    for path in paths:
        found = [(path, True)]
        if path.is_dir():
            found = []
            for folder, below, names in os.walk(path):
                below[:] = sorted(
                    each
                    for each in below
                    if not each.startswith(".") and os.path.realpath(os.path.join(folder, each)) != own
                )
                if os.path.realpath(folder) != own:
                    found += [(Path(folder, each), False) for each in sorted(names) if each.endswith(".json")]
        for file, is_named in found:
            real = os.path.realpath(file)
            if real not in seen:
                seen.add(real)
                yield file, is_named


def _may_be_report(data: bytes) -> bool:
    """Say whether it has a report's first member, or isn't whole JSON, which must not be passed over."""
    if b'"schema"' in data[:4096]:
        return True
    try:
        values = json.loads(data)
    except (ValueError, RecursionError):
        return True
    return isinstance(values, dict) and "schema" in values


def _read(reader: TypeAdapter[_Report], data: bytes, file: Path) -> Report:
    """Return a report's results; where this quick way fails, `load` says why, or knows better."""
    try:
        report: Report = reader.validate_json(data)
    except ValidationError:
        report = load(file)
    names = [each.name for each in report.adapters]
    return load(file) if len(set(names)) < len(names) else report


def _shared(report: Report, verdicts: dict[Any, VerdictEntry]) -> Report:
    """Return a report with everything escaped, and with the verdict of another where they are equal."""
    adapters = []
    for entry in report.adapters:
        found = []
        for each in entry.verdicts:
            seen = (
                each.behavior
                if each.status is Status.INFO
                else ""
                if each.status is Status.PASS
                else each.seen
            )
            key = (each.scenario, each.requirement, each.level, each.status, seen, each.excused)
            if (known := verdicts.get(key)) is None:
                slim = VerdictEntry(
                    scenario=each.scenario,
                    requirement=each.requirement,
                    level=each.level,
                    status=each.status,
                    seen=seen,
                    excused=each.excused,
                )
                known = verdicts[key] = escaped(slim)
            found.append(known)
        slim_entry: AdapterEntry = escaped(
            AdapterEntry(
                name=entry.name,
                argument=entry.argument,
                sdk=entry.sdk,
                helper=entry.helper,
                error=entry.error,
                baseline=entry.baseline,
                deaths=entry.deaths,
                verdicts=(),
            )
        )
        adapters.append(dataclasses.replace(slim_entry, verdicts=tuple(found)))
    names = ("waitproof", "suite", "title", "source", "started", "seconds", "interrupted", "error", "whole")
    more = ("fail_on", "exit_code", "requirements", "scenarios")
    slim_report = Report(**{name: getattr(report, name) for name in (*names, *more)}, adapters=())
    whole: Report = escaped(slim_report)
    return dataclasses.replace(whole, adapters=tuple(adapters))


def _same_time(runs: Any) -> Iterator[Mistake]:
    """Yield a mistake for each two different runs of one SDK that began in the same second."""
    known: dict[tuple[str, str, str], SiteRun] = {}
    for run in runs:
        for entry in run.report.adapters:
            other = known.setdefault((run.report.suite, entry.name, run.report.started), run)
            if other is not run:
                fact = f"a run of '{entry.name}' began in the same second as that in {other.path}"
                yield Mistake(str(run.path), fact, found=run.report.started, fix="remove one of the two")
                break
