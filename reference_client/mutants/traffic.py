"""Mutants of requests and answers: endpoints, credentials, operations, faults, connections."""

# ruff: noqa: ARG002 - what a variant is given and does not use is what makes it one

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from reference_client import wire
from reference_client.client import Client
from reference_client.exceptions import StreamApiException, StreamTaskException, StreamTransportException
from reference_client.mutants.transports import HttpClientTransport
from reference_client.mutants.variant import Ending, Steps, altered, kills
from reference_client.task import Task

__all__: list[str] = []


def _same(value: Any) -> Any:
    return value


# --- the helper and its endpoint ----------------------------------------------------------------------


@kills("ships-wait-helper", capabilities={"wait": False})
class IsMissing(Client):
    """Ships no helper."""


@kills("ships-wait-helper")
class IsAStub(Client):
    """Ships a helper that is not implemented."""

    def wait_for_task(self, task_id: str, **options: Any) -> Any:
        raise NotImplementedError("wait_for_task")


@kills("polls-task-status-endpoint")
class AsksForSettings(Client):
    """Asks for the application's settings after its first poll."""

    def _steps(self, task_id: str, poll_interval: float, timeout: float) -> Steps:
        asked: list[str] = []

        def and_settings(task: Task) -> Task:
            if not asked:
                asked.append(task_id)
                poll = self._api.get_task(task_id)
                self._send(
                    wire.Request(
                        "GET", "/api/v2/app", poll.url.replace(poll.path, "/api/v2/app"), poll.headers
                    ),
                    wire.REQUEST_TIMEOUT_S,
                )
            return task

        return altered(super()._steps(task_id, poll_interval, timeout), _same, and_settings, _same)


class _OtherRequest(Client):
    method = "GET"
    before, after = "/tasks/", "/tasks/"

    def _send(self, request: wire.Request, timeout_s: float) -> wire.Answer:
        if "/tasks/" in request.path:
            request = dataclasses.replace(
                request, method=self.method, url=request.url.replace(self.before, self.after)
            )
        return super()._send(request, timeout_s)


@kills("polls-task-status-endpoint")
class OldPath(_OtherRequest):
    """Asks at the path of an older API."""

    before, after = "/api/v2/tasks/", "/tasks/"


@kills("polls-task-status-endpoint")
class Posts(_OtherRequest):
    """Asks with POST."""

    method = "POST"


@kills("task-id-is-escaped", ending=Ending.RECORDED)
class IsNot(Client):
    """Puts the task id into the path as it is."""

    def _get_task(self, task_id: str, timeout_s: float) -> Task:
        asked = self._api.get_task(task_id)
        plain = task_id.replace(" ", "%20").encode("ascii", "ignore").decode()
        request = dataclasses.replace(asked, url=asked.url.replace(asked.path, f"/api/v2/tasks/{plain}"))
        return wire.read_task(task_id, request, self._send(request, timeout_s))


class _FromTheSecondPoll(Client):
    def _steps(self, task_id: str, poll_interval: float, timeout: float) -> Steps:
        polls: list[Task] = []

        def counted(task: Task) -> Task:
            polls.append(task)
            return task

        self._polls = polls
        return altered(super()._steps(task_id, poll_interval, timeout), _same, counted, _same)

    def _send(self, request: wire.Request, timeout_s: float) -> wire.Answer:
        if getattr(self, "_polls", None):
            request = self.on_request(request)
        return super()._send(request, timeout_s)

    def on_request(self, request: wire.Request) -> wire.Request:
        return request


def _without(request: wire.Request, header: str) -> wire.Request:
    headers = {name: value for name, value in request.headers.items() if name != header}
    return dataclasses.replace(request, headers=headers)


@kills("polls-carry-credentials")
class OnlyTheFirst(_FromTheSecondPoll):
    """Sends its token with the first poll alone."""

    def on_request(self, request: wire.Request) -> wire.Request:
        return _without(request, "Authorization")


@kills("polls-carry-credentials")
class WithoutKey(_FromTheSecondPoll):
    """Sends its key with the first poll alone."""

    def on_request(self, request: wire.Request) -> wire.Request:
        return dataclasses.replace(request, url=request.url.partition("?")[0])


@kills("polls-carry-credentials")
class WithoutAuthType(_FromTheSecondPoll):
    """Says with the first poll alone what kind of token it has."""

    def on_request(self, request: wire.Request) -> wire.Request:
        return _without(request, "Stream-Auth-Type")


# --- operations and looks by hand ---------------------------------------------------------------------


class _Operations(Client):
    def _begin(self, request: wire.Request) -> Any:
        return self.on_id(super()._begin(request))

    def on_id(self, task_id: str) -> Any:
        return task_id


@kills("operation-returns-task-id")
class Shortened(_Operations):
    """Returns the first part of the task id."""

    def on_id(self, task_id: str) -> Any:
        return task_id.partition("-")[0]


@kills("operation-returns-task-id")
class Capitals(_Operations):
    """Returns the task id in capitals."""

    def on_id(self, task_id: str) -> Any:
        return task_id.upper()


@kills("operation-returns-task-id")
class NoId(_Operations):
    """Returns nothing when it has begun an operation."""

    def on_id(self, task_id: str) -> Any:
        return None


@kills("operation-returns-task-id")
class DurationInstead(_Operations):
    """Returns how long the request took."""

    def on_id(self, task_id: str) -> Any:
        return "1.20ms"


@kills("similar-operation-returns-task-id", "no-id")
class _DeletesUsersSilently(Client):
    """Returns nothing when it has begun to delete users."""

    def delete_users(self, user_ids: Sequence[str]) -> Any:
        super().delete_users(user_ids)


@kills("similar-operation-returns-task-id", "the-users-id")
class _ReturnsTheUser(Client):
    """Returns the id of the first user that it deletes."""

    def delete_users(self, user_ids: Sequence[str]) -> Any:
        super().delete_users(user_ids)
        return user_ids[0]


@kills(
    "similar-operation-returns-task-id",
    "is-missing",
    capabilities={"operations": ["delete_channels", "export_channels", "export_users"]},
)
class _CannotDeleteUsers(Client):
    """Cannot delete users."""


@kills("get-task-is-one-request")
class Twice(Client):
    """Asks twice when it looks at a task."""

    def get_task(self, task_id: str) -> Task:
        super().get_task(task_id)
        return super().get_task(task_id)


@kills("get-task-is-one-request")
class RaisesForAFailedTask(Client):
    """Raises when it looks at a task that has failed."""

    def get_task(self, task_id: str) -> Task:
        task = super().get_task(task_id)
        if task.status == "failed":
            raise StreamTaskException(task_id)
        return task


@kills("get-task-is-one-request")
class UnknownIsRunning(Client):
    """Says of a status that it does not know that the task is running."""

    def get_task(self, task_id: str) -> Task:
        task = super().get_task(task_id)
        known = ("waiting", "pending", "running", "completed", "failed")
        return task if task.status in known else dataclasses.replace(task, status="running")


@kills("get-task-is-one-request")
class Remembers(Client):
    """Looks at a task once, and shows the same when it is asked again."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._seen: dict[str, Task] = {}

    def get_task(self, task_id: str) -> Task:
        if task_id not in self._seen:
            self._seen[task_id] = super().get_task(task_id)
        return self._seen[task_id]


# --- faults -------------------------------------------------------------------------------------------


def _going_on(task_id: str) -> Task:
    return Task(task_id, "running")


class _Swallowing(Client):
    """A client that takes some answers for "not yet"; only in a wait, where a deadline ends it."""

    def _get_task(self, task_id: str, timeout_s: float) -> Task:
        try:
            return super()._get_task(task_id, timeout_s)
        except (StreamApiException, StreamTransportException) as error:
            if self.swallows(error):
                return _going_on(task_id)
            raise

    def swallows(self, error: StreamApiException | StreamTransportException) -> bool:
        return False


@kills("server-error-surfaces")
class Swallows500(_Swallowing):
    """Polls over a lasting 500 until its deadline."""

    def swallows(self, error: StreamApiException | StreamTransportException) -> bool:
        return isinstance(error, StreamApiException) and error.status_code >= 500


@kills("server-error-surfaces")
class Swallows404(_Swallowing):
    """Takes a task that the server does not know for one that has not begun."""

    def swallows(self, error: StreamApiException | StreamTransportException) -> bool:
        return isinstance(error, StreamApiException) and error.status_code == 404


@kills("server-error-surfaces")
class Swallows401(_Swallowing):
    """Polls on when its credentials are refused."""

    def swallows(self, error: StreamApiException | StreamTransportException) -> bool:
        return isinstance(error, StreamApiException) and error.status_code == 401


@kills("server-error-surfaces")
class Swallows403(_Swallowing):
    """Polls on when it may not see the task."""

    def swallows(self, error: StreamApiException | StreamTransportException) -> bool:
        return isinstance(error, StreamApiException) and error.status_code == 403


@kills("server-error-surfaces")
class Swallows503(_Swallowing):
    """Polls over a lasting 503 until its deadline."""

    def swallows(self, error: StreamApiException | StreamTransportException) -> bool:
        return isinstance(error, StreamApiException) and error.status_code in (503, 504)


@kills("server-error-surfaces")
class OnlyReadsTheBody(Client):
    """Reads an answer's body whatever its HTTP status."""

    def _send(self, request: wire.Request, timeout_s: float) -> wire.Answer:
        return dataclasses.replace(super()._send(request, timeout_s), status_code=200)


@kills("server-error-surfaces")
class AsTransport(Client):
    """Raises its transport exception for a 500."""

    def _get_task(self, task_id: str, timeout_s: float) -> Task:
        try:
            return super()._get_task(task_id, timeout_s)
        except StreamApiException as error:
            if error.status_code < 500:
                raise
            raise StreamTransportException("connection", str(error)) from error


@kills("malformed-answer-surfaces")
class TakenForNotYet(_Swallowing):
    """Takes an answer that it cannot read for "not yet"."""

    def swallows(self, error: StreamApiException | StreamTransportException) -> bool:
        return isinstance(error, StreamTransportException) and error.error_type == "malformed_answer"


@kills("malformed-answer-surfaces")
class JsonErrorLeaks(Client):
    """Raises the bare error of its JSON library."""

    def _get_task(self, task_id: str, timeout_s: float) -> Task:
        try:
            return super()._get_task(task_id, timeout_s)
        except StreamTransportException as error:
            if error.error_type == "malformed_answer" and error.__cause__ is not None:
                raise error.__cause__  # noqa: B904 - the leak is the point
            raise


@kills("malformed-answer-surfaces")
class NoStatusIsNotYet(Client):
    """Takes a task without a status for one that is pending."""

    def _send(self, request: wire.Request, timeout_s: float) -> wire.Answer:
        answer = super()._send(request, timeout_s)
        try:
            body = wire._read_object(answer.body)  # noqa: SLF001 - what wire will read
        except ValueError:
            return answer
        if "/tasks/" not in request.path or isinstance(body.get("status"), str):
            return answer
        return dataclasses.replace(answer, body=json.dumps({**body, "status": "pending"}).encode())


@kills("malformed-answer-surfaces")
class ListsAreTasks(Client):
    """Takes the first of a list for the task."""

    def _send(self, request: wire.Request, timeout_s: float) -> wire.Answer:
        answer = super()._send(request, timeout_s)
        body = answer.body
        return dataclasses.replace(answer, body=body[1:-1]) if body[:1] == b"[" else answer


@kills("dropped-connection-surfaces-as-transport")
class RetriedForEver(_Swallowing):
    """Polls on whenever a connection was dropped."""

    def swallows(self, error: StreamApiException | StreamTransportException) -> bool:
        return isinstance(error, StreamTransportException) and error.error_type == "connection"


@kills("dropped-connection-surfaces-as-transport")
class Leaks(Client):
    """Raises the bare error of a dropped connection."""

    def _get_task(self, task_id: str, timeout_s: float) -> Task:
        try:
            return super()._get_task(task_id, timeout_s)
        except StreamTransportException as error:
            if error.error_type == "connection":
                raise ConnectionError(error.message) from error
            raise


@kills("dropped-connection-surfaces-as-transport")
class AsApi(Client):
    """Raises its API exception for a dropped connection."""

    def _get_task(self, task_id: str, timeout_s: float) -> Task:
        try:
            return super()._get_task(task_id, timeout_s)
        except StreamTransportException as error:
            if error.error_type == "connection":
                raise StreamApiException(0, None, error.message) from error
            raise


class _RetryingOnce(Client):
    """A client that repeats a poll after some faults, once each."""

    def _get_task(self, task_id: str, timeout_s: float) -> Task:
        try:
            return super()._get_task(task_id, timeout_s)
        except (StreamApiException, StreamTransportException) as error:
            if not self.repeats(error):
                raise
        return super()._get_task(task_id, timeout_s)

    def repeats(self, error: StreamApiException | StreamTransportException) -> bool:
        return False


@kills("retries-on-429", ending=Ending.RECORDED)
class TriesAgain(_Swallowing):
    """Polls on when it met the rate limit."""

    def swallows(self, error: StreamApiException | StreamTransportException) -> bool:
        return isinstance(error, StreamApiException) and error.status_code == 429


@kills("retries-on-5xx", ending=Ending.RECORDED, defect="tries-again")
class _TriesAgain(_RetryingOnce):
    """Polls again at once, and once, after a server error."""

    def repeats(self, error: StreamApiException | StreamTransportException) -> bool:
        return isinstance(error, StreamApiException) and error.status_code >= 500


@kills("repeats-dropped-polls", ending=Ending.RECORDED)
class AtOnce(_RetryingOnce):
    """Repeats a poll at once, and once, when its connection was dropped."""

    def repeats(self, error: StreamApiException | StreamTransportException) -> bool:
        return isinstance(error, StreamTransportException) and error.error_type == "connection"


# --- connections --------------------------------------------------------------------------------------


class _Naive(Client):
    """A client whose HTTP library does not see that the server has closed a connection."""

    def __init__(self, *args: Any, transport: Any = None, **options: Any) -> None:
        super().__init__(*args, transport=transport or HttpClientTransport(), **options)


@kills("survives-idle-close", blind=True)
class BlindToCloses(_Naive):
    """Sends its next poll on a connection that the server has closed."""


@kills("survives-idle-close", blind=True)
class OneRepair(_Naive):
    """Mends a closed connection once, and not twice."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._has_mended = False

    def _send(self, request: wire.Request, timeout_s: float) -> wire.Answer:
        try:
            return super()._send(request, timeout_s)
        except StreamTransportException as error:
            if self._has_mended or error.error_type != "connection":
                raise
        self._has_mended = True
        return super()._send(request, timeout_s)


@kills("reuses-connection", ending=Ending.RECORDED)
class OneEach(Client):
    """Opens a connection for each request."""

    def _send(self, request: wire.Request, timeout_s: float) -> wire.Answer:
        headers = {**request.headers, "Connection": "close"}
        return super()._send(dataclasses.replace(request, headers=headers), timeout_s)


# --- waits at once ------------------------------------------------------------------------------------


@kills("waits-are-independent")
class TheLatestWins(Client):
    """Remembers one task for all its waits."""

    def wait_for_task(self, task_id: str, **options: Any) -> Any:
        self._task_id = task_id
        return super().wait_for_task(task_id, **options)

    def _get_task(self, task_id: str, timeout_s: float) -> Task:
        return super()._get_task(getattr(self, "_task_id", task_id), timeout_s)


@kills("waits-are-independent")
class OneAfterAnother(Client):
    """Lets one wait begin when another has ended."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._waiting: list[str] = []

    def wait_for_task(self, task_id: str, **options: Any) -> Any:
        self._waiting.append(task_id)
        while self._waiting[0] != task_id:
            self._transport.sleep(0.01)
        try:
            return super().wait_for_task(task_id, **options)
        finally:
            del self._waiting[0]


@kills("waits-are-independent")
class OneResult(Client):
    """Keeps one result for all its waits, and reads it a moment later."""

    def wait_for_task(self, task_id: str, **options: Any) -> Any:
        self._result = super().wait_for_task(task_id, **options)
        self._transport.sleep(0.005)
        return self._result
