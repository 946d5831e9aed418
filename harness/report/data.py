"""report.json: the one source of every other report.

`document` makes the JSON of a run; its shape is `report.schema.json`, and additions do not raise its
number. Times are seconds since a scenario's first call was written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from harness.contract import Level
from harness.errors import InputError, Mistake
from harness.judge import Verdict
from harness.observation import CallRecord, Observation, Poll
from harness.runner import AdapterResult, RunResult, ScenarioResult
from harness.source import Json

__all__ = ["SCHEMA_FILE", "document", "read", "waitproof_version", "write"]

SCHEMA = 1
SCHEMA_FILE = Path(__file__).with_name("report.schema.json")
MAX_TEXT = 10_000  # characters of one string in an exchange: a payload of 2 MB helps no reader


def waitproof_version() -> str:
    """Return the installed version, "0" in a tree that was not installed."""
    try:
        return version("waitproof")
    except PackageNotFoundError:
        return "0"


def document(result: RunResult, *, exit_code: int, fail_on: Level = Level.MUST) -> dict[str, Json]:
    """Return the report of a run as JSON values."""
    return {
        "schema": SCHEMA,
        "waitproof": waitproof_version(),
        "suite": result.suite.name,
        "started": result.started.isoformat(timespec="seconds"),
        "seconds": _rounded(result.seconds),
        "interrupted": result.interrupted,
        "whole": result.whole,
        "fail_on": fail_on.value,
        "exit_code": int(exit_code),
        "requirements": [
            {"id": each.id, "level": each.level.value, "sentence": each.sentence}
            for each in result.suite.contract.requirements
        ],
        "adapters": [_adapter(adapter) for adapter in result.adapters],
        "strays": [
            {
                "method": entry.method,
                "target": entry.target,
                "arrived_s": _rounded((entry.arrived_ns - result.origin_ns) / 1e9),
                "nearest": entry.nearest,
            }
            for entry in result.strays
        ],
    }


def read(path: Path) -> dict[str, Any]:
    """Return the report in a file.

    Raises:
        InputError: It cannot be read, or is no report of a schema that this version knows.
    """
    try:
        report = json.loads(path.read_bytes())
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(Mistake(str(path), f"the report cannot be read: {reason}")) from None
    except (ValueError, RecursionError) as error:
        raise InputError(Mistake(str(path), f"this is no JSON: {error}")) from None
    number = report.get("schema") if isinstance(report, dict) else None
    if number != SCHEMA or not {"started", "requirements", "adapters"} <= set(report):
        raise InputError(
            Mistake(
                str(path),
                "this is no report that this version of waitproof can read",
                found=f"schema: {json.dumps(number)}",
                expected=f"schema: {SCHEMA}, as written by waitproof run --json",
            )
        )
    return dict(report)


def write(report: Mapping[str, Json], path: Path) -> None:
    """Write a report; every character beyond ASCII is escaped, so that lone surrogates survive.

    Raises:
        InputError: The file cannot be written.
    """
    text = json.dumps(report, indent=1) + "\n"
    try:
        path.write_text(text, encoding="ascii")
    except OSError as error:
        fact = f"the report cannot be written: {(error.strerror or str(error)).lower()}"
        raise InputError(Mistake(str(path), fact)) from None


def _adapter(adapter: AdapterResult) -> dict[str, Json]:
    hello = adapter.hello
    return {
        "name": adapter.name,
        "sdk": None
        if hello is None
        else {
            "name": hello.sdk_name,
            "version": hello.sdk_version,
            "language": hello.language,
            "runtime": hello.runtime,
        },
        "helper": "" if hello is None else hello.helper,
        "result_path": "" if hello is None else hello.result_path,
        "capabilities": {} if hello is None else _capabilities(hello.capabilities),
        "error": adapter.error,
        "baseline": _baseline(adapter),
        "verdicts": [_verdict(verdict) for verdict in adapter.verdicts()],
        "scenarios": [
            _scenario(played, seen) for played in adapter.scenarios.values() for seen in played.observations
        ],
        "stderr_tail": list(adapter.stderr_tail),
    }


def _baseline(adapter: AdapterResult) -> dict[str, Json] | None:
    if not adapter.baseline:
        return None
    stale = [
        {
            "deviation": each.entry.known.deviation,
            "problem": each.problem.value,
            "fact": each.mistake.fact,
            "mend": each.mistake.mend,
            "place": each.mistake.place,
        }
        for each in adapter.stale
    ]
    return {"file": adapter.baseline, "stale": stale}


def _capabilities(capabilities: Any) -> dict[str, Json]:
    return {
        "wait": capabilities.wait,
        "get_task": capabilities.get_task,
        "operations": list(capabilities.operations),
        "max_concurrency": capabilities.max_concurrency,
        "non_blocking": capabilities.non_blocking,
        "poll_interval_resolution": capabilities.poll_interval_resolution,
        "timeout_resolution": capabilities.timeout_resolution,
        "options": list(capabilities.options),
    }


def _verdict(verdict: Verdict) -> dict[str, Json]:
    return {
        "scenario": verdict.scenario,
        "requirement": verdict.requirement,
        "level": verdict.level.value,
        "status": verdict.status.value,
        "expected": verdict.expected,
        "seen": verdict.seen,
        "explanation": verdict.explanation,
        "timeline": verdict.timeline,
        "excused": verdict.excused,
        "link": verdict.link,
        "alone_runs": verdict.alone_runs,
    }


def _scenario(played: ScenarioResult, seen: Observation) -> dict[str, Json]:
    return {
        "id": played.scenario.id,
        "summary": played.scenario.summary,
        "alone": seen.alone,
        "scale": seen.scale,
        "calls": [_call(call) for call in seen.calls],
        "polls": [_poll(poll, task.n) for task in seen.tasks for poll in task.polls],
        "requests": [_request(other, task.n) for task in seen.tasks for other in task.others],
        "lag_s": _rounded(seen.lag_s),
        "watched_s": _rounded(seen.watched_s),
    }


def _call(call: CallRecord) -> dict[str, Json]:
    return {
        "copy": call.copy,
        "sent_s": _rounded(call.sent_s),
        "received_s": _rounded(call.received_s),
        "elapsed_s": _rounded(call.elapsed_s),
        "request": _trimmed(dict(call.request)),
        "answer": None if call.answer is None else _trimmed(dict(call.answer)),
    }


def _poll(poll: Poll, n: int) -> dict[str, Json]:
    return {
        "copy": n,
        "n": poll.n,
        "arrived_s": _rounded(poll.arrived_s),
        "answered_s": _rounded(poll.answered_s),
        "status": poll.status,
        "connection": poll.connection,
        "repeat": poll.repeat,
        "ended": poll.ended.value,
        "http": poll.http,
    }


def _request(request: Poll, n: int) -> dict[str, Json]:
    return {
        "copy": n,
        "method": request.method,
        "target": request.target,
        "arrived_s": _rounded(request.arrived_s),
        "connection": request.connection,
        "http": request.http,
    }


def _rounded(value_s: float | None) -> float | None:
    return None if value_s is None else round(value_s, 6)


def _trimmed(value: Json) -> Json:
    if isinstance(value, str) and len(value) > MAX_TEXT:
        return f"{value[:MAX_TEXT]}… ({len(value)} characters)"
    if isinstance(value, Mapping):
        return {key: _trimmed(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_trimmed(child) for child in value]
    return value
