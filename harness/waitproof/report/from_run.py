"""The report of a run: what was judged, and what was played, seen and said.

Times are seconds since a scenario's first call was written. What an adapter sent is shortened to what a
reader can use, and the values of credentials are masked: a report is made to be passed on.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from waitproof.judge import CallRecord, Observation, Poll
from waitproof.protocol import Hello
from waitproof.report import model, plays
from waitproof.report.bounded import MAX_NAME, Bounded, shortened
from waitproof.report.causes import cause_entries
from waitproof.report.part import Part
from waitproof.run import AdapterResult, Death, ExitCode, RunResult, ScenarioResult
from waitproof.simulate import scaled
from waitproof.suite import NO_TIMEOUT_S, Contract, Drop, Intervals, Json, Level, Step, Suite, respond
from waitproof.text import installed_version

__all__ = ["report_of"]

MAX_HEADS = 100  # different ones of one play
MAX_REQUESTS = 50  # others of one play
MAX_STRAYS = 500
MAX_NAMED = 20  # scenarios that are named with a stray
MAX_TAILS = 10  # deaths of an adapter with all their last lines; of any more the last line is enough
_Part = TypeVar("_Part", bound=Part)


def report_of(result: RunResult, *, exit_code: ExitCode, fail_on: Level = Level.MUST) -> model.Report:
    """Return the report of a run, with what adapters sent as it was: `file.shown` makes it fit for a view.

    Args:
        result: The run.
        exit_code: What the command line exits with.
        fail_on: MUST, or SHOULD where a WARN fails the run too.
    """
    contract = result.suite.contract
    now_ns = int(result.started.timestamp() * 1e9)
    bounded = Bounded(secret for adapter in result.adapters for secret in adapter.secrets)
    strays = result.strays[:MAX_STRAYS]
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
        error=bounded.text(result.error),
        whole=result.whole,
        fail_on=fail_on,
        exit_code=exit_code,
        requirements=tuple(map(model.RequirementEntry.of, contract.requirements)),
        scenarios=tuple(_scenarios(result)),
        adapters=tuple(
            _adapter(adapter, _Recorder(contract, now_ns, Bounded(adapter.secrets)))
            for adapter in result.adapters
        ),
        strays=tuple(
            _part(
                model.StrayEntry,
                stray.entry,
                method=shortened(stray.entry.method, MAX_NAME),
                target=bounded.target(stray.entry.target, contract.credentials.query),
                arrived_s=_rounded((stray.entry.arrived_ns - result.origin_ns) / 1e9),
                late_for=stray.late_for,
                scenarios=stray.scenarios[:MAX_NAMED],
            )
            for stray in strays
        ),
        strays_left_out=len(result.strays) - len(strays) + result.strays_left_out,
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
        values[name] = shortened(value) if isinstance(value, str) else value
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
        **_introduction(adapter.hello, recorder.bounded),
        error=recorder.bounded.text(adapter.error),
        headers=common,
        baseline=model.BaselineEntry(adapter.baseline, tuple(stale)) if adapter.baseline else None,
        verdicts=tuple(_part(model.VerdictEntry, verdict) for verdict in adapter.verdicts()),
        scenarios=tuple(
            recorder.play(played, seen, common)
            for played in adapter.scenarios.values()
            for seen in played.observations
        ),
        stderr_tail=tuple(map(recorder.bounded.text, adapter.stderr_tail)),
        stderr=_part(model.StderrEntry, adapter.stderr),
        deaths=tuple(
            _part(model.DeathEntry, each, stderr_tail=tuple(map(recorder.bounded.text, _tail(each, number))))
            for number, each in enumerate(adapter.deaths)
        ),
        causes=cause_entries(adapter.causes),
    )


def _tail(death: Death, number: int) -> tuple[str, ...]:
    """Return the last lines of a process that died, of an adapter's later deaths only the last."""
    return death.stderr_tail if number < MAX_TAILS else death.stderr_tail[-1:]


def _introduction(hello: Hello | None, bounded: Bounded) -> dict[str, Any]:
    if hello is None:
        return {}
    sdk = (hello.sdk_name, hello.sdk_version, hello.language, hello.runtime)
    operations = tuple(bounded.value(hello.capabilities.operations))
    return {
        "sdk": model.SdkEntry(*(bounded.text(text, MAX_NAME) for text in sdk)),
        "helper": bounded.text(hello.helper, MAX_NAME),
        "result_path": bounded.text(hello.result_path, MAX_NAME),
        "capabilities": _part(model.CapabilitiesEntry, hello.capabilities, operations=operations),
    }


@dataclass(frozen=True)
class _Recorder:
    """Records what was played, by what the contract says about answers, defaults and credentials.

    Attributes:
        now_ns: The time in rendered answers: the run's start, in nanoseconds since 1970.
        bounded: Takes out the adapter's secrets, and what is too much.
    """

    contract: Contract
    now_ns: int
    bounded: Bounded

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
        all_polls = [(poll, task.n) for task in seen.tasks for poll in task.polls]
        polls = self.bounded.polls(all_polls)
        others = [(other, task.n) for task in seen.tasks for other in task.others]
        requests = others[:MAX_REQUESTS]
        polls_of = tuple(self._poll(poll, n, heads, common) for poll, n in polls)
        return _part(
            plays.PlayEntry,
            seen,
            id=played.scenario.id,
            summary=played.scenario.summary,
            calls=tuple(map(self._call, seen.calls)),
            heads=tuple(plays.HeadEntry(**json.loads(head)) for head in heads),
            polls=polls_of,
            polls_left_out=len(all_polls) - len(polls),
            answers=tuple(self._answers(played, seen)),
            requests=tuple(
                _part(plays.RequestEntry, other, copy=n, target=self._target(other)) for other, n in requests
            ),
            requests_left_out=len(others) - len(requests),
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
            request=self.bounded.value(call.request),
            answer=None if call.answer is None else self.bounded.value(call.answer),
        )

    def _poll(self, poll: Poll, n: int, heads: dict[str, int], common: Mapping[str, str]) -> plays.PollEntry:
        """Return a poll; its request's head goes into `heads` once, because most polls send the same."""
        headers = {name: value for name, value in self._headers(poll).items() if name not in common}
        head = json.dumps({"method": poll.method, "target": self._target(poll), "headers": headers})
        if head not in heads and len(heads) < MAX_HEADS and self.bounded.take(len(head)):
            heads[head] = len(heads)
        return _part(plays.PollEntry, poll, copy=n, head=heads.get(head))

    def _answers(self, played: ScenarioResult, seen: Observation) -> Iterator[plays.AnswerEntry]:
        """Yield what each step answers, with the first task's values."""
        for number, step in enumerate(scaled(played.scenario, seen.scale).task if seen.tasks else ()):
            drop = None if step.fault is None else step.fault.drop
            answer: dict[str, Any] = {}
            if drop not in {Drop.BEFORE_RESPONSE, Drop.RESET}:
                response = respond(self.contract, step, seen.tasks[0].values, now_ns=self.now_ns)
                body = _body(step, response.body, Bounded())
                answer = {"http": response.http, "headers": dict(response.headers), "body": body}
            yield plays.AnswerEntry(number, step.label, step.delay, drop, **answer)

    def _target(self, request: Poll) -> str:
        return self.bounded.target(request.target, self.contract.credentials.query)

    def _headers(self, poll: Poll) -> dict[str, str]:
        return self.bounded.headers(poll.headers, self.contract.credentials.headers)


def _body(step: Step, body: bytes, bounded: Bounded) -> Json:
    text = body.decode(errors="backslashreplace")
    is_text = step.fault is not None and step.fault.text is not None
    return bounded.text(text) if is_text else bounded.value(json.loads(text))


def _rounded(value_s: float) -> float:
    return round(value_s, 6)
