"""A scenario: how a task behaves poll by poll, which calls are made, and what the caller must see.

This is the model of one YAML file below a contract, and the source of `scenario.schema.json`. It knows
the contract's words only as text; `cross_check` holds the two against each other. What the server says
when is `timeline`'s, whether a promise was kept is the judge's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from enum import StrEnum
from itertools import chain, islice
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema, field_validator, model_validator

from waitproof.errors import InputError, nearest
from waitproof.suite.contract import Contract, Defaults, Name
from waitproof.suite.template import check, placeholders
from waitproof.suite.yaml import (
    MAX_MISTAKES,
    Duration,
    Format,
    Json,
    Model,
    Node,
    build,
    invalid,
    limited,
    mistake_at,
    shown,
)

__all__ = [
    "Call",
    "Drop",
    "Expect",
    "Fault",
    "PollCount",
    "Raises",
    "Scenario",
    "Step",
    "WaitOptions",
    "cross_check",
    "parse_scenario",
    "scenario_schema",
    "watched_after_s",
]

MAX_TIMES = 1_000_000
MAX_PARALLEL = 1_000
WATCH_INTERVALS = 2  # an interval may be counted from the response, and the poll too many comes then
MAX_WATCH_S = 3.0
FOREVER = 0  # as `times`: a step without end, written `forever`


def _times(value: object) -> int:
    if value == "forever":
        return FOREVER
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_TIMES:
        return value
    raise invalid(f"'times' cannot be {shown(value)}", expected="a whole number from 1, or forever")


Times = Annotated[
    int,
    PlainValidator(_times),
    PlainSerializer(lambda value: "forever" if value == FOREVER else value),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"const": "forever"}]}),
]


class Drop(StrEnum):
    """How a connection ends in place of an answer."""

    BEFORE_RESPONSE = "before-response"
    RESET = "reset"
    MID_BODY = "mid-body"


class Fault(Model):
    """An answer that goes wrong: an HTTP error, text in place of JSON, or a dropped connection."""

    noun: ClassVar[str] = "fault"
    http: Annotated[int, Field(ge=300, le=599)] | None = None
    drop: Drop | None = None
    text: str | None = None
    headers: dict[str, str] = {}
    body: dict[str, Json] | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Fault:
        answers = self.http is not None or self.text is not None
        if answers == (self.drop is not None):
            raise invalid("a fault is one thing", expected="drop, or an answer: http, text or both")
        if self.body is not None and self.http is None:
            raise invalid("only an http fault has a body", expected="text for an answer that is no JSON")
        if self.body is not None and self.text is not None:
            raise invalid("an answer has one body", expected="one of 'body' and 'text'")
        if self.headers and self.drop is not None:
            raise invalid("a dropped connection sends no headers", fix="take 'headers' out")
        return self


class Step(Model):
    """What the server says for some polls on end."""

    noun: ClassVar[str] = "step"
    status: str | None = None
    times: Times = 1
    for_: Duration | None = Field(default=None, alias="for")
    delay: Duration = 0.0
    result: Json = None
    error: Json = None
    body: dict[str, Json] = {}
    omit: tuple[str, ...] = ()
    close_after: Duration | None = None
    fault: Fault | None = None

    @model_validator(mode="after")
    def _is_one_thing(self) -> Step:
        if (self.status is None) == (self.fault is None):
            raise invalid("a step is a status or a fault", expected="exactly one of 'status' and 'fault'")
        if self.for_ is not None and self.has("times"):
            raise invalid("a step lasts a number of polls or a time", expected="one of 'times' and 'for'")
        if self.fault is not None:
            extra = sorted({"result", "error", "body", "omit"} & self.model_fields_set)
            if extra:
                raise invalid(f"a fault has no '{extra[0]}'", fix="put it under the step that has a status")
        return self

    @property
    def label(self) -> str:
        """A word for the step in a timeline: its status, `503`, `drop` or `text`."""
        if self.fault is None:
            return self.status or ""
        if self.fault.http is not None:
            return str(self.fault.http)
        return "text" if self.fault.drop is None else f"drop:{self.fault.drop.value}"


class WaitOptions(Model):
    """Options passed to the wait helper; one that is absent is not passed, so that its default holds."""

    noun: ClassVar[str] = "wait"
    poll_interval: Duration | None = None
    timeout: Duration | None = None

    @model_validator(mode="after")
    def _are_positive(self) -> WaitOptions:
        for name in ("poll_interval", "timeout"):
            if getattr(self, name) == 0:
                raise invalid(f"{name} cannot be 0", expected="a duration above 0")
        return self

    def interval_s(self, defaults: Defaults) -> float:
        """Return the interval that holds: the one passed, else the default, in seconds."""
        return defaults.poll_interval if self.poll_interval is None else self.poll_interval

    def timeout_s(self, defaults: Defaults) -> float:
        """Return the timeout that holds: the one passed, else the default, in seconds."""
        return defaults.timeout if self.timeout is None else self.timeout


def watched_after_s(interval_s: float) -> float:
    """Return for how many seconds after the end of a wait a poll too many is watched for."""
    return min(WATCH_INTERVALS * interval_s, MAX_WATCH_S)


class GetTaskOptions(Model):
    """`get_task` takes no options."""

    noun: ClassVar[str] = "get_task"


Kind = Literal["task", "transport", "api", "other"]


def _kinds(value: object) -> tuple[str, ...]:
    kinds = [value] if isinstance(value, str) else value
    known = ("task", "transport", "api", "other")
    if isinstance(kinds, list) and kinds and all(kind in known for kind in kinds):
        return tuple(kinds)
    raise invalid(
        f"'kind' cannot be {shown(value)}",
        expected="task, transport, api or other, or a list of them",
        fix=nearest(value, known) if isinstance(value, str) else "",
    )


_KIND_SCHEMA: dict[str, Any] = {"enum": ["task", "transport", "api", "other"]}


class Raises(Model):
    """The exception that the caller must see; several kinds are alternatives."""

    noun: ClassVar[str] = "raises"
    kind: Annotated[
        tuple[str, ...],
        PlainValidator(_kinds),
        WithJsonSchema({"anyOf": [_KIND_SCHEMA, {"type": "array", "items": _KIND_SCHEMA, "minItems": 1}]}),
    ]
    fields: dict[str, Json] = {}


class PollCount(Model):
    """How many polls a call makes."""

    noun: ClassVar[str] = "polls"
    at_least: Annotated[int, Field(ge=0)] = 0
    at_most: Annotated[int, Field(ge=0)] | None = None

    def holds(self, count: int) -> bool:
        """Say whether `count` is right."""
        return self.at_least <= count and (self.at_most is None or count <= self.at_most)

    def __str__(self) -> str:
        if self.at_most is None:
            return f"{self.at_least} polls or more"
        if self.at_least == self.at_most:
            return f"{self.at_least} poll{'' if self.at_least == 1 else 's'}"
        return f"{self.at_least} to {self.at_most} polls"


def _poll_count(value: object) -> PollCount:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return PollCount(at_least=value, at_most=value)
    if isinstance(value, dict) and value and set(value) <= {"at_least", "at_most"}:
        least, most = value.get("at_least", 0), value.get("at_most", math.inf)
        if all(type(bound) is int for bound in value.values()) and 0 <= least <= most:
            return PollCount(at_least=least, at_most=value.get("at_most"))
    raise invalid(
        f"'polls' cannot be {shown(value)}", expected="a whole number, or {at_least: n, at_most: m}"
    )


class Expect(Model):
    """What the caller must see of one call."""

    noun: ClassVar[str] = "expectation"
    returns: Json = None
    raises: Raises | None = None
    task: dict[str, Json] | None = None
    polls: (
        Annotated[
            PollCount,
            PlainValidator(_poll_count),
            PlainSerializer(lambda count: count.model_dump(exclude_none=True)),
            WithJsonSchema(
                {
                    "anyOf": [
                        {"type": "integer", "minimum": 0},
                        {
                            "type": "object",
                            "additionalProperties": False,
                            "minProperties": 1,
                            "properties": {
                                "at_least": {"type": "integer", "minimum": 0},
                                "at_most": {"type": "integer", "minimum": 0},
                            },
                        },
                    ]
                }
            ),
        ]
        | None
    ) = None

    @model_validator(mode="after")
    def _is_one(self) -> Expect:
        outcomes = [name for name in ("returns", "raises", "task") if self.has(name)]
        empty = [
            name for name in ("raises", "task", "polls") if self.has(name) and getattr(self, name) is None
        ]
        if empty:
            raise invalid(f"'{empty[0]}' cannot be null", fix=f"leave '{empty[0]}' out")
        if len(outcomes) > 1:
            raise invalid("a call has one outcome", expected="one of 'returns', 'raises' and 'task'")
        return self

    def parts(self) -> Iterator[str]:
        """Yield what is expected, in the words that checks use: `returns`, `raises`, `task`, `polls`."""
        yield from (name for name in ("returns", "raises", "task", "polls") if self.has(name))


class Call(Model):
    """One call on the SDK: `wait`, `get_task` or `begin`."""

    noun: ClassVar[str] = "call"
    wait: WaitOptions | None = None
    get_task: GetTaskOptions | None = None
    begin: str | None = None
    arguments: dict[str, Json] = {}
    task_id: str | int | None = None
    parallel: Annotated[int, Field(ge=1, le=MAX_PARALLEL)] = 1
    expect: Expect = Expect()

    @field_validator("task_id", mode="before")
    @classmethod
    def _is_an_id(cls, value: object) -> object:
        if value is None or type(value) in (str, int):
            return value
        raise invalid(f"'task_id' cannot be {shown(value)}", expected="text or a whole number")

    @model_validator(mode="after")
    def _is_one(self) -> Call:
        kinds = [name for name in ("wait", "get_task", "begin") if getattr(self, name) is not None]
        if len(kinds) != 1:
            raise invalid("a call is one thing", expected="one of 'wait', 'get_task' and 'begin'")
        if self.begin is None and self.arguments:
            raise invalid("only 'begin' has arguments", fix="options of a wait stand under 'wait'")
        if self.begin is not None and "token" not in set(placeholders(self.arguments)):
            raise invalid(
                "the arguments of 'begin' have no ${token}",
                fix="put it into the value that the contract names, such as cids: ['messaging:${token}']",
            )
        misplaced = {"get_task": {"returns"}, "wait": {"task"}, "begin": {"task", "returns", "polls"}}[
            kinds[0]
        ]
        wrong = misplaced & set(self.expect.parts())
        if wrong:
            raise invalid(
                f"'{min(wrong)}' cannot be expected of '{kinds[0]}'", expected=_CAN_EXPECT[kinds[0]]
            )
        return self


_CAN_EXPECT = {"wait": "returns, raises or polls", "get_task": "task, raises or polls", "begin": "raises"}


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

    @model_validator(mode="after")
    def _is_whole(self) -> Scenario:
        if len(self.task_ids()) > 1:
            raise invalid("a scenario has one task", fix="give only one of the calls a task_id")
        begins = [number for number, call in enumerate(self.calls) if call.begin is not None]
        if begins and (begins != [0] or self.task_ids()):
            raise invalid("'begin' gives the task its id", expected="'begin' once, as the first call")
        if self.parallel > 1 and any(not {"n", "token"} & {*placeholders(own)} for own in self.task_ids()):
            raise invalid("every copy would have the same task_id", fix="put ${n} or ${token} into it")
        if begins and self.parallel > 1:
            raise invalid("a task that is begun is one task", fix="take 'parallel' out")
        return self

    @property
    def id(self) -> str:
        """The path below the contract without its ending: `outcomes/completes-after-3-polls`."""
        return self._id

    @property
    def wait_options(self) -> WaitOptions:
        """What the scenario's first wait passes; nothing where it has no wait."""
        return next((call.wait for call in self.calls if call.wait is not None), WaitOptions())

    @property
    def topic(self) -> str:
        """The folder below the contract."""
        return self._id.rpartition("/")[0]

    @property
    def parallel(self) -> int:
        """How many copies of the task there are."""
        return max(call.parallel for call in self.calls)

    def task_ids(self) -> list[str | int]:
        """Return the ids that calls ask for: none or one."""
        return [call.task_id for call in self.calls if call.task_id is not None]

    @property
    def has_fixed_id(self) -> bool:
        """Whether its task has the same id whoever plays it: two may not play it on one server at once."""
        return any("token" not in placeholders(own) for own in self.task_ids())

    def named(self, scenario_id: str) -> Scenario:
        """Return the same scenario under an id."""
        copy = self.model_copy()
        copy._id = scenario_id  # noqa: SLF001 - our own, on a copy
        return copy


def parse_scenario(node: Node, place: str, scenario_id: str) -> Scenario:
    """Return the scenario that a file's values describe.

    Raises:
        InputError: With every mistake and its position.
    """
    return build(Scenario, node, place).named(scenario_id)


def cross_check(scenario: Scenario, contract: Contract, node: Node, place: str) -> None:
    """Hold a scenario against its contract: requirements, operations, placeholders and body fields.

    Raises:
        InputError: With every mistake and its position.
    """
    wrong = islice(chain(_wrong_names(scenario, contract), _wrong_placeholders(scenario)), MAX_MISTAKES + 1)
    found = limited(
        (
            mistake_at(node, path, place, fact, expected=expected, fix=fix)
            for path, fact, expected, fix in sorted(wrong, key=lambda each: node.find(each[0])[1])
        ),
        place,
    )
    if found:
        raise InputError(found)


_Path: TypeAlias = tuple[str | int, ...]
_Found: TypeAlias = tuple[_Path, str, str, str]  # where, fact, expected, fix


def _wrong_names(scenario: Scenario, contract: Contract) -> Iterator[_Found]:
    known = [requirement.id for requirement in contract.requirements]
    for number, name in enumerate(scenario.proves):
        if name not in known:
            fix = nearest(name, known) or "'waitproof explain' lists them"
            yield ("proves", number), f"no requirement is called '{name}'", "", fix
        elif name in scenario.proves[:number]:
            yield ("proves", number), f"'{name}' stands twice", "", "take one of them out"
    body = contract.answer.body
    for number, step in enumerate(scenario.task):
        for field in sorted(set(step.omit) - set(body)):
            fact = f"an answer has no field '{field}' to leave out"
            yield ("task", number, "omit"), fact, ", ".join(body), nearest(field, body)
    for number, call in enumerate(scenario.calls):
        if call.begin is not None and call.begin not in contract.operations:
            expected = ", ".join(contract.operations) or "none: this contract has no operations"
            fix = nearest(call.begin, contract.operations)
            yield ("calls", number, "begin"), f"no operation is called '{call.begin}'", expected, fix
        documented = {*contract.exception_fields, *contract.timeout.fields}
        for field in sorted(set(call.expect.raises.fields if call.expect.raises else {}) - documented):
            where = ("calls", number, "expect", "raises", "fields", field)
            fact = f"an exception has no documented field '{field}'"
            yield where, fact, ", ".join(sorted(documented)), nearest(field, documented)


def _wrong_placeholders(scenario: Scenario) -> Iterator[_Found]:
    for path, value in _templates(scenario):
        try:
            check(value, ("n", "task_id", "token"))
        except ValueError as error:
            fact, _, fix = str(error).rpartition(": ")
            yield path, fact, "", fix


def _templates(scenario: Scenario) -> Iterator[tuple[tuple[str | int, ...], Json]]:
    for number, step in enumerate(scenario.task):
        yield ("task", number), [step.result, step.error, step.body]
        if step.fault is not None:
            yield ("task", number, "fault"), [step.fault.text, step.fault.body, dict(step.fault.headers)]
    for number, call in enumerate(scenario.calls):
        yield ("calls", number, "arguments"), call.arguments
        yield ("calls", number, "task_id"), call.task_id
        expected = [call.expect.returns, call.expect.task]
        if call.expect.raises is not None:
            expected.append(call.expect.raises.fields)
        yield ("calls", number, "expect"), expected


def scenario_schema() -> dict[str, Any]:
    """Return the JSON Schema of a scenario file, for editors."""
    schema = Scenario.model_json_schema(by_alias=True, mode="validation")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "waitproof scenario, format 1",
    }
