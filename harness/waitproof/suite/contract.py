"""The documentation as data: what a suite's API answers, and what its SDKs promise.

A contract is the model of `contract.yaml`: the endpoint that is polled, the bodies of its answers as
templates, what each status must lead to, the defaults, the operations that begin tasks, and the
requirements. Everything specific to one vendor's API is in that file and nowhere in the code. Which checks
exist and what arguments they take is the judge's business; `crosscheck` compares the two.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, ClassVar, Literal
from urllib.parse import unquote

from pydantic import Field, field_validator

from waitproof.suite.intervals import DefaultInterval, Intervals
from waitproof.suite.model import Format, Model, PositiveDuration, Wrong, invalid
from waitproof.suite.operation import Operation
from waitproof.suite.shape import (
    AppliesTo,
    Pattern,
    Returns,
    Status,
    StatusMeaning,
    StatusRule,
    TimeoutPromise,
    Variant,
)
from waitproof.suite.step import Step
from waitproof.suite.template import check, fill
from waitproof.suite.yaml import Json, Node, Path

__all__ = [
    "Contract",
    "Level",
    "Requirement",
    "StatusMeaning",
    "TaskIdFormat",
]

Name = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", examples=["exception-stack-trace"])]


class Level(StrEnum):
    """How much a requirement weighs.

    A MUST quotes the documentation, a SHOULD is common sense, INFO is what the documentation leaves open.
    """

    MUST = "MUST"
    SHOULD = "SHOULD"
    INFO = "INFO"


class TaskIdFormat(StrEnum):
    """What the API's task ids look like."""

    UUID = "uuid"
    INTEGER = "integer"


class Requirement(Model):
    """One promise, and the check that judges it."""

    noun: ClassVar[str] = "requirement"
    id: Name
    level: Level
    quote: str | None = None
    reason: str | None = None
    check: str
    with_: dict[str, Json] = Field(default_factory=dict, alias="with")
    applies_to: AppliesTo = Field(default_factory=AppliesTo)

    @classmethod
    def rules(cls, written: Node) -> Iterator[Wrong]:
        """A MUST quotes the documentation; anything else has a reason at least."""
        name = written.get("id").value
        quote, reason = written.get("quote").value, written.get("reason").value
        if written.get("level").value == Level.MUST and not quote:
            yield Wrong(
                f"requirement {name} is a MUST without a quote",
                expected="the documentation's own sentence under 'quote'",
                fix="where the documentation says nothing, its level is SHOULD, with a reason",
            )
        elif not (quote or reason):
            yield Wrong(f"requirement {name} has neither a quote nor a reason", fix="add 'reason'")

    @property
    def sentence(self) -> str:
        """The documented sentence, else the reason."""
        return self.quote or self.reason or ""


class Endpoint(Model):
    """The request that asks for one task's status."""

    noun: ClassVar[str] = "endpoint"
    method: Literal["GET", "POST"] = "GET"
    path: str

    @field_validator("path")
    @classmethod
    def _names_the_task(cls, path: str) -> str:
        if path.count("{task_id}") != 1 or not path.startswith("/"):
            raise invalid(f"'{path}' is not a task endpoint", expected="a path with {task_id} in it once")
        return path


class Answer(Model):
    """The answer to a poll: `${status}`, `${result}`, `${error}` and `${now_ns}` are filled in."""

    noun: ClassVar[str] = "answer"
    headers: dict[str, str] = {"Content-Type": "application/json"}
    body: dict[str, Json]


class ErrorAnswer(Answer):
    """The body of an HTTP error; `${http}` is its status code and `${message}` says what is wrong."""

    noun: ClassVar[str] = "http_error"


class Credentials(Model):
    """What every poll must carry; `secret` names what must not be seen in messages and logs.

    `jwt` names what is a JSON Web Token.
    """

    noun: ClassVar[str] = "credentials"
    headers: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    secret: tuple[str, ...] = ()
    jwt: tuple[str, ...] = ()

    @classmethod
    def rules(cls, written: Node) -> Iterator[Wrong]:
        """Only what is carried can be secret or a token."""
        carried = [item.value for name in ("headers", "query") for item in written.items(name)]
        for key in ("secret", "jwt"):
            for number, item in enumerate(written.items(key)):
                if item.value not in carried:
                    fact = f"{json.dumps(item.value)} is neither in 'headers' nor in 'query'"
                    yield Wrong(fact, expected=", ".join(map(str, carried)), path=(key, number))


class Defaults(Model):
    """What holds when the caller passes no option, in seconds.

    Without `timeout` a wait has no deadline; `max_polls` is after how many polls a helper gives up.
    """

    noun: ClassVar[str] = "defaults"
    poll_interval: DefaultInterval
    timeout: PositiveDuration | None = None
    max_polls: Annotated[int, Field(ge=1)] | None = None

    @property
    def intervals(self) -> Intervals:
        """The pauses of a wait."""
        interval = self.poll_interval
        return interval if isinstance(interval, Intervals) else Intervals(interval)


class Contract(Model):
    """One suite's documentation; see the module.

    `extends` is another suite, a bundled one's name or a folder beside this file: keys that are not written
    are that one's, its requirements and scenarios are added, and `without` leaves some of them out by their
    ids. `returned` is a template of the task that a wait returns where it `returns` one: it has at least
    that, filled in from the answer that ended the wait. `sdk_exceptions` is a pattern that matches the name
    of every exception that an SDK defines, even one of no documented kind. `example` is the id of the
    scenario that is shown and served where none is named; `snippets` are calls to paste, by language:
    `${base_url}` is the mock server's and `${task_id}` a task's.
    """

    noun: ClassVar[str] = "contract"
    format: Format
    name: Name
    extends: str | None = None
    without: tuple[str, ...] = ()
    title: str
    source: str
    task_id: TaskIdFormat = TaskIdFormat.UUID
    endpoint: Endpoint
    credentials: Credentials = Field(default_factory=Credentials)
    answer: Answer
    error: Json = {}
    http_error: ErrorAnswer
    returns: Returns = Returns.RESULT
    returned: dict[str, Json] | None = None
    statuses: dict[str, StatusRule]
    unknown_status: StatusMeaning = StatusMeaning.KEEP_POLLING
    variants: dict[Name, Variant] = {}
    timeout: TimeoutPromise = Field(default_factory=TimeoutPromise)
    defaults: Defaults
    exception_fields: dict[str, str] = {}
    sdk_exceptions: Pattern | None = None
    operations: dict[str, Operation] = {}
    environment: tuple[str, ...] = ()
    example: str | None = None
    snippets: dict[str, str] = {}
    requirements: tuple[Requirement, ...]

    @classmethod
    def rules(cls, written: Node) -> Iterator[Wrong]:
        """Some status ends a wait with a result, ids differ, and placeholders are known."""
        statuses = written.get("statuses")
        rules = [statuses.get(name) for name in written.names("statuses")]
        meanings = [(rule.get("means") if isinstance(rule.value, dict) else rule).value for rule in rules]
        are_known = all(each in list(StatusMeaning) for each in meanings)
        if meanings and are_known and StatusMeaning.RETURN_RESULT not in meanings:
            yield Wrong(
                "no status means return_result",
                expected="a status that ends a wait with a result",
                path=("statuses",),
            )
        others = (None, Returns.RESULT, Returns.NOTHING)
        if written.has("returned") and written.get("returns").value in others:
            fact = "'returned' is a part of a task, but a wait does not return one"
            yield Wrong(fact, expected="returns: task", path=("returned",))
        known = written.names("statuses")
        for variant in written.names("variants"):
            for status in written.names("variants", variant, "statuses"):
                if status not in known:
                    at: Path = ("variants", variant, "statuses", status)
                    yield Wrong(f"there is no status '{status}'", expected=", ".join(known), path=at)
            for option in written.names("variants", variant, "options"):
                if option in {"poll_interval", "timeout"}:
                    fact, fix = f"a variant has no '{option}'", "let the scenarios pass it"
                    yield Wrong(fact, fix=fix, path=("variants", variant, "options", option))
        yield from _extension(written)
        for path, more in _templates(written):
            node = written.at(path)
            try:
                check(None if node is None else node.plain(), _TASK_VALUES | more)
            except ValueError as error:
                fact, _, fix = str(error).rpartition(": ")
                yield Wrong(fact, fix=fix, path=path)

    @property
    def meanings(self) -> Mapping[str, StatusMeaning]:
        """What each status must lead to."""
        return {name: _meaning(rule) for name, rule in self.statuses.items()}

    def varied(self, variant: str | None) -> Contract:
        """Return the contract as it is for a variant of the helper; None is the helper as it is.

        What the server says is the same: a status that says that the task has failed goes on to say so.
        """
        if variant is None:
            return self
        statuses = {
            name: Status(means=_meaning(rule), fails=self.fails(name))
            for name, rule in self.variants[variant].statuses.items()
        }
        return self.model_copy(update={"statuses": {**self.statuses, **statuses}})

    def meaning(self, status: str) -> StatusMeaning:
        """Return what `status` must lead to; unknown ones have a meaning too."""
        return _meaning(self.statuses.get(status, self.unknown_status))

    def fails(self, status: str) -> bool:
        """Say whether a status says that the task has failed, be it raised, by a variant too, or returned."""
        rules = [self.statuses.get(status, self.unknown_status)]
        rules += [rule for each in self.variants.values() if (rule := each.statuses.get(status))]
        return any(
            _meaning(rule) is StatusMeaning.RAISE_TASK or (isinstance(rule, Status) and rule.fails)
            for rule in rules
        )

    def status_for(self, meaning: StatusMeaning) -> str | None:
        """Return the first status that has this meaning, None if none has; a success where there is one."""
        found = [status for status, each in self.meanings.items() if each is meaning]
        return next((status for status in found if not self.fails(status)), next(iter(found), None))

    @property
    def failing_status(self) -> str | None:
        """The first status that says that the task has failed, None where there is none."""
        return self.status_for(StatusMeaning.RAISE_TASK) or next(filter(self.fails, self.statuses), None)

    def returned_task(self, step: Step, values: Mapping[str, Json]) -> dict[str, Json]:
        """Return what a wait returns at least where it returns a task that ended with this step.

        What the step leaves out of its answer is not promised.
        """
        more = {**values, "status": step.status, "result": fill(step.result, values)}
        more["error"] = fill(self.error_of(step), values)
        omitted = [self.answer.body.get(name) for name in step.omit]
        promised = {name: each for name, each in (self.returned or {}).items() if each not in omitted}
        return {str(name): value for name, value in fill(promised, more).items()}

    def error_of(self, step: Step) -> Json:
        """Return the error that a step answers: its own, else the contract's where the task has failed."""
        if not step.has("error") and step.status is not None and self.fails(step.status):
            return self.error
        return step.error

    def ends_the_wait(self, status: str | None) -> bool:
        """Say whether a status ends a wait; a fault, which has none, does not."""
        return status is not None and self.meaning(status) is not StatusMeaning.KEEP_POLLING

    def requirement(self, requirement_id: str) -> Requirement:
        """Return the requirement of that id.

        Raises:
            KeyError: There is none; the loader has checked every scenario's `proves`.
        """
        for requirement in self.requirements:
            if requirement.id == requirement_id:
                return requirement
        raise KeyError(requirement_id)

    def is_sdk_exception(self, type_name: str) -> bool:
        """Say whether an exception of this name is one that the SDK defines, whatever its kind."""
        return self.sdk_exceptions is not None and re.search(self.sdk_exceptions, type_name) is not None

    def task_path_pattern(self) -> re.Pattern[str]:
        """Return a pattern that matches the raw path of a poll and captures the escaped task id."""
        before, after = self.endpoint.path.split("{task_id}")
        return re.compile(re.escape(before) + "([^/?]+)" + re.escape(after))

    def task_id_in(self, path: str) -> str:
        """Return the id of the task for which a poll of this raw path asks, "" where it is no poll."""
        found = self.task_path_pattern().fullmatch(path)
        return "" if found is None else unquote(found[1])


def _meaning(rule: StatusMeaning | Status) -> StatusMeaning:
    return rule.means if isinstance(rule, Status) else rule


_TASK_VALUES = {"task_id", "token", "n"}


def _extension(written: Node) -> Iterator[Wrong]:
    """Yield what is wrong with the requirements as a whole, inherited ones among them."""
    ids = set()
    for number, requirement in enumerate(written.items("requirements")):
        name = requirement.get("id").plain()
        if str(name) in ids:
            fact, fix = f"requirement {name} appears twice", "give each promise its own id"
            if written.has("extends"):
                fix += f", or put '{name}' under 'without' to replace the inherited one"
            yield Wrong(fact, fix=fix, path=("requirements", number, "id"))
        ids.add(str(name) if requirement.has("id") else number)
    if written.has("without") and not written.has("extends"):
        fact = "only a contract that extends another suite can leave something out"
        yield Wrong(fact, fix="add 'extends', or remove 'without'", path=("without",))


def _templates(written: Node) -> Iterator[tuple[Path, set[str]]]:
    """Yield where a contract has placeholders, and which it may use besides a task's own."""
    yield ("answer", "body"), {"status", "result", "error", "now_ns"}
    yield ("error",), set()
    yield ("returned",), {"status", "result", "error"}
    yield ("http_error", "body"), {"http", "message"}
    for name in written.names("operations"):
        yield ("operations", name, "arguments"), set()
        yield ("operations", name, "body"), set()
    for language in written.names("snippets"):
        yield ("snippets", language), {"base_url"}
