"""Runs typed by hand, for the tests of every report that is made from one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fakes import MINI
from waitproof.errors import Mistake
from waitproof.journal import JournalEntry
from waitproof.judge import Status, Verdict
from waitproof.judge.observation import CallRecord, Observation, Poll, TaskRecord
from waitproof.protocol import Capabilities, Given, Hello, Returned
from waitproof.report.file import document, parse
from waitproof.report.from_run import report_of
from waitproof.report.merge import Merged, merge_reports
from waitproof.run import AdapterResult, ExitCode, RunResult, ScenarioResult, Stray
from waitproof.run.baseline import Deviation, Entry, Problem, Stale
from waitproof.suite.contract import Level
from waitproof.suite.files import load_suite

SUITE = load_suite(MINI)
HELLO = Hello("mini", "1.0", "python", "CPython", "wait", "", Capabilities(max_concurrency=0))


def verdict(requirement: str, status: Status, scenario: str = "outcomes/completes", **more: Any) -> Verdict:
    level = SUITE.contract.requirement(requirement).level
    return Verdict(scenario, requirement, level, status, "this", "that", **more)


def stale(
    deviation: str = "outcomes/completes:returns-output",
    problem: Problem = Problem.PASSES,
    *,
    fact: str = "it is kept",
    fix: str = "take it out",
    place: str = "my/deviations.yaml:3:5",
) -> Stale:
    entry = Entry(Deviation(deviation=deviation, reason="x"), place)
    return Stale(entry, problem, Mistake(place, fact, fix=fix))


def result(*verdicts: Verdict, name: str = "sdk", hello: Hello | None = HELLO, **more: Any) -> RunResult:
    """Return a run of one adapter in which each scenario has the verdicts given for it."""
    scenarios = {
        each.id: ScenarioResult(each, tuple(v for v in verdicts if v.scenario == each.id))
        for each in SUITE.scenarios
    }
    adapter = AdapterResult(name, hello, scenarios=scenarios, **more)
    return RunResult(SUITE, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), 1.5, adapters=[adapter])


def whole_run() -> RunResult:
    run = result(verdict("returns-output", Status.PASS), stderr_tail=("\ud800",))
    scenario = SUITE.scenarios[1]
    task = TaskRecord(
        1,
        7,
        polls=(Poll(1, 0.1, None, "queued"), Poll(2, 0.2, 0.25, "done")),
        others=(Poll(0, 0.3, 0.4, method="POST", target="/x", http=None),),
    )
    call = CallRecord(
        0, 1, scenario.calls[0], 0.0, None, Returned(Given.RESULT, result=1), None, {"id": "1"}, None
    )
    run.adapters[0].scenarios[scenario.id].observations = [Observation(HELLO, (call,), (task,))]
    run.strays = (Stray(JournalEntry(1, None, "other", "GET", "/y", {}, 5_000_000_000, 1, True)),)
    return run


def written(run: RunResult, *, exit_code: int = 0, fail_on: Level = Level.MUST) -> dict[str, Any]:
    """Return what report.json holds of a run, as `json` reads it."""
    report = report_of(run, exit_code=ExitCode(exit_code), fail_on=fail_on)
    values: dict[str, Any] = json.loads(json.dumps(document(report)))
    return values


def hand_made(path: Path, *verdicts: tuple[str, str, str], **more: Any) -> Path:
    """Write a report with the members that every file has, of the adapter `x`.

    Args:
        path: Where to.
        verdicts: Of each the name (`scenario:requirement`), the status, and what was seen.
        more: Members of the report to be set or replaced.
    """
    document = {
        "schema": 2,
        "waitproof": "0",
        "suite": "s",
        "started": "2026-11-24T10:00:00+00:00",
        "seconds": 1.0,
        "interrupted": False,
        "exit_code": 0,
        "requirements": [
            {"id": requirement, "level": "MUST", "sentence": ""}
            for requirement in dict.fromkeys(name.rpartition(":")[2] for name, _, _ in verdicts)
        ],
        "adapters": [
            {
                "name": "x",
                "sdk": {"name": "sdk", "version": "1", "language": "a", "runtime": "b"},
                "error": "",
                "verdicts": [
                    {
                        "scenario": name.rpartition(":")[0],
                        "requirement": name.rpartition(":")[2],
                        "level": "MUST",
                        "status": status,
                        "seen": seen,
                    }
                    for name, status, seen in verdicts
                ],
            }
        ],
        **more,
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def merged(*runs: RunResult, exit_code: int = 0, fail_on: Level = Level.MUST) -> Merged:
    """Return runs as what the reports are made from; their files are a.json, b.json and so on."""
    places = [f"{name}.json" for name in "abcdefgh"[: len(runs)]]
    documents = [written(run, exit_code=exit_code, fail_on=fail_on) for run in runs]
    return merge_reports(
        [parse(values, place) for values, place in zip(documents, places, strict=True)], places
    )
