"""A scenario: how a task behaves poll by poll, which calls are made, and what the caller must see.

This is the model of one YAML file below a contract, and the source of `scenario.schema.json`. It knows the
contract's words only as text; `crosscheck` compares the two. What a call must come to is in `expect`, what
the server says in `step`, and when in `task`; whether a promise was kept is the judge's business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field, field_validator

from waitproof.suite.contract import Defaults, Name
from waitproof.suite.document import shown
from waitproof.suite.expect import Expect
from waitproof.suite.intervals import Intervals, PassedInterval
from waitproof.suite.model import (
    NO_TIMEOUT_S,
    Format,
    Model,
    PassedTimeout,
    PositiveDuration,
    Wrong,
    invalid,
)
from waitproof.suite.step import Step
from waitproof.suite.template import placeholders
from waitproof.suite.yaml import Json, Node
from waitproof.text import either

__all__ = [
    "Call",
    "Scenario",
    "WaitOptions",
    "scenario_schema",
    "watched_after_s",
]

MAX_PARALLEL = 1_000
WATCH_INTERVALS = 2  # an interval may be counted from the response, and the poll too many comes then
MAX_WATCH_S = 3.0


class WaitOptions(Model):
    """Options passed to the wait helper; one that is absent is not passed, so that its default holds."""

    noun: ClassVar[str] = "wait"
    poll_interval: PassedInterval | None = None
    timeout: PassedTimeout | None = None
    max_polls: Annotated[int, Field(ge=1)] | None = None
    variant: Name | None = None

    def intervals(self, defaults: Defaults) -> Intervals:
        """Return the pauses that hold: those passed, else the default.

        What an interval of 0 or less means is open: it counts as the default.
        """
        passed = self.poll_interval
        if isinstance(passed, Intervals):
            return passed
        return Intervals(passed) if passed is not None and passed > 0 else defaults.intervals

    def interval_s(self, defaults: Defaults) -> float:
        """Return the interval that holds, in seconds; of a schedule, the longest that the wait comes to."""
        intervals, limit = self.intervals(defaults), self.polls_limit(defaults)
        if intervals.is_constant:
            return intervals.first_s
        most = intervals.fitting(self.timeout_s(defaults)) + 1
        return intervals.pause_s(max(1, most if limit is None else min(most, limit - 1)))

    def timeout_s(self, defaults: Defaults) -> float:
        """Return the timeout that holds, in seconds, in the same way; `NO_TIMEOUT_S` for none."""
        default_s = NO_TIMEOUT_S if defaults.timeout is None else defaults.timeout
        return default_s if self.timeout is None or self.timeout <= 0 else self.timeout

    def polls_limit(self, defaults: Defaults) -> int | None:
        """Return after how many polls the helper gives up, None where it never does because of them."""
        return defaults.max_polls if self.max_polls is None else self.max_polls

    def lasts_s(self, defaults: Defaults) -> float:
        """Return how long a wait lasts at most whose answers come at once; `NO_TIMEOUT_S` for no limit."""
        limit = self.polls_limit(defaults)
        if limit is None:
            return self.timeout_s(defaults)
        return min(self.timeout_s(defaults), self.intervals(defaults).sum_s(limit - 1))


def watched_after_s(interval_s: float) -> float:
    """Return how long after the end of a wait to watch for a poll too many, in seconds."""
    return min(WATCH_INTERVALS * interval_s, MAX_WATCH_S)


class GetTaskOptions(Model):
    """`get_task` takes no options."""

    noun: ClassVar[str] = "get_task"


class Call(Model):
    """One call on the SDK: `wait`, `get_task` or `begin`."""

    noun: ClassVar[str] = "call"
    wait: WaitOptions | None = None
    get_task: GetTaskOptions | None = None
    begin: str | None = None
    arguments: dict[str, Json] = {}
    task_id: str | int | None = None
    parallel: Annotated[int, Field(ge=1, le=MAX_PARALLEL)] = 1
    cancel_after: PositiveDuration | None = None
    expect: Expect = Field(default_factory=Expect)

    @field_validator("task_id", mode="before")
    @classmethod
    def _is_an_id(cls, value: object) -> object:
        if value is None or type(value) in (str, int):
            return value
        raise invalid(f"'task_id' cannot be {shown(value)}", expected="text or a whole number")

    @classmethod
    def rules(cls, written: Node) -> Iterator[Wrong]:
        """A call is one thing, with what belongs to it."""
        kinds = [name for name in _CAN_EXPECT if written.has(name)]
        if len(kinds) != 1:
            yield Wrong("a call is one thing", expected="one of 'wait', 'get_task' and 'begin'")
            return
        (kind,) = kinds
        arguments = written.get("arguments").plain()
        if kind != "begin" and arguments:
            yield Wrong("only 'begin' has arguments", fix="options of a wait go under 'wait'")
        if written.has("cancel_after") != ("cancelled" in written.names("expect")):
            yield Wrong("'cancel_after' and 'cancelled' go together", fix="write both, or neither")
        elif written.has("cancel_after") and kind != "wait":
            yield Wrong("only a wait can be cancelled", fix="remove 'cancel_after'")
        wrong = set(written.names("expect")) & {"task", "returns", "polls"} - set(_CAN_EXPECT[kind])
        if wrong:
            fact = f"'{min(wrong)}' cannot be expected of '{kind}'"
            yield Wrong(fact, expected=either(_CAN_EXPECT[kind]))


_CAN_EXPECT = {
    "wait": ("returns", "raises", "cancelled", "polls"),
    "get_task": ("task", "raises", "polls"),
    "begin": ("raises",),
}


class Scenario(Model):
    """One file of a suite; its id is the path without its ending, and only what it `proves` is judged."""

    noun: ClassVar[str] = "scenario"
    format: Format = 1
    summary: Annotated[str, Field(min_length=1)]
    proves: Annotated[tuple[Name, ...], Field(min_length=1)]
    cold: bool = False
    task: Annotated[tuple[Step, ...], Field(min_length=1)]
    calls: Annotated[tuple[Call, ...], Field(min_length=1)]

    _id: str = ""
    _lines: Mapping[str, int] = {}  # of each requirement under `proves`

    @classmethod
    def rules(cls, written: Node) -> Iterator[Wrong]:
        """A scenario is about one task."""
        calls = written.items("calls")
        task_ids = [each.get("task_id") for each in calls if each.has("task_id")]
        begins = [number for number, call in enumerate(calls) if call.has("begin")]
        copies = [each.get("parallel").value for each in calls]
        is_parallel = any(type(each) is int and each > 1 for each in copies)
        variants = {each.get("wait").get("variant").value for each in calls if each.has("wait")}
        if len(variants) > 1:
            yield Wrong("a scenario has one variant of the helper", fix="give each 'wait' the same 'variant'")
        if len(task_ids) > 1:
            yield Wrong("a scenario has one task", fix="give only one of the calls a task_id")
        if begins and (begins != [0] or task_ids):
            yield Wrong("'begin' gives the task its id", expected="'begin' once, as the first call")
        if is_parallel and any(not {"n", "token"} & {*placeholders(each.plain())} for each in task_ids):
            yield Wrong("every copy would have the same task_id", fix="put ${n} or ${token} into it")
        if begins and is_parallel:
            yield Wrong("a task that is begun is one task", fix="remove 'parallel'")

    @property
    def id(self) -> str:
        """The path below the contract without its ending: `outcomes/completes-after-3-polls`."""
        return self._id

    @property
    def wait_options(self) -> WaitOptions:
        """What the scenario's first wait passes; nothing where it has no wait."""
        return next((call.wait for call in self.calls if call.wait is not None), WaitOptions())

    @property
    def variant(self) -> str | None:
        """Which variant of the helper the scenario is about, None for the helper as it is."""
        return self.wait_options.variant

    @property
    def topic(self) -> str:
        """The folder below the contract."""
        return self._id.rpartition("/")[0]

    @property
    def parallel(self) -> int:
        """How many copies of the task there are."""
        return max(call.parallel for call in self.calls)

    @property
    def begun_by(self) -> str:
        """The operation that begins its task, "" for none."""
        return self.calls[0].begin or ""

    def task_ids(self) -> list[str | int]:
        """Return the ids that calls ask for: none or one."""
        return [call.task_id for call in self.calls if call.task_id is not None]

    @property
    def has_fixed_id(self) -> bool:
        """Whether its task always has the same id, so that only one player at a time can use it."""
        return any("token" not in placeholders(own) for own in self.task_ids())

    def line_of(self, requirement_id: str) -> int:
        """Return the line of a requirement under `proves` in the scenario's file, from 1; 1 if not known."""
        return self._lines.get(requirement_id, 1)

    def named(self, scenario_id: str, written: Node | None = None) -> Scenario:
        """Return the same scenario under an id, with its lines if the file's values are known."""
        copy = self.model_copy()
        copy._id = scenario_id  # noqa: SLF001 - our own, on a copy
        if written is not None:
            copy._lines = {str(each.value): each.line for each in reversed(written.items("proves"))}  # noqa: SLF001
        return copy


def scenario_schema() -> dict[str, Any]:
    """Return the JSON Schema of a scenario file, for editors."""
    schema = Scenario.model_json_schema(by_alias=True, mode="validation")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "waitproof scenario, format 1",
    }
