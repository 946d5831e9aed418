"""A small correct client of the task API on the standard library: what the adapter beside it calls.

It stands in for your SDK until you change `adapter.py`. A connection is kept between the polls of a wait;
the deadline bounds every byte of every poll.
"""

from __future__ import annotations

import base64
import hmac
import http.client
import json
import socket
import time
from typing import Any
from urllib.parse import quote, urlsplit

REQUEST_TIMEOUT_S = 60.0
LAST_POLL_S = 0.05  # what a poll at the deadline may take: it has no time left, yet needs some to be answered


class TaskError(Exception):
    """The task failed."""

    def __init__(self, task: dict[str, Any]) -> None:
        """Keep what the server said of it."""
        error = task.get("error")
        error = error if isinstance(error, dict) else {"description": error}  # a worker may leave a text
        self.task_id = task["task_id"]
        self.error_type = error.get("type")
        self.description = error.get("description")
        self.stack_trace = error.get("stacktrace")
        self.version = error.get("version")
        super().__init__(f"task {self.task_id} failed: {self.error_type}: {self.description}")


class TransportError(Exception):
    """No answer, or none that is a task; `error_type` is timeout, connection or malformed_answer."""

    def __init__(self, error_type: str, message: str) -> None:
        """Keep why there was no answer."""
        self.error_type = error_type
        super().__init__(message)


class ApiError(Exception):
    """An HTTP error."""

    def __init__(self, status_code: int, message: str) -> None:
        """Keep the status."""
        self.status_code = status_code
        self.message = message
        super().__init__(f"HTTP {status_code}: {message}")


class Client:
    """A client of one application; any number of threads may use it at once."""

    def __init__(self, api_key: str, api_secret: str, base_url: str) -> None:
        """Remember where the API is and what lets us in."""
        self._host = urlsplit(base_url).netloc
        self._api_key = api_key
        self._headers = {"Authorization": _token(api_secret), "Stream-Auth-Type": "jwt"}

    def wait_for_task(self, task_id: str, *, poll_interval: float = 1.0, timeout: float = 60.0) -> Any:
        """Poll at once and then an interval after each answer, and return the result payload."""
        deadline = time.monotonic() + timeout
        connection = _Connection(self._host)
        try:
            while True:
                left_s = deadline - time.monotonic()
                task = self._get_task(connection, task_id, max(left_s, LAST_POLL_S))
                if task["status"] == "completed":
                    return task.get("result")
                if task["status"] == "failed":
                    raise TaskError(task)
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    raise TransportError("timeout", f"task {task_id} is {task['status']} after {timeout} s")
                time.sleep(min(poll_interval, left_s))
        finally:
            connection.close()

    def get_task(self, task_id: str) -> dict[str, Any]:
        """Ask for the task once."""
        connection = _Connection(self._host)
        try:
            return self._get_task(connection, task_id, REQUEST_TIMEOUT_S)
        finally:
            connection.close()

    def delete_channels(self, cids: list[str], hard_delete: bool = False) -> str:
        """Begin to delete channels and return the task's id."""
        return self._begin("/api/v2/chat/channels/delete", {"cids": cids, "hard_delete": hard_delete})

    def export_channels(self, cids: list[str]) -> str:
        """Begin to export channels and return the task's id."""
        return self._begin("/api/v2/chat/export_channels", {"channels": [{"cid": cid} for cid in cids]})

    def export_users(self, user_ids: list[str]) -> str:
        """Begin to export users and return the task's id."""
        return self._begin("/api/v2/export/users", {"user_ids": user_ids})

    def delete_users(self, user_ids: list[str]) -> str:
        """Begin to delete users and return the task's id."""
        return self._begin("/api/v2/users/delete", {"user_ids": user_ids, "user": "hard"})

    def _get_task(self, connection: _Connection, task_id: str, timeout_s: float) -> dict[str, Any]:
        target = f"/api/v2/tasks/{quote(task_id, safe='')}"
        task = self._request(connection, "GET", target, None, timeout_s)
        if not isinstance(task.get("status"), str):
            raise TransportError("malformed_answer", "the answer has no status")
        return {"task_id": task_id, **task}

    def _begin(self, path: str, body: dict[str, Any]) -> str:
        connection = _Connection(self._host)
        try:
            return self._request(connection, "POST", path, json.dumps(body), REQUEST_TIMEOUT_S)["task_id"]
        finally:
            connection.close()

    def _request(
        self, connection: _Connection, method: str, path: str, body: str | None, timeout_s: float
    ) -> dict[str, Any]:
        target = f"{path}?api_key={quote(self._api_key)}"
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
