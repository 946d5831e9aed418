"""The virtual clock, and the code of clients that waits for it.

A client is ordinary code that blocks. It runs in a strand (a greenlet): where it waits, it hands control to
the schedule, which resumes the strands whose wait is over, and moves the clock on to the next event when
there is none. Exactly one strand runs at a time, so each play is deterministic. A client that does not
block is a set of coroutines that take turns on one `Loop`, which is one strand.

What a strand or a coroutine waits for ends once: with its result, or with an interruption. An interruption
that comes while it waits for nothing, or for something that must not be cut short, ends its next wait.
"""

from __future__ import annotations

import contextlib
import functools
import heapq
import itertools
import types
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from typing import Any, TypeAlias

from greenlet import GreenletExit, getcurrent, greenlet

from waitproof.errors import HarnessError

__all__ = ["Begin", "Loop", "Schedule", "Strand", "Wake", "waiting"]

MAX_EVENTS = 2_000_000  # a client that sleeps for no time again and again would never come to an end

Strand: TypeAlias = greenlet
Wake: TypeAlias = Callable[[Any], None]
# Starts an operation that calls `Wake` once, with its result; returns what abandons it, None for nothing.
Begin: TypeAlias = Callable[[Wake], Callable[[], object] | None]


@dataclass(eq=False)
class _Wait:
    """What one strand or coroutine waits for."""

    resume: Wake
    abandon: Callable[[], object] | None = None
    is_over: bool = False

    def end(self, result: Any) -> None:
        if not self.is_over:
            self.is_over = True
            self.resume(result)


class _Waits:
    """What the strands of a schedule, or the coroutines of a loop, wait for."""

    def __init__(self) -> None:
        self._waits: dict[object, _Wait] = {}
        self._pending: dict[object, Exception] = {}  # interruptions that have not been delivered

    def begin(self, who: object, begin: Begin, resume: Wake, *, is_deaf: bool) -> None:
        """Start what `who` waits for; `resume` gets its result, or the interruption."""
        if is_deaf:
            begin(lambda result: resume(self._pending.pop(who, result)))
        elif who in self._pending:
            resume(self._pending.pop(who))
        else:
            wait = self._waits[who] = _Wait(resume)
            wait.abandon = begin(wait.end)

    def interrupt(self, who: object, error: Exception) -> None:
        """End what `who` waits for, or the next thing that can be interrupted."""
        wait = self._waits.get(who)
        if wait is None or wait.is_over:
            self._pending[who] = error
            return
        if wait.abandon is not None:
            wait.abandon()
        wait.end(error)


class Schedule:
    """What happens when, and who runs next."""

    def __init__(self) -> None:
        self.now = 0.0
        self._runner = getcurrent()
        self._strands: list[Strand] = []
        self._ready: deque[tuple[Strand, tuple[Any, ...]]] = deque()
        self._events: list[tuple[float, int, Callable[[], object]]] = []
        self._serials = itertools.count()
        self._ended: set[Strand] = set()
        self._waits = _Waits()

    def at(self, when_s: float, body: Callable[[], object]) -> None:
        """Let `body` happen at a time, after whatever is already due then."""
        heapq.heappush(self._events, (when_s, next(self._serials), body))

    def spawn(self, body: Callable[[], object]) -> Strand:
        """Start a strand; its turn comes when the running one waits. What it raises ends the play."""
        strand = greenlet(body, self._runner)
        self._strands.append(strand)
        self._ready.append((strand, ()))
        return strand

    def wait(self, begin: Begin, *, is_deaf: bool = False) -> Any:
        """Block the running strand until the operation ends, and return its result, or the interruption."""
        strand = getcurrent()
        if strand in self._ended:
            raise GreenletExit

        def resume(result: Any) -> None:
            self._ready.append((strand, (result,)))

        self._waits.begin(strand, begin, resume, is_deaf=is_deaf)
        return self._runner.switch()

    def interrupt(self, strand: Strand, error: Exception) -> None:
        """Let what a strand waits for, or waits for next, end with this error as its result."""
        self._waits.interrupt(strand, error)

    def run(self, begin: Begin) -> Any:
        """Let events happen and strands run until the operation ends, and return its result.

        Called from outside all strands.

        Raises:
            HarnessError: There is no end to the events.
        """
        results: list[Any] = []
        begin(results.append)
        while not results:
            if self._ready:
                strand, arguments = self._ready.popleft()
                strand.switch(*arguments)
                continue
            when_s, serial, body = heapq.heappop(self._events)
            if serial > MAX_EVENTS:
                raise HarnessError("the simulation does not come to an end")
            self.now = max(self.now, when_s)
            body()
        return results[0]

    def run_until(self, when_s: float) -> None:
        """The same until a time has come."""
        if when_s > self.now:
            self.run(lambda wake: self.at(when_s, lambda: wake(None)))

    def end(self, strand: Strand) -> None:
        """End a strand where it waits; it never waits again."""
        self._ended.add(strand)
        with contextlib.suppress(Exception):  # a client's cleanup, which has lost its network
            strand.throw(GreenletExit)

    def close(self) -> None:
        """End every strand."""
        for strand in self._strands:
            if not strand.dead:
                self.end(strand)


class Loop:
    """An event loop: coroutines take turns, and one that blocks blocks them all."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._ready: deque[tuple[Coroutine[Any, Any, Any], Any]] = deque()
        self._wake: Wake | None = None
        self._waits = _Waits()
        schedule.spawn(self._run)

    def start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Let a coroutine take its turns."""
        self._put(coroutine, None)

    def interrupt(self, coroutine: Coroutine[Any, Any, None], error: Exception) -> None:
        """Let what a coroutine waits for, or waits for next, end with this error as its result."""
        self._waits.interrupt(coroutine, error)

    def _put(self, coroutine: Coroutine[Any, Any, Any], result: Any) -> None:
        self._ready.append((coroutine, result))
        wake, self._wake = self._wake, None
        if wake is not None:
            wake(None)

    def _run(self) -> None:
        try:
            while True:
                while self._ready:
                    self._step(*self._ready.popleft())
                self._schedule.wait(self._sleep)
        finally:
            for coroutine, _ in self._ready:
                coroutine.close()

    def _sleep(self, wake: Wake) -> None:
        self._wake = wake

    def _step(self, coroutine: Coroutine[Any, Any, Any], result: Any) -> None:
        with contextlib.suppress(StopIteration):
            begin, is_deaf = coroutine.send(result)
            resume = functools.partial(self._put, coroutine)
            self._waits.begin(coroutine, begin, resume, is_deaf=is_deaf)


@types.coroutine
def waiting(begin: Begin, *, is_deaf: bool = False) -> Generator[tuple[Begin, bool], Any, Any]:
    """Suspend a coroutine of a `Loop` until the operation ends; return its result, or the interruption."""
    return (yield begin, is_deaf)
