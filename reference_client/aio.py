"""The asynchronous client, over httpx: the same names, parameters and rule as the synchronous one."""

from __future__ import annotations

import asyncio
import functools
import ssl
import time
from collections.abc import Generator, Sequence
from types import TracebackType
from typing import Any, Protocol, Self

import httpx

from reference_client import wire
from reference_client.task import Task
from reference_client.waiting import DEFAULT_POLL_INTERVAL_S, DEFAULT_TIMEOUT_S, Poll, Sleep, wait_steps

__all__ = ["AsyncClient", "AsyncTransport", "HttpxTransport"]

# No wait may queue for another's connection: that would count against its deadline. As many as the
# synchronous client keeps are kept, for a minute: longer than any sensible interval.
_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=60.0)


class AsyncTransport(Protocol):
    """All that a client does to the world, so that another world can be put in its place."""

    def now(self) -> float:
        """Return the time of a monotonic clock, in seconds."""

    async def sleep(self, seconds: float) -> None:
        """Do nothing for so long."""

    async def send(self, request: wire.Request, timeout_s: float) -> wire.Answer:
        """Exchange a request for its answer within `timeout_s`.

        Raises:
            StreamTransportException: No answer came, or none that could be read.
        """

    async def close(self) -> None:
        """Close the connections that were opened."""


class AsyncClient:
    """A client of one application, for any number of tasks of one event loop at once.

    Every method sends one request (`wait_for_task`: one at a time) and never repeats it by itself. Each can
    raise `StreamApiException` (a status that is not 2xx) and `StreamTransportException`.

    Args:
        api_key: The application's key.
        api_secret: The application's secret.
        base_url: Scheme, host and port of the API.
        session: Used as it is, and left open, in place of the client's own, which ignores the machine's
            proxies.
        transport: Sends the requests and keeps the time, in place of `session`.
    """

    def __init__(
        self,
        api_key: str,
        api_secret: str,
        base_url: str,
        *,
        session: httpx.AsyncClient | None = None,
        transport: AsyncTransport | None = None,
    ) -> None:
        self._api = wire.Api(api_key, api_secret, base_url)
        self._transport = HttpxTransport(session) if transport is None else transport

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections that the client opened."""
        await self._transport.close()

    async def wait_for_task(
        self,
        task_id: str,
        *,
        poll_interval: float = DEFAULT_POLL_INTERVAL_S,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> Any:
        """Wait until the task ends and return its result payload, without blocking the event loop.

        Args:
            task_id: The task to wait for.
            poll_interval: Seconds from an answer to the next poll, > 0.
            timeout: Seconds to wait, > 0.

        Returns:
            The task's result payload, None where it has none.

        Raises:
            StreamTaskException: The task failed.
            StreamTransportException: error_type "timeout": the deadline passed; "connection" or
                "malformed_answer": a poll brought no answer, or one that is not a task.
            StreamApiException: A poll was answered with a status that is not 2xx.
            ValueError: `poll_interval` or `timeout` is not over 0, or `task_id` is none.

        Source: "completed: returns the task's result payload"; "failed: raises the SDK's task exception with
        task_id, error_type, description, stack_trace, version"; "deadline exceeded: raises the SDK's
        transport exception with error_type 'timeout'; the task may still be running on the server";
        "defaults: poll every 1 second, wait 60 seconds; either can be overridden".
        """
        steps = self._steps(task_id, poll_interval, timeout)
        try:
            step = next(steps)
            while True:
                match step:
                    case Poll(timeout_s):
                        step = steps.send(await self._get_task(task_id, timeout_s))
                    case Sleep(seconds):
                        await self._transport.sleep(seconds)
                        step = next(steps)
        except StopIteration as finished:
            return finished.value

    async def get_task(self, task_id: str) -> Task:
        """Ask for the task once; a failed one is returned like any other.

        Raises:
            ValueError: `task_id` is empty, "." or "..", which no path can carry.
        """
        return await self._get_task(task_id, wire.REQUEST_TIMEOUT_S)

    async def delete_channels(self, cids: Sequence[str], *, hard_delete: bool = False) -> str:
        """Begin to delete channels (for good with `hard_delete`) and return the id of the task."""
        return await self._begin(self._api.delete_channels(cids, hard_delete=hard_delete))

    async def export_channels(self, cids: Sequence[str]) -> str:
        """Begin to export channels and return the id of the task."""
        return await self._begin(self._api.export_channels(cids))

    async def export_users(self, user_ids: Sequence[str]) -> str:
        """Begin to export users and return the id of the task."""
        return await self._begin(self._api.export_users(user_ids))

    async def delete_users(self, user_ids: Sequence[str]) -> str:
        """Begin to delete users with all they wrote, for good, and return the id of the task."""
        return await self._begin(self._api.delete_users(user_ids))

    def _steps(
        self, task_id: str, poll_interval: float, timeout: float
    ) -> Generator[Poll | Sleep, Task, Any]:
        return wait_steps(task_id, poll_interval=poll_interval, timeout=timeout, now=self._transport.now)

    async def _get_task(self, task_id: str, timeout_s: float) -> Task:
        request = self._api.get_task(task_id)
        return wire.read_task(task_id, request, await self._send(request, timeout_s))

    async def _begin(self, request: wire.Request) -> str:
        return wire.read_task_id(request, await self._send(request, wire.REQUEST_TIMEOUT_S))

    async def _send(self, request: wire.Request, timeout_s: float) -> wire.Answer:
        return await self._transport.send(request, timeout_s)


class HttpxTransport:
    """The world itself: its clock, and connections by httpx; `session` as for `AsyncClient`."""

    def __init__(self, session: httpx.AsyncClient | None = None) -> None:
        self._owns_session = session is None
        self._session = _new_session() if session is None else session

    def now(self) -> float:
        """Return the machine's monotonic clock."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Let the event loop go on with something else."""
        await asyncio.sleep(seconds)

    async def close(self) -> None:
        """Close the session, if it is the transport's own."""
        if self._owns_session:
            await self._session.aclose()

    async def send(self, request: wire.Request, timeout_s: float) -> wire.Answer:
        """Send one request, and bound the exchange as a whole."""
        try:
            # httpx bounds each read; this bounds the exchange as a whole.
            async with asyncio.timeout(timeout_s):
                response = await self._session.request(
                    request.method,
                    request.url,
                    headers=request.headers,
                    content=request.body,
                    timeout=None,
                    follow_redirects=False,  # one call is one request; a redirect is a status that is not 2xx
                )
        except TimeoutError as error:
            raise wire.no_answer(request, timeout_s) from error
        except httpx.DecodingError as error:
            raise wire.transport_failure("malformed_answer", request, str(error)) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise wire.transport_failure("connection", request, str(error) or repr(error)) from error
        return wire.Answer(response.status_code, response.content)


def _new_session() -> httpx.AsyncClient:
    return httpx.AsyncClient(limits=_LIMITS, trust_env=False, verify=_tls_context())


@functools.cache
def _tls_context() -> ssl.SSLContext:
    # Reading the certificates takes 30 ms, in which the event loop stands still: once is enough.
    return httpx.create_ssl_context(trust_env=False)
