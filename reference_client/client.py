"""The synchronous client, over requests: it sends what `wire` wrote and does what `waiting` decides."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from types import TracebackType
from typing import Any, Protocol, Self

import requests
import urllib3

from reference_client import wire
from reference_client.task import Task
from reference_client.total_timeout import TotalTimeoutAdapter
from reference_client.waiting import DEFAULT_POLL_INTERVAL_S, DEFAULT_TIMEOUT_S, Poll, Sleep, wait_steps

__all__ = ["Client", "RequestsTransport", "Transport"]

# One connection for each wait that runs at once; more than these are opened and closed again.
_KEPT_CONNECTIONS = 100
# Sockets refuse a timeout of 25 days; a poll that hangs for a day may as well be cut off.
_LONGEST_TIMEOUT_S = 86_400.0


class Transport(Protocol):
    """All that a client does to the world, so that another world can be put in its place."""

    def now(self) -> float:
        """Return the time of a monotonic clock, in seconds."""

    def sleep(self, seconds: float) -> None:
        """Do nothing for so long."""

    def send(self, request: wire.Request, timeout_s: float) -> wire.Answer:
        """Exchange a request for its answer within `timeout_s`.

        Raises:
            StreamTransportException: No answer came, or none that could be read.
        """

    def close(self) -> None:
        """Close the connections that were opened."""


class Client:
    """A client of one application, for any number of threads at once.

    Every method sends one request (`wait_for_task`: one at a time) and never repeats it by itself. Each can
    raise `StreamApiException` (a status that is not 2xx) and `StreamTransportException`.

    Args:
        api_key: The application's key.
        api_secret: The application's secret.
        base_url: Scheme, host and port of the API.
        session: Used as it is, and left open, in place of the client's own, which ignores the machine's
            proxies; mount `TotalTimeoutAdapter` on it, else a server that dribbles outlasts the timeout.
        transport: Sends the requests and keeps the time, in place of `session`.
    """

    def __init__(
        self,
        api_key: str,
        api_secret: str,
        base_url: str,
        *,
        session: requests.Session | None = None,
        transport: Transport | None = None,
    ) -> None:
        self._api = wire.Api(api_key, api_secret, base_url)
        self._transport = RequestsTransport(session) if transport is None else transport

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that the client opened."""
        self._transport.close()

    def wait_for_task(
        self,
        task_id: str,
        *,
        poll_interval: float = DEFAULT_POLL_INTERVAL_S,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> Any:
        """Wait until the task ends and return its result payload.

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
                        step = steps.send(self._get_task(task_id, timeout_s))
                    case Sleep(seconds):
                        self._transport.sleep(seconds)
                        step = next(steps)
        except StopIteration as finished:
            return finished.value

    def get_task(self, task_id: str) -> Task:
        """Ask for the task once; a failed one is returned like any other.

        Raises:
            ValueError: `task_id` is empty, "." or "..", which no path can carry.
        """
        return self._get_task(task_id, wire.REQUEST_TIMEOUT_S)

    def delete_channels(self, cids: Sequence[str], *, hard_delete: bool = False) -> str:
        """Begin to delete channels (for good with `hard_delete`) and return the id of the task."""
        return self._begin(self._api.delete_channels(cids, hard_delete=hard_delete))

    def export_channels(self, cids: Sequence[str]) -> str:
        """Begin to export channels and return the id of the task."""
        return self._begin(self._api.export_channels(cids))

    def export_users(self, user_ids: Sequence[str]) -> str:
        """Begin to export users and return the id of the task."""
        return self._begin(self._api.export_users(user_ids))

    def delete_users(self, user_ids: Sequence[str]) -> str:
        """Begin to delete users with all they wrote, for good, and return the id of the task."""
        return self._begin(self._api.delete_users(user_ids))

    def _steps(
        self, task_id: str, poll_interval: float, timeout: float
    ) -> Generator[Poll | Sleep, Task, Any]:
        return wait_steps(task_id, poll_interval=poll_interval, timeout=timeout, now=self._transport.now)

    def _get_task(self, task_id: str, timeout_s: float) -> Task:
        request = self._api.get_task(task_id)
        return wire.read_task(task_id, request, self._send(request, timeout_s))

    def _begin(self, request: wire.Request) -> str:
        return wire.read_task_id(request, self._send(request, wire.REQUEST_TIMEOUT_S))

    def _send(self, request: wire.Request, timeout_s: float) -> wire.Answer:
        return self._transport.send(request, timeout_s)


class RequestsTransport:
    """The world itself: its clock, and connections by requests; `session` as for `Client`."""

    def __init__(self, session: requests.Session | None = None) -> None:
        self._owns_session = session is None
        self._session = _new_session() if session is None else session

    def now(self) -> float:
        """Return the machine's monotonic clock."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Block the thread."""
        time.sleep(seconds)

    def close(self) -> None:
        """Close the session, if it is the transport's own."""
        if self._owns_session:
            self._session.close()

    def send(self, request: wire.Request, timeout_s: float) -> wire.Answer:
        """Send one request, and bound the exchange as a whole."""
        timeout_s = min(timeout_s, _LONGEST_TIMEOUT_S)
        deadline = time.monotonic() + timeout_s
        try:
            response = self._session.request(
                request.method,
                request.url,
                headers=request.headers,
                data=request.body,
                timeout=timeout_s,
                allow_redirects=False,  # one call is one request; a redirect is a status that is not 2xx
            )
        except requests.exceptions.ContentDecodingError as error:
            raise wire.transport_failure("malformed_answer", request, str(error)) from error
        # requests lets some of urllib3's own exceptions through.
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            # Seen from the clock, not the class: requests calls a timeout amid the body a connection error.
            if time.monotonic() >= deadline:
                raise wire.no_answer(request, timeout_s) from error
            raise wire.transport_failure("connection", request, str(error)) from error
        return wire.Answer(response.status_code, response.content)


def _new_session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    adapter = TotalTimeoutAdapter(pool_maxsize=_KEPT_CONNECTIONS)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session
