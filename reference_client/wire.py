"""The API on the wire: how each request is written and how each answer is read, without sending anything.

Both clients use it, so they cannot differ in a path, a header or the reading of a body.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from reference_client.exceptions import StreamApiException, StreamTransportException, TransportErrorType
from reference_client.task import Task, TaskError

__all__ = [
    "REQUEST_TIMEOUT_S",
    "Answer",
    "Api",
    "Request",
    "no_answer",
    "read_task",
    "read_task_id",
    "transport_failure",
]

_Value = TypeVar("_Value")

# For requests that no wait's deadline bounds; as long as a whole wait by default.
REQUEST_TIMEOUT_S = 60.0

_CLIENT_NAME = "waitproof-reference-client-0.1.0"
# Enough of a page that is no JSON to recognise whose it is.
_EXCERPT_BYTES = 200


@dataclass(frozen=True)
class Request:
    """One request, ready to be sent.

    Attributes:
        method: "GET" or "POST".
        path: The escaped path alone, fit for messages: it has no query.
        url: The whole address.
        headers: All headers that the API asks for.
        body: A JSON text, None where there is none.
    """

    method: str
    path: str
    url: str
    headers: dict[str, str]
    body: bytes | None = None


@dataclass(frozen=True)
class Answer:
    """One answer: its HTTP status and its whole body, decompressed."""

    status_code: int
    body: bytes


class Api:
    """Writes the requests of one application.

    Args:
        api_key: Goes into every query.
        api_secret: Signs the token; it never leaves the machine.
        base_url: Scheme, host and port, with or without a slash at the end.
    """

    def __init__(self, api_key: str, api_secret: str, base_url: str) -> None:
        self._base_url = base_url.rstrip("/")
        self._query = urlencode({"api_key": api_key})
        self._headers = {
            "Accept-Encoding": "gzip",
            "Authorization": _server_token(api_secret),
            "Stream-Auth-Type": "jwt",
            "X-Stream-Client": _CLIENT_NAME,
        }

    def get_task(self, task_id: str) -> Request:
        """Ask for one task.

        Raises:
            ValueError: No escape makes this id a part of a path: every HTTP library drops "." and "..".
        """
        if task_id in ("", ".", ".."):
            raise ValueError(f"{task_id!r} is not a task id")
        return self._request("GET", f"/api/v2/tasks/{quote(task_id, safe='')}")

    def delete_channels(self, cids: Sequence[str], *, hard_delete: bool) -> Request:
        """Begin to delete channels."""
        return self._post("/api/v2/chat/channels/delete", {"cids": [*cids], "hard_delete": hard_delete})

    def export_channels(self, cids: Sequence[str]) -> Request:
        """Begin to export channels."""
        return self._post("/api/v2/chat/export_channels", {"channels": [{"cid": cid} for cid in cids]})

    def export_users(self, user_ids: Sequence[str]) -> Request:
        """Begin to export users."""
        return self._post("/api/v2/export/users", {"user_ids": [*user_ids]})

    def delete_users(self, user_ids: Sequence[str]) -> Request:
        """Begin to delete users with their messages and conversations."""
        everything = {"user": "hard", "messages": "hard", "conversations": "hard"}
        return self._post("/api/v2/users/delete", {"user_ids": [*user_ids], **everything})

    def _post(self, path: str, body: dict[str, Any]) -> Request:
        return self._request("POST", path, json.dumps(body).encode())

    def _request(self, method: str, path: str, body: bytes | None = None) -> Request:
        headers = self._headers if body is None else {**self._headers, "Content-Type": "application/json"}
        return Request(method, path, f"{self._base_url}{path}?{self._query}", headers, body)


def read_task(task_id: str, request: Request, answer: Answer) -> Task:
    """Return the task that the answer tells; `task_id` is the one asked for.

    Raises:
        StreamApiException: The status is not 2xx.
        StreamTransportException: error_type "malformed_answer": the body is not a task.
    """

    def build(body: dict[str, Any]) -> Task:
        return Task(
            task_id=_optional_text(body, "task_id") or task_id,
            status=_text(body, "status"),
            result=body.get("result"),
            error=_task_error(body.get("error")),
        )

    return _read(request, answer, build)


def read_task_id(request: Request, answer: Answer) -> str:
    """Return the id of the task that a batch operation began.

    Raises:
        StreamApiException: The status is not 2xx.
        StreamTransportException: error_type "malformed_answer": the body names no task.
    """
    return _read(request, answer, lambda body: _text(body, "task_id"))


def transport_failure(
    error_type: TransportErrorType, request: Request, what: str
) -> StreamTransportException:
    """Return the exception that says what became of a request."""
    return StreamTransportException(error_type, f"{request.method} {request.path}: {what}")


def no_answer(request: Request, timeout_s: float) -> StreamTransportException:
    """Return the exception for a request that was cut off when its time was up."""
    what = f"no complete answer within {timeout_s:.3g} s; the task may still be running on the server"
    return transport_failure("timeout", request, what)


def _server_token(api_secret: str) -> str:
    """Return a JSON Web Token (HS256) that lets a server act for the application."""

    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    signed = part(b'{"alg":"HS256","typ":"JWT"}') + "." + part(b'{"server":true}')
    return signed + "." + part(hmac.digest(api_secret.encode(), signed.encode(), "sha256"))


def _read(request: Request, answer: Answer, build: Callable[[dict[str, Any]], _Value]) -> _Value:
    """Return what `build` makes of the body; a ValueError of its becomes a malformed answer."""
    if not 200 <= answer.status_code < 300:
        raise _api_exception(answer)
    try:
        return build(_read_object(answer.body))
    except ValueError as error:
        what = f"HTTP {answer.status_code}, but {error}: {_excerpt(answer)}"
        raise transport_failure("malformed_answer", request, what) from error


def _read_object(body: bytes) -> dict[str, Any]:
    try:
        # Decoded first: json.loads would guess among UTF-8, 16 and 32, and let lone surrogates through.
        value = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the body is not JSON ({error})") from error
    if not isinstance(value, dict):
        raise ValueError("the body is not an object")  # noqa: TRY004  # the server's mistake, not a caller's
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _task_error(error: object) -> TaskError | None:
    if error is None:
        return None
    if not isinstance(error, dict):
        raise ValueError("its error is not an object")  # noqa: TRY004  # the server's mistake, not a caller's
    return TaskError(
        error_type=_optional_text(error, "type"),
        description=_optional_text(error, "description"),
        stack_trace=_optional_text(error, "stacktrace"),
        version=_optional_text(error, "version"),
    )


def _text(fields: dict[str, Any], name: str) -> str:
    value = _optional_text(fields, name)
    if value is None:
        raise ValueError(f"it has no {name}")
    return value


def _optional_text(fields: dict[str, Any], name: str) -> str | None:
    value = fields.get(name)
    if value is None or isinstance(value, str):
        return value
    raise ValueError(f"its {name} is not a string")


def _api_exception(answer: Answer) -> StreamApiException:
    try:
        fields = _read_object(answer.body)
    except ValueError:
        fields = {}  # whatever stands between the server and us may answer too, with a page of its own
    code, message, more_info, details = (fields.get(k) for k in ("code", "message", "more_info", "details"))
    return StreamApiException(
        answer.status_code,
        code if isinstance(code, int) else None,
        message if isinstance(message, str) else _excerpt(answer),
        more_info if isinstance(more_info, str) else None,
        details if isinstance(details, list) else [],
    )


def _excerpt(answer: Answer) -> str:
    return answer.body[:_EXCERPT_BYTES].decode("utf-8", errors="replace") or "(no body)"
