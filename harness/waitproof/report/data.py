"""report.json: the one source of every other report.

`document` makes the JSON of a run; its shape is `report.schema.json`, and additions do not raise its
number. Times are seconds since a scenario's first call was written. What an adapter says is cut to what a
reader can use, and the values of credentials are masked: a report is made to be passed on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from waitproof.errors import InputError, Mistake
from waitproof.judge import Verdict
from waitproof.judge.observation import CallRecord, Observation, Poll
from waitproof.run import AdapterResult, RunResult, ScenarioResult
from waitproof.simulate import scaled
from waitproof.suite.contract import Contract, Level
from waitproof.suite.files import Suite
from waitproof.suite.scenario import Drop, Step
from waitproof.suite.task import respond
from waitproof.suite.yaml import Json

__all__ = ["SCHEMA_FILE", "document", "read", "waitproof_version", "write"]

SCHEMA = 1
SCHEMA_FILE = Path(__file__).with_name("report.schema.json")
MAX_TEXT = 10_000  # characters of one string in an exchange: a payload of 2 MB helps no reader
MAX_EXCHANGE = 40_000  # of all strings of one line or body, each item counting some: as with one of 2 MB
MAX_NAME = 100  # of what an adapter calls itself: it stands in headings and columns
MASKED = "***"
_SECRET_HEADER = re.compile(
    r"authorization|cookie|token|secret|password|signature|(api|access|auth)[-_]?key", re.IGNORECASE
)
_SECRET_QUERY = re.compile(r"token|secret|password|signature|key|auth|jwt", re.IGNORECASE)


def waitproof_version() -> str:
    """Return the installed version, "0" in a tree that was not installed."""
    try:
        return version("waitproof")
    except PackageNotFoundError:
        return "0"


def document(result: RunResult, *, exit_code: int, fail_on: Level = Level.MUST) -> dict[str, Json]:
    """Return the report of a run as JSON values."""
    contract = result.suite.contract
    writer = _Writer(contract, int(result.started.timestamp() * 1e9))
    return {
        "schema": SCHEMA,
        "waitproof": waitproof_version(),
        "suite": result.suite.name,
        "title": contract.title,
        "source": contract.source,
        "suite_argument": result.argument,
        "defaults": {
            "poll_interval_s": contract.defaults.poll_interval,
            "timeout_s": contract.defaults.timeout,
        },
        "started": result.started.isoformat(timespec="seconds"),
        "seconds": _rounded(result.seconds),
        "interrupted": result.interrupted,
        "whole": result.whole,
        "fail_on": fail_on.value,
        "exit_code": int(exit_code),
        "requirements": [
            {
                "id": each.id,
                "level": each.level.value,
                "sentence": each.sentence,
                "quoted": bool(each.quote),
            }
            for each in contract.requirements
        ],
        "scenarios": list(_scenarios(result)),
        "adapters": [_adapter(adapter, writer) for adapter in result.adapters],
        "strays": [
            {
                "method": entry.method,
                "target": writer.target(entry.target),
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


def _scenarios(result: RunResult) -> Iterator[dict[str, Json]]:
    """Yield what the suite's files say of the scenarios that were to be played."""
    wanted = {name for adapter in result.adapters for name in adapter.scenarios}
    for scenario in result.suite.scenarios:
        if scenario.id in wanted:
            yield {
                "id": scenario.id,
                "topic": scenario.id.rpartition("/")[0].partition("/")[0],
                "file": _file(result.suite, scenario.id),
                "summary": scenario.summary,
                "proves": {name: scenario.line_of(name) for name in scenario.proves},
            }


def _file(suite: Suite, scenario_id: str) -> str:
    """Return a scenario's file: from here where it lies below, else from the folder that holds the suite."""
    place = Path(suite.place(scenario_id))
    if place.is_absolute():
        place = place.relative_to(suite.folder.parent)
    return place.as_posix()


def _adapter(adapter: AdapterResult, writer: _Writer) -> dict[str, Json]:
    hello = adapter.hello
    common = writer.common_headers(adapter)
    return {
        "name": adapter.name,
        "argument": adapter.argument,
        "sdk": None
        if hello is None
        else {
            "name": _cut(hello.sdk_name, MAX_NAME),
            "version": _cut(hello.sdk_version, MAX_NAME),
            "language": _cut(hello.language, MAX_NAME),
            "runtime": _cut(hello.runtime, MAX_NAME),
        },
        "helper": "" if hello is None else _cut(hello.helper, MAX_NAME),
        "result_path": "" if hello is None else _cut(hello.result_path, MAX_NAME),
        "capabilities": {} if hello is None else _trimmed(_capabilities(hello.capabilities)),
        "error": _cut(adapter.error),
        "headers": common,
        "baseline": _baseline(adapter),
        "verdicts": [_verdict(verdict) for verdict in adapter.verdicts()],
        "scenarios": [
            writer.played(played, seen, common)
            for played in adapter.scenarios.values()
            for seen in played.observations
        ],
        "stderr_tail": [_cut(line) for line in adapter.stderr_tail],
    }


def _baseline(adapter: AdapterResult) -> dict[str, Json] | None:
    if not adapter.baseline:
        return None
    stale = [
        {
            "deviation": _cut(each.entry.known.deviation),
            "problem": each.problem.value,
            "fact": _cut(each.mistake.fact),
            "fix": _cut(each.mistake.fix),
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
        "expected": _cut(verdict.expected),
        "seen": _cut(verdict.seen),
        "explanation": _cut(verdict.explanation),
        "timeline": _cut(verdict.timeline),
        "excused": verdict.excused,
        "link": verdict.link,
        "alone_runs": verdict.alone_runs,
    }


@dataclass(frozen=True)
class _Writer:
    """Writes down what was played, by what the contract says of answers, defaults and credentials.

    Attributes:
        now_ns: What stands for the time in rendered answers: the run's start, in nanoseconds since 1970.
    """

    contract: Contract
    now_ns: int

    def common_headers(self, adapter: AdapterResult) -> dict[str, str]:
        """Return the headers that every poll of an adapter carried with the same value: most of them."""
        polls = (
            poll
            for played in adapter.scenarios.values()
            for seen in played.observations
            for task in seen.tasks
            for poll in task.polls
        )
        first = next(polls, None)
        common = {} if first is None else self._headers(first)
        for poll in polls:
            headers = self._headers(poll)
            common = {name: value for name, value in common.items() if headers.get(name) == value}
        return common

    def played(self, played: ScenarioResult, seen: Observation, common: Mapping[str, str]) -> dict[str, Json]:
        """Return one time that a scenario was played; headers in `common` are left out of its polls'."""
        heads: dict[str, int] = {}  # as JSON, in order of appearance, with their places
        polls = [self._poll(poll, task.n, heads, common) for task in seen.tasks for poll in task.polls]
        return {
            "id": played.scenario.id,
            "summary": played.scenario.summary,
            "alone": seen.alone,
            "scale": seen.scale,
            "calls": [self._call(call) for call in seen.calls],
            "heads": [json.loads(head) for head in heads],
            "polls": polls,
            "answers": list(self._answers(played, seen)),
            "requests": [self._request(other, task.n) for task in seen.tasks for other in task.others],
            "lag_s": _rounded(seen.lag_s),
            "watched_s": _rounded(seen.watched_s),
        }

    def _call(self, call: CallRecord) -> dict[str, Json]:
        is_wait = call.call.wait is not None
        return {
            "copy": call.copy,
            "sent_s": _rounded(call.sent_s),
            "received_s": _rounded(call.received_s),
            "elapsed_s": _rounded(call.elapsed_s),
            "interval_s": call.interval_s(self.contract) if is_wait else None,
            "timeout_s": call.timeout_s(self.contract) if is_wait else None,
            "request": _trimmed(dict(call.request)),
            "answer": None if call.answer is None else _trimmed(dict(call.answer)),
        }

    def _poll(self, poll: Poll, n: int, heads: dict[str, int], common: Mapping[str, str]) -> dict[str, Json]:
        """Return a poll; its request's head goes into `heads` once, for most polls send the same."""
        head: dict[str, Json] = {
            "method": poll.method,
            "target": self.target(poll.target),
            "headers": {name: value for name, value in self._headers(poll).items() if name not in common},
        }
        return {
            "copy": n,
            "n": poll.n,
            "arrived_s": _rounded(poll.arrived_s),
            "answered_s": _rounded(poll.answered_s),
            "status": poll.status,
            "step": poll.step,
            "head": heads.setdefault(json.dumps(head), len(heads)),
            "connection": poll.connection,
            "repeat": poll.repeat,
            "ended": poll.ended.value,
            "http": poll.http,
        }

    def _answers(self, played: ScenarioResult, seen: Observation) -> Iterator[dict[str, Json]]:
        """Yield what each step answers, with the first task's values."""
        for number, step in enumerate(scaled(played.scenario, seen.scale).task if seen.tasks else ()):
            drop = None if step.fault is None else step.fault.drop
            is_silent = drop in {Drop.BEFORE_RESPONSE, Drop.RESET}
            response = respond(self.contract, step, seen.tasks[0].values, now_ns=self.now_ns)
            yield {
                "step": number,
                "status": step.label,
                "delay_s": step.delay,
                "drop": None if drop is None else drop.value,
                "http": None if is_silent else response.http,
                "headers": {} if is_silent else dict(response.headers),
                "body": None if is_silent else _body(step, response.body),
            }

    def _request(self, request: Poll, n: int) -> dict[str, Json]:
        return {
            "copy": n,
            "method": request.method,
            "target": self.target(request.target),
            "arrived_s": _rounded(request.arrived_s),
            "connection": request.connection,
            "http": request.http,
        }

    def target(self, target: str) -> str:
        """Return a request's target with the values of credentials in its query masked."""
        path, mark, query = target.partition("?")
        known = {name.casefold() for name in self.contract.credentials.query}
        parts = []
        for part in query.split("&"):
            name, equals, value = part.partition("=")
            is_secret = name.casefold() in known or _SECRET_QUERY.search(name)
            parts.append(f"{name}={MASKED}" if equals and value and is_secret else part)
        return _cut(path + mark + "&".join(parts))

    def _headers(self, poll: Poll) -> dict[str, str]:
        return {_cut(name, MAX_NAME): self._header(name, value) for name, value in poll.headers.items()}

    def _header(self, name: str, value: str) -> str:
        known = {each.casefold() for each in self.contract.credentials.headers}
        is_secret = name.casefold() in known or _SECRET_HEADER.search(name)
        return MASKED if value and is_secret else _cut(value)


def _body(step: Step, body: bytes) -> Json:
    text = body.decode(errors="backslashreplace")
    return (
        _cut(text) if step.fault is not None and step.fault.text is not None else _trimmed(json.loads(text))
    )


def _rounded(value_s: float | None) -> float | None:
    return None if value_s is None else round(value_s, 6)


def _cut(text: str, most: int = MAX_TEXT) -> str:
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"


def _trimmed(value: Json) -> Json:
    """Return a value whose long strings are cut, and whose many items end where a reader has seen enough."""
    return _Trimmer().trim(value)


class _Trimmer:
    """Cuts one value; what it may still keep goes down with every string and item."""

    def __init__(self) -> None:
        self._left = MAX_EXCHANGE

    def trim(self, value: Json) -> Json:
        if isinstance(value, str):
            shown = _cut(value, max(0, min(MAX_TEXT, self._left)))
            self._left -= len(shown)
            return shown
        if isinstance(value, Mapping):
            kept: dict[str, Json] = {}
            for key, child in value.items():
                if self._is_spent():
                    kept["…"] = f"{len(value) - len(kept)} more"
                    break
                kept[_cut(key, MAX_NAME)] = self.trim(child)
                self._left -= min(len(key), MAX_NAME)
            return kept
        if isinstance(value, list | tuple):
            items: list[Json] = []
            for child in value:
                if self._is_spent():
                    items.append(f"… {len(value) - len(items)} more")
                    break
                items.append(self.trim(child))
            return items
        return value

    def _is_spent(self) -> bool:
        """Say whether nothing is left, and count an item."""
        self._left -= 4
        return self._left <= 0
