"""What the SDK raises: one base, and one class for each answer to "whose trouble is it?".

The task failed (`StreamTaskException`), the server refused the request (`StreamApiException`), or no answer
came that could be understood (`StreamTransportException`). No exception of an HTTP or JSON library leaves
the SDK except as a `__cause__`. Wrong arguments are a `ValueError`, as everywhere in Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

__all__ = [
    "StreamApiException",
    "StreamException",
    "StreamTaskException",
    "StreamTransportException",
    "TransportErrorType",
]

TransportErrorType = Literal["connection", "malformed_answer", "timeout"]


class StreamException(Exception):
    """Anything the SDK raises about a task or a request."""


class StreamTaskException(StreamException):
    """The task failed on the server.

    Attributes:
        task_id: The failed task.
        error_type: The answer's `error.type`; this and the fields below are None where the answer has none.
        description: The answer's `error.description`.
        stack_trace: The answer's `error.stacktrace`, the server's own.
        version: The answer's `error.version`.

    Source: "failed: raises the SDK's task exception with task_id, error_type, description, stack_trace,
    version".
    """

    def __init__(
        self,
        task_id: str,
        error_type: str | None = None,
        description: str | None = None,
        stack_trace: str | None = None,
        version: str | None = None,
    ) -> None:
        # All arguments go up, so that the exception survives pickling between processes.
        super().__init__(task_id, error_type, description, stack_trace, version)
        self.task_id = task_id
        self.error_type = error_type
        self.description = description
        self.stack_trace = stack_trace
        self.version = version

    def __str__(self) -> str:
        reason = ": ".join(part for part in (self.error_type, self.description) if part)
        return f"task {self.task_id} failed: {reason or 'the server gave no reason'}"


class StreamTransportException(StreamException):
    """No answer came, or none that could be understood; nothing is known of the task's end.

    Attributes:
        error_type: "timeout" (a deadline passed), "connection" (refused, dropped, not HTTP) or
            "malformed_answer" (a 2xx answer that is not the documented body).
        message: What happened, for a person.

    Source: "deadline exceeded: raises the SDK's transport exception with error_type 'timeout'; the task may
    still be running on the server".
    """

    def __init__(self, error_type: TransportErrorType, message: str) -> None:
        super().__init__(error_type, message)
        self.error_type: TransportErrorType = error_type
        self.message = message

    def __str__(self) -> str:
        return f"{self.error_type}: {self.message}"


class StreamApiException(StreamException):
    """The server answered with a status that is not 2xx.

    Attributes:
        status_code: The HTTP status.
        code: The API's own number of the error, None where the body gives none.
        message: The API's message, else the beginning of whatever the body was.
        more_info: A link to read on, None where the body gives none.
        details: The API's list of details, empty where the body gives none.
    """

    def __init__(
        self,
        status_code: int,
        code: int | None,
        message: str,
        more_info: str | None = None,
        details: Sequence[Any] = (),
    ) -> None:
        super().__init__(status_code, code, message, more_info, details)
        self.status_code = status_code
        self.code = code
        self.message = message
        self.more_info = more_info
        self.details = details

    def __str__(self) -> str:
        number = "" if self.code is None else f", code {self.code}"
        return f"HTTP {self.status_code}{number}: {self.message}"
