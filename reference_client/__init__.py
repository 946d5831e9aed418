"""A small SDK of the documented API: what a client that keeps every promise looks like.

`waiting` holds the rule of the wait helper, `wire` the requests and answers; both are without I/O.
`client` (requests) and `aio` (httpx) only carry out what those two decide.
"""

from reference_client.aio import AsyncClient
from reference_client.client import Client
from reference_client.exceptions import (
    StreamApiException,
    StreamException,
    StreamTaskException,
    StreamTransportException,
)
from reference_client.task import Task, TaskError

__all__ = [
    "AsyncClient",
    "Client",
    "StreamApiException",
    "StreamException",
    "StreamTaskException",
    "StreamTransportException",
    "Task",
    "TaskError",
]
