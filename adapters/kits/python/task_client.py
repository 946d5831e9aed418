"""A small correct client on the standard library: what the adapter beside it calls.

It stands in for your SDK until you change `adapter.py`. What the API looks like is in `api.json`. A
connection is kept between the polls of a wait; the deadline bounds every byte of every poll.
"""

from __future__ import annotations

import base64
import hmac
import http.client
import json
import math
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

API: dict[str, Any] = json.loads(Path(__file__).with_name("api.json").read_text(encoding="utf-8"))
REQUEST_TIMEOUT_S = 60.0
LAST_POLL_S = 0.05  # what a poll at the deadline may take: it has no time left, yet needs some to be answered


class TaskError(Exception):
    """The task failed; `fields` has what the API documents of it.

    Every argument goes to the base class, here and below: pickle makes the copy with what that has got.
    """

    def __init__(self, task_id: Any, fields: dict[str, Any], error: Any) -> None:
        """Keep what the server said of it."""
        self.task_id = task_id
        self.fields = fields
        self.error = error
        super().__init__(task_id, fields, error)

    def __str__(self) -> str:
        """Return the message."""
        return f"task {self.task_id} failed: {self.error}"


class TransportError(Exception):
    """No answer, or none that is a task; `error_type` is timeout, connection or malformed_answer."""

    def __init__(self, error_type: str, message: str) -> None:
        """Keep why there was no answer."""
        self.error_type = error_type
        self.message = message
        super().__init__(error_type, message)

    def __str__(self) -> str:
        """Return the message."""
        return self.message


class ApiError(Exception):
    """An HTTP error."""

    def __init__(self, status_code: int, message: str) -> None:
        """Keep the status."""
        self.status_code = status_code
        self.message = message
        super().__init__(status_code, message)

    def __str__(self) -> str:
        """Return the message."""
        return f"HTTP {self.status_code}: {self.message}"


class Client:
    """A client of one application; any number of threads may use it at once."""

    def __init__(self, api_key: str, api_secret: str, base_url: str) -> None:
        """Remember where the API is and what lets us in."""
        self._host = urlsplit(base_url).netloc
        known = {"key": api_key, "secret": api_secret, "token": _token(api_secret)}
        self._headers = {name: known[kind] for name, kind in API["headers"].items()}
        self._query = urlencode({name: known[kind] for name, kind in API["query"].items()})

    def wait_for_task(
        self,
        task_id: Any,
        *,
        poll_interval: float | None = None,
        timeout: float | None = API["wait_timeout"],
        max_polls: int | None = API["max_polls"],
    ) -> Any:
        """Poll at once and then a pause after each answer, and return the result payload."""
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        connection = _Connection(self._host)
        try:
            for polls, pause_s in enumerate(_pauses(poll_interval), 1):
                left_s = deadline - time.monotonic()
                limit_s = REQUEST_TIMEOUT_S if timeout is None else max(left_s, LAST_POLL_S)
                task = self._get_task(connection, task_id, limit_s)
                if task["status"] in API["done"]:
                    return task["returned"]
                if task["status"] in API["failed"]:
                    raise TaskError(task["task_id"], task["fields"], task["error"])
                left_s = deadline - time.monotonic()
                if left_s <= 0 or polls == max_polls:
                    message = f"task {task_id} is {task['status']} after {timeout} s, {polls} polls"
                    raise TransportError("timeout", message)
                time.sleep(min(pause_s, left_s))
        finally:
            connection.close()

    def get_task(self, task_id: Any) -> dict[str, Any]:
        """Ask for the task once."""
        connection = _Connection(self._host)
        try:
            task = self._get_task(connection, task_id, REQUEST_TIMEOUT_S)
            return {name: task[name] for name in ("task_id", "status", "result", "error")}
        finally:
            connection.close()

    def begin(self, operation: str, arguments: dict[str, Any]) -> Any:
        """Begin an operation and return the task's id; an SDK has a method for each of them."""
        known = API["operations"][operation]
        path, body, named = known["path"], arguments, at(arguments, known["from"])
        if "{token}" in path:
            path, body = path.replace("{token}", quote(str(named), safe="")), {}
        elif known["to"]:
            more = nested(known["to"], named)
            body = {**arguments, **more} if isinstance(more, dict) else more
        connection = _Connection(self._host)
        try:
            text = json.dumps(body) if body else None
            answer = self._request(connection, known["method"], path, text, REQUEST_TIMEOUT_S)
            return at(answer, known["task_id"])
        finally:
            connection.close()

    def _get_task(self, connection: _Connection, task_id: Any, timeout_s: float) -> dict[str, Any]:
        path = API["poll"]["path"].replace("{task_id}", quote(str(task_id), safe=""))
        answer = self._request(connection, API["poll"]["method"], path, None, timeout_s)
        task = {name: at(answer, place) if place else None for name, place in API["paths"].items()}
        if not isinstance(task["status"], str):
            raise TransportError("malformed_answer", "the answer has no status")
        if task["task_id"] is None:
            task["task_id"] = task_id
        task["fields"] = {name: at(answer, place) for name, place in API["exception_fields"].items()}
        return task

    def _request(
        self, connection: _Connection, method: str, path: str, body: str | None, timeout_s: float
    ) -> dict[str, Any]:
        target = f"{path}?{self._query}" if self._query else path
        headers = {**self._headers, **({"Content-Type": "application/json"} if body else {})}
        status, text = connection.exchange(method, target, body, headers, timeout_s)
        if not 200 <= status < 300:
            raise ApiError(status, text[:200].decode("utf-8", "replace"))
        try:
            answer = json.loads(text.decode("utf-8"))
        except ValueError as error:
            raise TransportError("malformed_answer", f"the answer is not JSON: {error}") from error
        if not isinstance(answer, dict):
            raise TransportError("malformed_answer", "the answer is not an object")
        return answer


def _pauses(poll_interval: float | None) -> Iterator[float]:
    """Yield how long to pause after each poll: the interval that was passed, else what the API has."""
    known = API["pauses"]
    pause_s = known["first"] if poll_interval is None else poll_interval
    while True:
        yield pause_s
        if poll_interval is None:
            pause_s = min(pause_s * known["times"] + known["add"], known["most"])


def at(value: Any, path: str) -> Any:
    """Return what is at a dotted path, None if there is nothing; "*" is the value itself."""
    for step in path.split(".") if path not in {"", "*"} else ():
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def nested(path: str, leaf: Any) -> Any:
    """Return an object, or a list, that has `leaf` at a dotted path and nothing else."""
    for step in reversed(path.split(".")):
        leaf = [leaf] if step.isdigit() else {step: leaf}
    return leaf


class _Connection:
    """One connection, opened when it is needed and again when the server has closed it between two polls."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._http: http.client.HTTPConnection | None = None

    def exchange(
        self, method: str, target: str, body: str | None, headers: dict[str, str], timeout_s: float
    ) -> tuple[int, bytes]:
        deadline = time.monotonic() + timeout_s
        if self._http is not None and self._was_closed(self._http):
            self.close()
        if self._http is None:
            self._http = http.client.HTTPConnection(self._host, timeout=timeout_s)
        try:
            if self._http.sock is not None:
                self._http.sock.settimeout(timeout_s)
            self._http.request(method, target, body, headers)
            return self._read(self._http, deadline)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            is_late = isinstance(error, socket.timeout)
            raise TransportError("timeout" if is_late else "connection", repr(error)) from error

    def _read(self, connection: http.client.HTTPConnection, deadline: float) -> tuple[int, bytes]:
        sock = connection.sock
        sock.settimeout(max(deadline - time.monotonic(), 0.001))
        response = connection.getresponse()
        parts = []
        while True:
            sock.settimeout(max(deadline - time.monotonic(), 0.001))
            part = response.read1(65536)
            if not part:
                break
            parts.append(part)
        if response.length:  # read1 does not mind an answer that breaks off
            raise http.client.IncompleteRead(b"".join(parts), response.length)
        response.close()  # the connection is free for the next poll
        if response.will_close:
            self.close()
        return response.status, b"".join(parts)

    @staticmethod
    def _was_closed(connection: http.client.HTTPConnection) -> bool:
        """Say whether the server has closed the connection while nobody was looking."""
        if connection.sock is None:
            return True
        connection.sock.setblocking(False)
        try:
            return connection.sock.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def close(self) -> None:
        if self._http is not None:
            self._http.close()
            self._http = None


def _token(secret: str) -> str:
    """Return a JSON Web Token (HS256) that lets a server act for the application."""

    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    signed = part(b'{"alg":"HS256","typ":"JWT"}') + "." + part(b'{"server":true}')
    return signed + "." + part(hmac.new(secret.encode(), signed.encode(), "sha256").digest())
