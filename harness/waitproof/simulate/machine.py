"""What a simulated SDK is made of: the machine that its client runs on, and the adapter around it.

The simulator knows no SDK. Its caller passes an `Sdk`, whose clients use their `Machine` in place of a clock
and a network.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Protocol

from waitproof.protocol import JsonObject
from waitproof.simulate.clock import Begin, waiting
from waitproof.simulate.network import WALL_NS, Answer, Network, Request
from waitproof.simulate.world import World

__all__ = ["Machine", "Sdk"]


class Machine:
    """Clock and network of one client. Methods that end in `_async` are for a client that does not block.

    Each raises SimulatedCancelError if its caller cancels the call in the meantime; a `deaf` one only after
    its end.
    """

    def __init__(self, world: World, network: Network) -> None:
        self._world = world
        self._schedule = world.schedule
        self._network = network

    def now(self) -> float:
        """Return the time of the monotonic clock."""
        return self._schedule.now

    def unix_s(self) -> float:
        """Return the time of day, in seconds since 1970."""
        return WALL_NS / 1e9 + self._schedule.now

    def sleep(self, seconds: float, *, deaf: bool = False) -> None:
        """Block for so long."""
        _result_of(self._schedule.wait(self._sleeping(seconds), is_deaf=deaf))

    def send(self, request: Request, timeout_s: float, *, blind: bool = False, deaf: bool = False) -> Answer:
        """Exchange a request for its answer.

        Args:
            request: What to send.
            timeout_s: After how many seconds to give up.
            blind: Use the last connection again even when the server has closed it.
            deaf: See the class.

        Raises:
            SimulatedTimeoutError: No answer came in time.
            SimulatedDropError: The connection was dropped.
        """
        begin = self._sending(request, timeout_s, blind=blind)
        answer: Answer = _result_of(self._schedule.wait(begin, is_deaf=deaf))
        return answer

    def print(self, line: str) -> None:
        """Write a line to stderr."""
        self._world.printed.append(line)

    def start(self, body: Callable[[], object]) -> None:
        """Run `body` in another thread of the client; what it raises is lost."""

        def thread() -> None:
            with contextlib.suppress(Exception):
                body()
            self._world.threads -= 1

        self._world.threads += 1
        self._schedule.spawn(thread)

    async def sleep_async(self, seconds: float, *, deaf: bool = False) -> None:
        """Let others run for so long."""
        _result_of(await waiting(self._sleeping(seconds), is_deaf=deaf))

    async def send_async(
        self, request: Request, timeout_s: float, *, blind: bool = False, deaf: bool = False
    ) -> Answer:
        """Exchange a request for its answer while others run; the rest is as for `send`."""
        begin = self._sending(request, timeout_s, blind=blind)
        answer: Answer = _result_of(await waiting(begin, is_deaf=deaf))
        return answer

    def _sleeping(self, seconds: float) -> Begin:
        return lambda wake: self._world.after(seconds, lambda: wake(None))

    def _sending(self, request: Request, timeout_s: float, *, blind: bool) -> Begin:
        return lambda wake: self._network.send(request, timeout_s, wake, blind=blind)


class Sdk(Protocol):
    """What an SDK and its adapter are to the simulator: each method is one that an adapter's kit has."""

    @property
    def non_blocking(self) -> bool:
        """Whether calls are coroutines, all on one event loop."""

    def hello(self) -> JsonObject:
        """Return the introduction as the adapter would write it."""

    def connect(self, machine: Machine) -> Any:
        """Return a client that runs on this machine."""

    def call(self, client: Any, request: JsonObject) -> Any:
        """Carry out a request of the protocol, and return or raise what the SDK does."""

    def returned(self, request: JsonObject, value: Any) -> JsonObject:
        """Return the answer's members for what a call returned."""

    def raised(self, request: JsonObject, error: BaseException) -> JsonObject:
        """Return the answer's members for what a call raised."""

    def elapsed_s(self, seconds: float) -> float | None:
        """Return the duration that the adapter reports for a wait, None when it reports none."""


def _result_of(result: Any) -> Any:
    if isinstance(result, Exception):
        raise result
    return result
