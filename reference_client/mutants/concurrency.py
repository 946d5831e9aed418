"""Mutants of the asynchronous variant."""

# ruff: noqa: ARG002 - what a variant is given and does not use is what makes it one

from __future__ import annotations

from typing import Any

from reference_client import wire
from reference_client.aio import AsyncClient
from reference_client.client import Client, RequestsTransport
from reference_client.mutants.variant import kills

__all__: list[str] = []


class _WithABlockingSide(AsyncClient):
    def __init__(self, api_key: str, api_secret: str, base_url: str, **options: Any) -> None:
        super().__init__(api_key, api_secret, base_url, **options)
        self._blocking = getattr(self._transport, "blocking", None) or RequestsTransport()
        self._sync = Client(api_key, api_secret, base_url, transport=self._blocking)


@kills("async-does-not-block")
class WaitsBlocking(_WithABlockingSide):
    """Calls the blocking helper on the event loop."""

    async def wait_for_task(self, task_id: str, **options: Any) -> Any:
        return self._sync.wait_for_task(task_id, **options)


class _Sleeping:
    def __init__(self, transport: Any, blocking: Any) -> None:
        self._inner, self._blocking = transport, blocking
        self.now, self.send, self.close = transport.now, transport.send, transport.close

    async def sleep(self, seconds: float) -> None:
        self._blocking.sleep(seconds)


@kills("async-does-not-block")
class SleepsBlocking(_WithABlockingSide):
    """Blocks the event loop while it sleeps."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._transport = _Sleeping(self._transport, self._blocking)


@kills("async-does-not-block")
class PollsBlocking(_WithABlockingSide):
    """Blocks the event loop while it polls."""

    async def _send(self, request: wire.Request, timeout_s: float) -> wire.Answer:
        return self._blocking.send(request, timeout_s)


@kills("async-takes-same-parameters")
class IgnoresTheTimeout(AsyncClient):
    """Waits a minute whatever it is told."""

    async def wait_for_task(self, task_id: str, *, timeout: float = 60.0, **options: Any) -> Any:
        return await super().wait_for_task(task_id, **options)


@kills("async-takes-same-parameters")
class IgnoresTheInterval(AsyncClient):
    """Polls once a second whatever it is told."""

    async def wait_for_task(self, task_id: str, *, poll_interval: float = 1.0, **options: Any) -> Any:
        return await super().wait_for_task(task_id, **options)


@kills("async-takes-same-parameters")
class HasNoInterval(AsyncClient):
    """Raises when it is given an interval."""

    async def wait_for_task(self, task_id: str, **options: Any) -> Any:
        if "poll_interval" in options:
            raise TypeError("wait_for_task() got an unexpected keyword argument 'poll_interval'")
        return await super().wait_for_task(task_id, **options)
