"""The report of a run: what was judged, and what was played, seen and said.

Times are seconds since a scenario's first call was written. What an adapter sent is shortened to what a
reader can use, and the values of credentials are masked: a report is made to be passed on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from waitproof.judge import CallRecord, Observation, Poll, Verdict
from waitproof.protocol import Capabilities, Hello
from waitproof.report.model import (
    AdapterEntry,
    AnswerEntry,
    BaselineEntry,
    CallEntry,
    CapabilitiesEntry,
    DefaultsEntry,
    HeadEntry,
    PlayEntry,
    PollEntry,
    Report,
    RequestEntry,
    RequirementEntry,
    ScenarioEntry,
    SdkEntry,
    StaleEntry,
    StrayEntry,
    VerdictEntry,
)
from waitproof.run import AdapterResult, ExitCode, RunResult, ScenarioResult, Stale
from waitproof.simulate import scaled
from waitproof.suite import Contract, Drop, Json, Level, Step, Suite, respond
from waitproof.text import installed_version, shorten

__all__ = ["report_of"]

MAX_TEXT = 10_000  # characters of one string in an exchange: a payload of 2 MB helps no reader
MAX_EXCHANGE = 40_000  # of all strings of one line or body, and some for each item
ITEM_COST = 4  # characters that an item counts as: a million empty ones are as bad as 2 MB of text
MAX_NAME = 100  # of what an adapter calls itself: it appears in headings and columns
MASKED = "***"
_SECRET_HEADER = re.compile(
    r"authorization|cookie|token|secret|password|signature|(api|access|auth)[-_]?key", re.IGNORECASE
)
_SECRET_QUERY = re.compile(r"token|secret|password|signature|key|auth|jwt", re.IGNORECASE)


def report_of(result: RunResult, *, exit_code: ExitCode, fail_on: Level = Level.MUST) -> Report:
    """Return the report of a run, with what adapters sent as it was: `file.shown` makes it fit for a view.

    Args:
        result: The run.
        exit_code: What the command line exits with.
        fail_on: MUST, or SHOULD where a WARN fails the run too.
    """
    contract = result.suite.contract
    recorder = _Recorder(contract, int(result.started.timestamp() * 1e9))
    return Report(
        waitproof=installed_version(),
        suite=result.suite.name,
        title=contract.title,
        source=contract.source,
        suite_argument=result.argument,
        defaults=DefaultsEntry(contract.defaults.poll_interval, contract.defaults.timeout),
        started=result.started.isoformat(timespec="seconds"),
        seconds=_rounded(result.seconds),
        interrupted=result.interrupted,
        whole=result.whole,
        fail_on=fail_on,
        exit_code=exit_code,
        requirements=tuple(map(RequirementEntry.of, contract.requirements)),
        scenarios=tuple(_scenarios(result)),
        adapters=tuple(_adapter(adapter, recorder) for adapter in result.adapters),
        strays=tuple(
            StrayEntry(
                entry.method,
                recorder.target(entry.target),
                _rounded((entry.arrived_ns - result.origin_ns) / 1e9),
                entry.nearest,
            )
            for entry in result.strays
        ),
    )


def _scenarios(result: RunResult) -> Iterator[ScenarioEntry]:
    """Yield what the suite's files say about the scenarios that were to be played."""
    names = {name for adapter in result.adapters for name in adapter.scenarios}
    for scenario in result.suite.scenarios:
        if scenario.id in names:
            yield ScenarioEntry(
                id=scenario.id,
                topic=scenario.id.rpartition("/")[0].partition("/")[0],
                file=_file(result.suite, scenario.id),
                summary=scenario.summary,
                proves={name: scenario.line_of(name) for name in scenario.proves},
            )


def _file(suite: Suite, scenario_id: str) -> str:
    """Return a scenario's file: from here if it is below, else from the folder that holds the suite."""
    place = Path(suite.place(scenario_id))
    if place.is_absolute():
        place = place.relative_to(suite.folder.parent)
    return place.as_posix()


def _adapter(adapter: AdapterResult, recorder: _Recorder) -> AdapterEntry:
    common = recorder.common_headers(adapter)
    return AdapterEntry(
        name=adapter.name,
        argument=adapter.argument,
        **_introduction(adapter.hello),
        error=_shortened(adapter.error),
        headers=common,
        baseline=BaselineEntry(adapter.baseline, tuple(map(_stale, adapter.stale)))
        if adapter.baseline
        else None,
        verdicts=tuple(_verdict(verdict) for verdict in adapter.verdicts()),
        scenarios=tuple(
            recorder.play(played, seen, common)
            for played in adapter.scenarios.values()
            for seen in played.observations
        ),
        stderr_tail=tuple(_shortened(line) for line in adapter.stderr_tail),
    )


def _introduction(hello: Hello | None) -> dict[str, Any]:
    if hello is None:
        return {}
    return {
        "sdk": SdkEntry(
            *(
                _shortened(text, MAX_NAME)
                for text in (hello.sdk_name, hello.sdk_version, hello.language, hello.runtime)
            )
        ),
        "helper": _shortened(hello.helper, MAX_NAME),
        "result_path": _shortened(hello.result_path, MAX_NAME),
        "capabilities": _capabilities(hello.capabilities),
    }


def _capabilities(capabilities: Capabilities) -> CapabilitiesEntry:
    values: dict[str, Any] = asdict(capabilities)
    return CapabilitiesEntry(**{**values, "operations": tuple(_trimmed(capabilities.operations))})


def _stale(stale: Stale) -> StaleEntry:
    mistake = stale.mistake
    return StaleEntry(
        deviation=_shortened(stale.entry.known.deviation),
        problem=stale.problem,
        fact=_shortened(mistake.fact),
        fix=_shortened(mistake.fix),
        place=mistake.place,
        found=_shortened(mistake.found),
    )


def _verdict(verdict: Verdict) -> VerdictEntry:
    texts = ("expected", "seen", "explanation", "timeline")
    return VerdictEntry(**{**vars(verdict), **{name: _shortened(getattr(verdict, name)) for name in texts}})


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

    def play(self, played: ScenarioResult, seen: Observation, common: Mapping[str, str]) -> PlayEntry:
        """Return one time that a scenario was played; headers in `common` are left out of its polls'."""
        heads: dict[str, int] = {}  # as JSON, in order of appearance, with their places
        polls = tuple(self._poll(poll, task.n, heads, common) for task in seen.tasks for poll in task.polls)
        return PlayEntry(
            id=played.scenario.id,
            summary=played.scenario.summary,
            alone=seen.alone,
            scale=seen.scale,
            calls=tuple(self._call(call) for call in seen.calls),
            heads=tuple(HeadEntry(**json.loads(head)) for head in heads),
            polls=polls,
            answers=tuple(self._answers(played, seen)),
            requests=tuple(self._request(other, task.n) for task in seen.tasks for other in task.others),
            lag_s=_rounded(seen.lag_s),
            watched_s=_rounded(seen.watched_s),
        )

    def _call(self, call: CallRecord) -> CallEntry:
        is_wait = call.call.wait is not None
        return CallEntry(
            copy=call.copy,
            sent_s=_rounded(call.sent_s),
            received_s=_rounded_or_none(call.received_s),
            elapsed_s=_rounded_or_none(call.elapsed_s),
            interval_s=call.interval_s(self.contract) if is_wait else None,
            timeout_s=call.timeout_s(self.contract) if is_wait else None,
            request=_trimmed(call.request),
            answer=None if call.answer is None else _trimmed(call.answer),
        )

    def _poll(self, poll: Poll, n: int, heads: dict[str, int], common: Mapping[str, str]) -> PollEntry:
        """Return a poll; its request's head goes into `heads` once, because most polls send the same."""
        headers = {name: value for name, value in self._headers(poll).items() if name not in common}
        head = {"method": poll.method, "target": self.target(poll.target), "headers": headers}
        return PollEntry(
            copy=n,
            n=poll.n,
            arrived_s=_rounded(poll.arrived_s),
            answered_s=_rounded_or_none(poll.answered_s),
            status=poll.status,
            step=poll.step,
            head=heads.setdefault(json.dumps(head), len(heads)),
            connection=poll.connection,
            repeat=poll.repeat,
            ended=poll.ended,
            http=poll.http,
        )

    def _answers(self, played: ScenarioResult, seen: Observation) -> Iterator[AnswerEntry]:
        """Yield what each step answers, with the first task's values."""
        for number, step in enumerate(scaled(played.scenario, seen.scale).task if seen.tasks else ()):
            drop = None if step.fault is None else step.fault.drop
            entry = AnswerEntry(number, step.label, step.delay, drop)
            if drop not in {Drop.BEFORE_RESPONSE, Drop.RESET}:
                response = respond(self.contract, step, seen.tasks[0].values, now_ns=self.now_ns)
                entry = AnswerEntry(
                    number,
                    step.label,
                    step.delay,
                    drop,
                    response.http,
                    dict(response.headers),
                    _body(step, response.body),
                )
            yield entry

    def _request(self, request: Poll, n: int) -> RequestEntry:
        return RequestEntry(
            copy=n,
            method=request.method,
            target=self.target(request.target),
            arrived_s=_rounded(request.arrived_s),
            connection=request.connection,
            http=request.http,
        )

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


def _rounded_or_none(value_s: float | None) -> float | None:
    return None if value_s is None else _rounded(value_s)


def _shortened(text: str, most: int = MAX_TEXT) -> str:
    """Return a text that says how long it was where it has been shortened."""
    return text if len(text) <= most else f"{shorten(text, most)} ({len(text)} characters)"


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
            for key, child in value.items():
                if self._is_full():
                    members["…"] = f"{len(value) - len(members)} more"
                    break
                members[_shortened(key, MAX_NAME)] = self.trim(child)
                self._remaining -= min(len(key), MAX_NAME)
            return members
        if isinstance(value, list | tuple):
            items: list[Json] = []
            for child in value:
                if self._is_full():
                    items.append(f"… {len(value) - len(items)} more")
                    break
                items.append(self.trim(child))
            return items
        return value

    def _is_full(self) -> bool:
        """Count one more item, and return whether there is no room left for it."""
        self._remaining -= ITEM_COST
        return self._remaining <= 0
