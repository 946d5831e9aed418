"""A task of a real API as a scenario: what its polls were answered becomes its steps, without secrets.

One fact to know before reading on: a recording has one client's polls, so it can't know what the API
promises. What the scenario proves is taken from one of the suite's that ends with the same status.
"""

from __future__ import annotations

import json
import math
import re
import statistics
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from waitproof.suite import (
    Catalog,
    Contract,
    Json,
    Returns,
    Scenario,
    at_path,
    dotted,
    path_of,
    unsendable,
)
from waitproof.text import MASKED, mask, plural

__all__ = ["Recording", "Seen"]

MAX_TEXT = 2000  # characters of a text; a longer one is replaced by one that is as long
MAX_STEPS = 1000
MIN_DELAY_S = 0.05  # answers that come sooner came at once
KEPT_HEADERS = {"retry-after": "Retry-After", "location": "Location"}
PLAIN = (None, True, False)

_SECRET_NAME = re.compile(
    r"(?i)secret|token|passw|passphrase|credential|api_?-?key|authori[sz]ation|signature|cookie|session"
)
_JWT = re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*")
_URL = re.compile(r"(https?://)([^\s/?#\"']*@)?([^\s?#\"']*)([?#][^\s\"']*)?")
_WORD = re.compile(r"(?!true|false|null)[a-z][a-z_]{3,}|[0-9]+ms")  # that YAML takes for nothing else
_ORIGIN = re.compile(r"^https?://[^/]+")  # of a Location: who plays the scenario follows it to the mock
_UNREADABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


@dataclass(frozen=True)
class Seen:
    """One poll of a real API.

    Attributes:
        took_s: From its request to the answer's last byte.
        headers: Of the answer, their names in lower case.
        secrets: What its request showed of its client's credentials.
    """

    took_s: float
    http: int
    headers: Mapping[str, str]
    body: bytes
    secrets: Collection[str] = ()


@dataclass
class _Step:
    """Answers in a row that say the same."""

    says: dict[str, Json]
    took_s: list[float] = field(default_factory=list)

    @property
    def delay_s(self) -> float:
        """How long each of them took, 0 for no time that matters."""
        median_s = statistics.median(self.took_s)
        return round(median_s, 2) if median_s >= MIN_DELAY_S else 0.0


class Recording:
    """What the polls of one task were answered.

    Attributes:
        status: The task's last one, "" while it has none.
        polls: How many there have been.
        is_over: The task has ended, and its client needs to poll no more.
    """

    def __init__(self, contract: Contract, task_id: str) -> None:
        self.task_id = task_id
        self.status = ""
        self.polls = 0
        self.is_over = False
        self._contract = contract
        self._steps: list[_Step] = []
        places = {name: path_of(contract.answer.body, name) for name in ("status", "result", "error")}
        self._places = {name: dotted(path) for name, path in places.items() if path}

    def add(self, seen: Seen) -> bool:
        """Add a poll, unless the task has ended before; return whether it ends with this one."""
        if self.is_over or len(self._steps) >= MAX_STEPS:
            return False
        self.polls += 1
        says = self._says(seen)
        if not self._steps or self._steps[-1].says != says:
            self._steps.append(_Step(says))
        self._steps[-1].took_s.append(seen.took_s)
        self.status = says.get("status", self.status)
        self.is_over = self._contract.ends_the_wait(self.status or None)
        return self.is_over

    def model(self, catalog: Catalog) -> Scenario | None:
        """Return the plainest of the suite's scenarios that end with the same status, None if none does."""
        example = catalog.example.rpartition("/")[2]
        return min(
            (each.scenario for each in catalog.entries() if each.scenario and self._fits(each.scenario)),
            key=lambda each: (
                each.id.rpartition("/")[2] != example,
                sum(step.fault is not None or not step.is_plain for step in each.task),
                abs(len(each.task) - len(self._steps)),
            ),
            default=None,
        )

    def text(self, model: Scenario, proves: Collection[str], *, expects: bool) -> str:
        """Return a scenario of this task, whose calls are those of another one.

        Args:
            model: From `model`.
            proves: Some of the requirements that it proves.
            expects: Whether the caller must see what the task ended with.
        """
        call = [f"  - wait: {_flow(self._wait(model))}"]
        if expects:
            call.append(f"    expect: {_flow(self._expected(model))}")
        summary = f"Recorded: {plural(self.polls, 'poll')} until {self.status}."
        lines = [
            "# Recorded by `waitproof serve --record`. Look for secrets that it could not know.",
            "format: 1",
            f"summary: {_json(summary)}",
            f"proves: [{', '.join(proves)}]",
            "task:",
            *(f"  - {_flow(_written(step))}" for step in self._steps),
            "calls:",
            *call,
        ]
        return "\n".join([*lines, ""])

    # --- one answer

    def _says(self, seen: Seen) -> dict[str, Json]:
        try:
            body: Json = json.loads(seen.body)
        except (ValueError, RecursionError):
            body = None
        is_json = isinstance(body, dict) and not unsendable(body)
        status = at_path(body, self._places.get("status", "")) if is_json else None
        if 200 <= seen.http < 300 and isinstance(status, str):
            return self._says_status(body, status, seen)
        fault: dict[str, Json] = {"http": seen.http} if not 200 <= seen.http < 300 else {}
        headers = {
            name: self._clean_text(_ORIGIN.sub("", seen.headers[lower]), seen)
            for lower, name in KEPT_HEADERS.items()
            if lower in seen.headers
        }
        if headers:
            fault["headers"] = headers
        if is_json and fault:
            fault["body"] = self._clean(body, seen)
        else:
            fault["text"] = self._clean(seen.body.decode("utf-8", "replace"), seen)
        return {"fault": fault}

    def _says_status(self, body: dict[str, Json], status: str, seen: Seen) -> dict[str, Json]:
        template = self._contract.answer.body
        says: dict[str, Json] = {"status": status}
        for name in ("result", "error"):
            value = at_path(body, self._places[name]) if name in self._places else None
            if value is not None:
                says[name] = self._clean(value, seen)
        more = {name: value for name, value in body.items() if name not in template}
        if more:
            says["body"] = self._clean(more, seen)
        if missing := [name for name in template if name not in body]:
            says["omit"] = missing
        return says

    def _clean(self, value: Json, seen: Seen, name: str = "") -> Any:
        """Return a value without secrets, in which the task's id is a placeholder and nothing else is."""
        if isinstance(value, dict):
            return {self._clean_text(key, seen): self._clean(each, seen, key) for key, each in value.items()}
        if isinstance(value, list):
            return [self._clean(each, seen, name) for each in value]
        if name and _SECRET_NAME.search(name) and value not in PLAIN:
            return MASKED
        return self._clean_text(value, seen) if isinstance(value, str) else value

    def _clean_text(self, text: str, seen: Seen) -> str:
        text = _JWT.sub(MASKED, mask(text, seen.secrets))
        text = _URL.sub(lambda found: f"{found[1]}{found[3]}", text).replace("${", "$ {")
        if len(text) > MAX_TEXT:
            return f"${{text:{len(text)}B}}"
        return text.replace(self.task_id, "${task_id}") if len(self.task_id) > 3 else text

    # --- the scenario

    def _fits(self, scenario: Scenario) -> bool:
        call, *more = scenario.calls
        wait = call.wait
        is_one_wait = not more and wait is not None and wait.variant is None and call.cancel_after is None
        return (
            is_one_wait
            and scenario.task[-1].status == self.status
            and call.parallel == 1
            and not scenario.cold
        )

    def _expected(self, model: Scenario) -> dict[str, Json]:
        expect, returns = model.calls[0].expect, self._contract.returns
        expected: dict[str, Json] = {}
        if expect.raises is not None:
            kinds = list(expect.raises.kind)
            expected["raises"] = {"kind": kinds[0] if len(kinds) == 1 else kinds}
        elif expect.has("returns") and returns is Returns.RESULT:
            expected["returns"] = self._steps[-1].says.get("result")
        elif expect.has("returns") and returns is Returns.TASK:
            expected["returns"] = {"status": self.status}
        return expected | {"polls": self.polls}

    def _wait(self, model: Scenario) -> dict[str, Json]:
        """Return what the model's wait passes, with time enough for these steps."""
        options, defaults = model.wait_options, self._contract.defaults
        interval_s = options.interval_s(defaults)
        lasts_s = sum(len(step.took_s) * (interval_s + step.delay_s) for step in self._steps)
        wait: dict[str, Json] = options.model_dump(mode="json", exclude_none=True)
        if options.has("timeout") and 2 * lasts_s > options.timeout_s(defaults):
            wait["timeout"] = math.ceil(2 * lasts_s)
        for name in ("poll_interval", "timeout"):
            if isinstance(wait.get(name), int | float):
                wait[name] = f"{round(wait[name] * 1000)}ms"
        return wait


def _written(step: _Step) -> dict[str, Json]:
    said = dict(step.says)
    written: dict[str, Json] = {"status": said.pop("status")} if "status" in said else {}
    if len(step.took_s) > 1:
        written["times"] = len(step.took_s)
    if step.delay_s:
        written["delay"] = f"{round(step.delay_s * 1000)}ms"
    return written | said


def _flow(members: Mapping[str, Json]) -> str:
    """Return a mapping in one line of YAML: plain words as they are, payloads as JSON."""
    return "{" + ", ".join(f"{name}: {_json(value)}" for name, value in members.items()) + "}"


def _json(value: Json) -> str:
    if isinstance(value, str) and _WORD.fullmatch(value):
        return value
    text = json.dumps(value, ensure_ascii=False)
    return _UNREADABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
