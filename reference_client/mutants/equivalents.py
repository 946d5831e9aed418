"""Correct clients that look different: none of them may be accused of anything."""

from __future__ import annotations

import dataclasses
import multiprocessing
import random
import time
from typing import Any

from reference_client import wire
from reference_client.client import Client
from reference_client.exceptions import StreamTransportException
from reference_client.mutants.transports import HttpClientTransport
from reference_client.mutants.variant import Jittering, Rule, Steps, altered, equivalent
from reference_client.waiting import DEFAULT_POLL_INTERVAL_S, DEFAULT_TIMEOUT_S, Poll, Sleep

__all__: list[str] = []

PROCESS_START_S = 0.05  # of a simulated process
CONNECT_S = 0.03  # of a slow connect, in either world: the judge grants 50 ms and 5 % of the interval


def _same(value: Any) -> Any:
    return value


@equivalent()
class CountsFromTheRequest(Client):
    """Counts the interval from the request."""

    def _steps(self, task_id: str, poll_interval: float, timeout: float) -> Steps:
        asked = self._transport.now()

        def stamped(poll: Poll) -> Poll:
            nonlocal asked
            asked = self._transport.now()
            return poll

        def rest(seconds: float) -> float:
            if seconds < poll_interval:
                return seconds  # the last sleep: it ends at the deadline
            return max(0.0, asked + poll_interval - self._transport.now())

        return altered(super()._steps(task_id, poll_interval, timeout), stamped, _same, rest)


@equivalent()
class Ticker(Client):
    """Polls at whole intervals after the call, and leaves out those that it cannot make."""

    def _steps(self, task_id: str, poll_interval: float, timeout: float) -> Steps:
        began = self._transport.now()

        def to_the_next(seconds: float) -> float:
            if seconds < poll_interval:
                return seconds  # the last sleep: it ends at the deadline
            since = self._transport.now() - began
            ticks = int(since / poll_interval + 1e-9) + 1
            return max(0.0, ticks * poll_interval - since)

        return altered(super()._steps(task_id, poll_interval, timeout), _same, _same, to_the_next)


@equivalent()
class NoPollAtTheDeadline(Client):
    """Sleeps the last part of an interval up to the deadline, and makes no poll there."""

    def _steps(self, task_id: str, poll_interval: float, timeout: float) -> Steps:
        deadline = self._transport.now() + timeout

        def before(poll: Poll) -> Poll:
            if self._transport.now() >= deadline:
                raise StreamTransportException("timeout", "the deadline passed")
            return poll

        return altered(super()._steps(task_id, poll_interval, timeout), before, _same, _same)


@equivalent()
class WakesATickEarly(Rule):
    """Sleeps on a timer that fires a tick early now and then, and polls at the deadline."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._random = random.Random(3)

    def on_sleep(self, seconds: float) -> float:
        return max(0.0, seconds - self._random.choice([0.0, 0.0, 0.002]))


@equivalent()
class JitterInsideTheBounds(Jittering):
    """Sleeps up to a fiftieth of the interval longer."""

    seed = 7
    shares = (1.0, 1.02)


@equivalent()
class WaitsBeforeTheFirstPoll(Client):
    """Sleeps an interval before the first poll too."""

    def _steps(self, task_id: str, poll_interval: float, timeout: float) -> Steps:
        first = min(poll_interval, timeout)
        began = self._transport.now()
        yield Sleep(first)
        left = max(began + timeout - self._transport.now(), 0.001)
        return (yield from super()._steps(task_id, poll_interval, left))


@equivalent()
class FreshConnections(Client):
    """Opens a connection for each request."""

    def _send(self, request: wire.Request, timeout_s: float) -> wire.Answer:
        headers = {**request.headers, "Connection": "close"}
        return super()._send(dataclasses.replace(request, headers=headers), timeout_s)


@equivalent()
class SlowConnects(FreshConnections):
    """Opens a connection for each request, and takes long to do so."""

    def _send(self, request: wire.Request, timeout_s: float) -> wire.Answer:
        if timeout_s <= CONNECT_S:
            self._transport.sleep(timeout_s)
            raise wire.no_answer(request, timeout_s)
        self._transport.sleep(CONNECT_S)
        return super()._send(request, timeout_s - CONNECT_S)


@equivalent()
class Http10(Client):
    """Speaks HTTP/1.0, one request a connection."""

    def __init__(self, *args: Any, transport: Any = None, **options: Any) -> None:
        super().__init__(*args, transport=transport or HttpClientTransport(is_http_10=True), **options)

    def _send(self, request: wire.Request, timeout_s: float) -> wire.Answer:
        headers = {**request.headers, "Connection": "close"}
        return super()._send(dataclasses.replace(request, headers=headers), timeout_s)


@equivalent()
class MoreHeaders(Client):
    """Sends headers that nobody asked for."""

    def _send(self, request: wire.Request, timeout_s: float) -> wire.Answer:
        more = {"X-Request-Id": "17", "Accept": "application/json", "traceparent": "00-1-2-01"}
        return super()._send(dataclasses.replace(request, headers={**request.headers, **more}), timeout_s)


@equivalent(sdk={"language": "java", "runtime": "a Java of ours"}, frames=3)
class JavaAccessor(Client):
    """Has an accessor for the server's stack trace, and the runtime's own trace beside it."""


def _in_process(arguments: tuple[str, str, str], task_id: str, poll_interval: float, until: float) -> Any:
    left = max(until - time.monotonic(), 0.001)  # one clock for all processes of a machine
    with Client(*arguments) as client:
        return client.wait_for_task(task_id, poll_interval=poll_interval, timeout=left)


@equivalent()
class ProcessPerWait(Client):
    """Makes each wait in a process of its own."""

    def __init__(self, api_key: str, api_secret: str, base_url: str, *, transport: Any = None) -> None:
        super().__init__(api_key, api_secret, base_url, transport=transport)
        self._arguments = api_key, api_secret, base_url
        self._is_simulated = transport is not None
        if not self._is_simulated:
            _processes.set_forkserver_preload(["reference_client"])

    def wait_for_task(
        self,
        task_id: str,
        *,
        poll_interval: float = DEFAULT_POLL_INTERVAL_S,
        timeout: float = DEFAULT_TIMEOUT_S,
    ) -> Any:
        until = self._transport.now() + timeout
        if self._is_simulated:
            self._transport.sleep(PROCESS_START_S)
            left = until - self._transport.now()
            return super().wait_for_task(task_id, poll_interval=poll_interval, timeout=left)
        with _processes.Pool(1) as pool:  # the exception comes back as it was raised
            return pool.apply(_in_process, (self._arguments, task_id, poll_interval, until))


_processes = multiprocessing.get_context("forkserver")
