"""The report of a run: what was judged, and what was played, seen and said.

Times are seconds since a scenario's first call was written. What an adapter sent is shortened to what a
reader can use, and the values of credentials are masked: a report is made to be passed on.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from waitproof.judge import CallRecord, Observation, Poll
from waitproof.protocol import Hello
from waitproof.report import model, plays
from waitproof.report.causes import cause_entries
from waitproof.report.part import Part
from waitproof.run import AdapterResult, ExitCode, RunResult, ScenarioResult
from waitproof.simulate import scaled
from waitproof.suite import NO_TIMEOUT_S, Contract, Drop, Intervals, Json, Level, Step, Suite, respond
from waitproof.text import MASKED, installed_version, shorten

__all__ = ["report_of"]

MAX_TEXT = 10_000  # characters of one string in an exchange: a payload of 2 MB helps no reader
MAX_EXCHANGE = 40_000  # of all strings of one line or body, and some for each item
ITEM_COST = 4  # characters that an item counts as: a million empty ones are as bad as 2 MB of text
MAX_NAME = 100  # of what an adapter calls itself: it appears in headings and columns
_SECRET_HEADER = re.compile(
    r"authorization|cookie|token|secret|password|signature|(api|access|auth)[-_]?key", re.IGNORECASE
)
_SECRET_QUERY = re.compile(r"token|secret|password|signature|key|auth|jwt", re.IGNORECASE)
_Part = TypeVar("_Part", bound=Part)
_Item = TypeVar("_Item")


def report_of(result: RunResult, *, exit_code: ExitCode, fail_on: Level = Level.MUST) -> model.Report:
    """Return the report of a run, with what adapters sent as it was: `file.shown` makes it fit for a view.

    Args:
        result: The run.
        exit_code: What the command line exits with.
        fail_on: MUST, or SHOULD where a WARN fails the run too.
    """
    contract = result.suite.contract
    recorder = _Recorder(contract, int(result.started.timestamp() * 1e9))
    return model.Report(
        waitproof=installed_version(),
        suite=result.suite.name,
        title=contract.title,
        source=contract.source,
        suite_argument=result.argument,
        scenarios_arguments=result.scenarios_arguments,
        defaults=_part(
            model.DefaultsEntry,
            contract.defaults,
            poll_interval_s=contract.defaults.intervals.first_s,
            timeout_s=contract.defaults.timeout,
            schedule=_schedule(contract.defaults.intervals),
        ),
        started=result.started.isoformat(timespec="seconds"),
        seconds=_rounded(result.seconds),
        interrupted=result.interrupted,
        error=_shortened(result.error),
        whole=result.whole,
        fail_on=fail_on,
        exit_code=exit_code,
        requirements=tuple(map(model.RequirementEntry.of, contract.requirements)),
        scenarios=tuple(_scenarios(result)),
        adapters=tuple(_adapter(adapter, recorder) for adapter in result.adapters),
        strays=tuple(
            _part(
                model.StrayEntry,
                stray.entry,
                target=recorder.target(stray.entry.target),
                arrived_s=_rounded((stray.entry.arrived_ns - result.origin_ns) / 1e9),
                scenarios=stray.scenarios,
            )
            for stray in result.strays
        ),
    )


def _part(kind: type[_Part], source: object, **others: Any) -> _Part:
    """Return a part of the report: `others`, and for every other member the attribute of that name.

    Times (`…_s`) are rounded to microseconds, and long texts are shortened.
    """
    values = dict(others)
    for name in (each.name for each in dataclasses.fields(kind) if each.name not in others):
        value = getattr(source, name)
        if isinstance(value, float) and name.endswith("_s"):
            value = _rounded(value)
        values[name] = _shortened(value) if isinstance(value, str) else value
    return kind(**values)


def _schedule(intervals: Intervals) -> plays.ScheduleEntry | None:
    """Return how intervals grow, None if they don't."""
    return None if intervals.is_constant else _part(plays.ScheduleEntry, intervals)


def _scenarios(result: RunResult) -> Iterator[model.ScenarioEntry]:
    """Yield what the suite's files say about the scenarios that were to be played."""
    names = {name for adapter in result.adapters for name in adapter.scenarios}
    for scenario in result.suite.scenarios:
        if scenario.id in names:
            yield _part(
                model.ScenarioEntry,
                scenario,
                topic=model.topic_of(scenario.id),
                file=_file(result.suite, scenario.id),
                proves={name: scenario.line_of(name) for name in scenario.proves},
            )


def _file(suite: Suite, scenario_id: str) -> str:
    """Return a scenario's file: from here if it is below, else from the folder that holds its suite."""
    place = Path(suite.place(scenario_id))
    if place.is_absolute():
        root = place.parents[scenario_id.count("/")]  # inherited ones are in another suite's folder
        place = place.relative_to(root.parent)
    return place.as_posix()


def _adapter(adapter: AdapterResult, recorder: _Recorder) -> model.AdapterEntry:
    common = recorder.common_headers(adapter)
    stale = (
        _part(model.StaleEntry, each.mistake, deviation=each.entry.known.deviation, problem=each.problem)
        for each in adapter.stale
    )
    return model.AdapterEntry(
        name=adapter.name,
        argument=adapter.argument,
        **_introduction(adapter.hello),
        error=_shortened(adapter.error),
        headers=common,
        baseline=model.BaselineEntry(adapter.baseline, tuple(stale)) if adapter.baseline else None,
        verdicts=tuple(_part(model.VerdictEntry, verdict) for verdict in adapter.verdicts()),
        scenarios=tuple(
            recorder.play(played, seen, common)
            for played in adapter.scenarios.values()
            for seen in played.observations
        ),
        stderr_tail=tuple(map(_shortened, adapter.stderr_tail)),
        stderr=_part(model.StderrEntry, adapter.stderr),
        deaths=tuple(
            _part(model.DeathEntry, each, stderr_tail=tuple(map(_shortened, each.stderr_tail)))
            for each in adapter.deaths
        ),
        causes=cause_entries(adapter.causes),
    )


def _introduction(hello: Hello | None) -> dict[str, Any]:
    if hello is None:
        return {}
    sdk = (hello.sdk_name, hello.sdk_version, hello.language, hello.runtime)
    operations = tuple(_trimmed(hello.capabilities.operations))
    return {
        "sdk": model.SdkEntry(*(_shortened(text, MAX_NAME) for text in sdk)),
        "helper": _shortened(hello.helper, MAX_NAME),
        "result_path": _shortened(hello.result_path, MAX_NAME),
        "capabilities": _part(model.CapabilitiesEntry, hello.capabilities, operations=operations),
    }


@dataclass(frozen=True)
class _Recorder:
    """Records what was played, by what the contract says about answers, defaults and credentials.

    Attributes:
        now_ns: The time in rendered answers: the run's start, in nanoseconds since 1970.
    """

    contract: Contract
    now_ns: int

    def common_headers(self, adapter: AdapterResult) -> dict[str, str]:
        """Return the headers that every poll of an adapter carried with the same value: most of them."""
        found = [
            self._headers(poll)
            for played in adapter.scenarios.values()
            for seen in played.observations
            for task in seen.tasks
            for poll in task.polls
        ]
        first = found[0] if found else {}
        return {
            name: value for name, value in first.items() if all(each.get(name) == value for each in found)
        }

    def play(self, played: ScenarioResult, seen: Observation, common: Mapping[str, str]) -> plays.PlayEntry:
        """Return one time that a scenario was played; headers in `common` are left out of its polls'."""
        heads: dict[str, int] = {}  # as JSON, in order of appearance, with their places
        polls = tuple(self._poll(poll, task.n, heads, common) for task in seen.tasks for poll in task.polls)
        return _part(
            plays.PlayEntry,
            seen,
            id=played.scenario.id,
            summary=played.scenario.summary,
            calls=tuple(map(self._call, seen.calls)),
            heads=tuple(plays.HeadEntry(**json.loads(head)) for head in heads),
            polls=polls,
            answers=tuple(self._answers(played, seen)),
            requests=tuple(
                _part(plays.RequestEntry, other, copy=task.n, target=self.target(other.target))
                for task in seen.tasks
                for other in task.others
            ),
        )

    def _call(self, call: CallRecord) -> plays.CallEntry:
        is_wait = call.call.wait is not None
        intervals, timeout_s = call.intervals(self.contract), call.timeout_s(self.contract)
        return _part(
            plays.CallEntry,
            call,
            interval_s=intervals.first_s if is_wait else None,
            schedule=_schedule(intervals) if is_wait else None,
            timeout_s=timeout_s if is_wait and timeout_s < NO_TIMEOUT_S else None,
            max_polls=call.polls_limit(self.contract) if is_wait else None,
            request=_trimmed(call.request),
            answer=None if call.answer is None else _trimmed(call.answer),
        )

    def _poll(self, poll: Poll, n: int, heads: dict[str, int], common: Mapping[str, str]) -> plays.PollEntry:
        """Return a poll; its request's head goes into `heads` once, because most polls send the same."""
        headers = {name: value for name, value in self._headers(poll).items() if name not in common}
        head = json.dumps({"method": poll.method, "target": self.target(poll.target), "headers": headers})
        return _part(plays.PollEntry, poll, copy=n, head=heads.setdefault(head, len(heads)))

    def _answers(self, played: ScenarioResult, seen: Observation) -> Iterator[plays.AnswerEntry]:
        """Yield what each step answers, with the first task's values."""
        for number, step in enumerate(scaled(played.scenario, seen.scale).task if seen.tasks else ()):
            drop = None if step.fault is None else step.fault.drop
            answer: dict[str, Any] = {}
            if drop not in {Drop.BEFORE_RESPONSE, Drop.RESET}:
                response = respond(self.contract, step, seen.tasks[0].values, now_ns=self.now_ns)
                body = _body(step, response.body)
                answer = {"http": response.http, "headers": dict(response.headers), "body": body}
            yield plays.AnswerEntry(number, step.label, step.delay, drop, **answer)

    def target(self, target: str) -> str:
        """Return a request's target with the values of credentials in its query masked."""
        path, mark, query = target.partition("?")
        parts = []
        for part in query.split("&"):
            name, equals, value = part.partition("=")
            is_secret = _is_named(name, self.contract.credentials.query) or _SECRET_QUERY.search(name)
            parts.append(f"{name}={MASKED}" if equals and value and is_secret else part)
        return _shortened(path + mark + "&".join(parts))

    def _headers(self, poll: Poll) -> dict[str, str]:
        return {_shortened(name, MAX_NAME): self._header(name, value) for name, value in poll.headers.items()}

    def _header(self, name: str, value: str) -> str:
        is_secret = _is_named(name, self.contract.credentials.headers) or _SECRET_HEADER.search(name)
        return MASKED if value and is_secret else _shortened(value)


def _is_named(name: str, names: Iterable[str]) -> bool:
    return name.casefold() in {each.casefold() for each in names}


def _body(step: Step, body: bytes) -> Json:
    text = body.decode(errors="backslashreplace")
    is_text = step.fault is not None and step.fault.text is not None
    return _shortened(text) if is_text else _trimmed(json.loads(text))


def _rounded(value_s: float) -> float:
    return round(value_s, 6)


def _shortened(text: str, most: int = MAX_TEXT) -> str:
    return shorten(text, most, counted=True)


def _trimmed(value: Json) -> Json:
    """Return a value with its long strings shortened, which ends where a reader has seen enough."""
    return _Trimmer().trim(value)


class _Trimmer:
    """Trims one value; every string and item takes from what it may still hold."""

    def __init__(self) -> None:
        self._remaining = MAX_EXCHANGE

    def trim(self, value: Json) -> Json:
        if isinstance(value, str):
            text = _shortened(value, max(0, min(MAX_TEXT, self._remaining)))
            self._remaining -= len(text)
            return text
        if isinstance(value, Mapping):
            members: dict[str, Json] = {}
            for key, child in self._until_full(value.items()):
                members[_shortened(key, MAX_NAME)] = self.trim(child)
                self._remaining -= min(len(key), MAX_NAME)
            more = len(value) - len(members)
            return {**members, "…": f"{more} more"} if more else members
        if isinstance(value, list | tuple):
            items = [self.trim(child) for child in self._until_full(value)]
            more = len(value) - len(items)
            return [*items, f"… {more} more"] if more else items
        return value

    def _until_full(self, items: Iterable[_Item]) -> Iterator[_Item]:
        """Yield items, and count each, until there is no room left."""
        for item in items:
            self._remaining -= ITEM_COST
            if self._remaining <= 0:
                return
            yield item
