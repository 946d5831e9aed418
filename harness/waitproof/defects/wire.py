"""A contract on the wire: how the model client writes its requests and reads the answers. No I/O.

The contract's templates are read backwards: wherever `answer.body` has `${status}`, the answer has the
status. Nothing here knows a vendor.
"""

from __future__ import annotations

import base64
import gzip
import hmac
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias
from urllib.parse import quote, urlencode

from waitproof.errors import InputError, Mistake
from waitproof.protocol import ExceptionKind
from waitproof.simulate import API_SECRET, Answer, Request
from waitproof.suite import Contract, Json, Operation, StatusMeaning, at_path, dotted, path_of

__all__ = ["LANGUAGE", "Cause", "ModelError", "Task", "TaskId", "Wire", "headers_of", "read_object", "set_at"]

LANGUAGE = "python"  # of the model client, where its types' names depend on that
TaskId: TypeAlias = str | int
Path: TypeAlias = tuple[str | int, ...]


class Cause(StrEnum):
    """What led to an exception of the model client."""

    TASK_FAILED = "the task failed"
    DEADLINE = "the wait's deadline passed"
    HTTP = "the answer was an HTTP error"
    MALFORMED = "the answer is not a task"
    DROPPED = "the connection was dropped"
    NO_ANSWER = "no answer came in time"


class ModelError(Exception):
    """What the model client raises; `kind` and `fields` are what its adapter reports.

    Attributes:
        fields: The documented fields by name; a defect may change them.
        http: The HTTP status of an error answer, else 0.
        headers: Those of an error answer, names in lower case.
    """

    def __init__(
        self,
        kind: ExceptionKind,
        cause: Cause,
        message: str,
        *,
        fields: Mapping[str, Json] | None = None,
        http: int = 0,
        headers: Mapping[str, str] | None = None,
        type_name: str = "",
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.cause = cause
        self.message = message
        self.fields: dict[str, Json] = dict(fields or {})
        self.http = http
        self.headers = dict(headers or {})
        self._type_name = type_name

    @property
    def type_name(self) -> str:
        """What the exception is called, whatever the language."""
        return self._type_name or f"{self.kind.value.capitalize()}Exception"


@dataclass(frozen=True)
class Task:
    """One answer to a poll.

    Attributes:
        meaning: What the status leads the wait to do.
        body: The whole answer.
    """

    task_id: Json
    status: str
    meaning: StatusMeaning
    result: Json = None
    error: Json = None
    body: Mapping[str, Json] | None = None

    @property
    def ends_the_wait(self) -> bool:
        """Whether there is nothing left to wait for."""
        return self.meaning is not StatusMeaning.KEEP_POLLING


class Wire:
    """Writes the requests of one contract and reads their answers.

    Args:
        contract: The documentation.
        api_key: Sent as the value of every credential that isn't secret; the mock server asks only that there
            is one.
        api_secret: Signs the values of those that are.

    Raises:
        InputError: `answer.body` has no `${status}`, so nobody can wait for anything.
    """

    def __init__(self, contract: Contract, api_key: str = "key", api_secret: str = API_SECRET) -> None:
        self.contract = contract
        self.api_secret = api_secret
        names = {
            name: path_of(contract.answer.body, name) for name in ("status", "task_id", "result", "error")
        }
        if names["status"] is None:
            fix = "write ${status} where the answer to a poll has the task's status"
            raise InputError(Mistake("contract.yaml", "answer.body has no ${status}", fix=fix))
        self._places = {name: place for name, place in names.items() if place is not None}
        values = dict.fromkeys(contract.credentials.secret, _signature(api_secret, api_key))
        values |= dict.fromkeys(contract.credentials.jwt, self.token({"server": True}))
        self._headers = {name: values.get(name, api_key) for name in contract.credentials.headers}
        self._headers["Accept-Encoding"] = "gzip"
        self._query = urlencode({name: values.get(name, api_key) for name in contract.credentials.query})

    def token(self, claims: Mapping[str, Json]) -> str:
        """Return a JSON Web Token (HS256) that says this."""
        head, body = (_base64(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
        return f"{head}.{body}.{_signature(self.api_secret, f'{head}.{body}')}"

    def poll(self, task_id: TaskId) -> Request:
        """Return the request for a task's status."""
        endpoint = self.contract.endpoint
        path = endpoint.path.replace("{task_id}", quote(str(task_id), safe=""))
        return Request(endpoint.method, self.target(path), self._headers)

    def target(self, path: str) -> str:
        """Return a path with the credentials that belong into the query."""
        return f"{path}?{self._query}" if self._query else path

    def request(self, method: str, path: str, body: Json = None) -> Request:
        """Return any other request, with the credentials of a poll."""
        if body is None:
            return Request(method, self.target(path), self._headers)
        headers = {**self._headers, "Content-Type": "application/json"}
        return Request(method, self.target(path), headers, json.dumps(body).encode())

    def begin(self, operation: Operation, arguments: Mapping[str, Json]) -> Request:
        """Return the request that begins an operation.

        A contract says where in the request the server looks for the scenario's token, and has an example of
        the arguments that hold it: the arguments are sent as they are, and that one where it belongs as well.
        One that belongs into the path is sent nowhere else.
        """
        body: Any = dict(arguments)
        path = operation.path
        place = path_of(operation.arguments, "token", is_part=True)
        if place is not None:
            named = at_path(body, dotted(place))
            if operation.token is not None:
                body = set_at(body, operation.token.split("."), named)
            elif operation.names_its_task:
                path = operation.path_for(str(named))
                body.pop(place[0], None)
        return self.request(operation.method, path, body or None)

    def read_task(self, task_id: TaskId, answer: Answer, contract: Contract | None = None) -> Task:
        """Return the task that an answer shows, by this contract's statuses where it is a variant's.

        Raises:
            ModelError: It is an HTTP error, or not a task.
        """
        body = self._object(answer)
        status = self._at(body, "status")
        if not isinstance(status, str):
            raise self.failure(Cause.MALFORMED, "the answer has no status")
        return Task(
            task_id=self._at(body, "task_id") or task_id,
            status=status,
            meaning=(contract or self.contract).meaning(status),
            result=self._at(body, "result"),
            error=self._at(body, "error"),
            body=body,
        )

    def as_object(self, task: Task) -> dict[str, Json]:
        """Return the task as an object, with the members that its answer had."""
        body = dict(task.body or {})
        place = self._places.get("result")
        if place is not None and at_path(body, dotted(place)) != task.result:
            body = set_at(body, [str(step) for step in place], task.result)
        return body

    def read_task_id(self, operation: Operation, answer: Answer) -> TaskId:
        """Return the id of the task that an operation began.

        Raises:
            ModelError: It is an HTTP error, or names no task.
        """
        body = self._object(answer)
        place = path_of(operation.body, "task_id")
        task_id = None if place is None else at_path(body, dotted(place))
        if not isinstance(task_id, str | int):
            raise self.failure(Cause.MALFORMED, "the answer names no task")
        return task_id

    def task_failed(self, task: Task) -> ModelError:
        """Return the exception for a failed task, with every documented field."""
        fields = {name: at_path(task.body, path) for name, path in self.contract.exception_fields.items()}
        return ModelError(
            ExceptionKind.TASK, Cause.TASK_FAILED, f"task {task.task_id} failed: {task.error}", fields=fields
        )

    def timed_out(self, message: str) -> ModelError:
        """Return the exception that the contract promises for a wait that outlasts its deadline."""
        promise = self.contract.timeout
        kind = ExceptionKind(promise.kind or ExceptionKind.TRANSPORT)
        name = promise.a_type(LANGUAGE) or ""
        return ModelError(kind, Cause.DEADLINE, message, fields=promise.fields, type_name=name)

    def failure(self, cause: Cause, message: str, answer: Answer | None = None) -> ModelError:
        """Return the exception for a request that brought no task.

        An HTTP error is the API's exception and everything else a transport exception, unless the contract
        accepts neither where faults must surface.
        """
        kind = ExceptionKind.API if cause is Cause.HTTP else ExceptionKind.TRANSPORT
        accepted = accepted_kinds(self.contract)
        if accepted and kind not in accepted:
            kind = accepted[0]
        if answer is None:
            return ModelError(kind, cause, message)
        return ModelError(kind, cause, message, http=answer.http, headers=headers_of(answer))

    def _object(self, answer: Answer) -> dict[str, Json]:
        if not 200 <= answer.http < 300:
            raise self.failure(Cause.HTTP, f"HTTP {answer.http}", answer)
        try:
            return read_object(_decompressed(answer))
        except ValueError as error:
            raise self.failure(Cause.MALFORMED, str(error)) from error

    def _at(self, body: Json, name: str) -> Json:
        place = self._places.get(name)
        return None if place is None else at_path(body, dotted(place))


def accepted_kinds(contract: Contract) -> list[ExceptionKind]:
    """Return the kinds of exception that may surface for a failed poll, none where the contract is silent."""
    found: list[ExceptionKind] = []
    for requirement in contract.requirements:
        if requirement.check == "fault_surfaces":
            found += [ExceptionKind(str(kind)) for kind in requirement.with_.get("kinds", ())]
    return found


def headers_of(answer: Answer) -> dict[str, str]:
    """Return an answer's headers, names in lower case."""
    return {name.lower(): value for name, value in answer.headers.items()}


def _decompressed(answer: Answer) -> bytes:
    if headers_of(answer).get("content-encoding") != "gzip":
        return answer.body
    try:
        return gzip.decompress(answer.body)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"the body is not compressed as it says ({error})") from error


def read_object(body: bytes) -> dict[str, Json]:
    """Return the JSON object that a body holds.

    Raises:
        ValueError: It is something else.
    """
    try:
        # Decoded first: json.loads would guess among UTF-8, 16 and 32, and let lone surrogates through.
        value = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the body is not JSON ({error})") from error
    if not isinstance(value, dict):
        raise ValueError("the body is not an object")  # noqa: TRY004 - the server's mistake, not a caller's
    return value


def set_at(value: Any, steps: list[str], leaf: Json) -> Any:
    """Return `value` with `leaf` at a dotted path; objects and lists are made where there are none."""
    if not steps:
        return leaf
    step, *others = steps
    if step.isdigit():
        items = list(value) if isinstance(value, list) else []
        items += [None] * (int(step) + 1 - len(items))
        items[int(step)] = set_at(items[int(step)], others, leaf)
        return items
    members = dict(value) if isinstance(value, Mapping) else {}
    members[step] = set_at(members.get(step), others, leaf)
    return members


def _signature(secret: str, text: str) -> str:
    return _base64(hmac.digest(secret.encode(), text.encode(), "sha256"))


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
