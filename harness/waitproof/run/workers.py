"""The processes of an adapter: each is leased to one scenario or several, and replaced when it is of no use.

    state of a worker    a lease ends well        a lease ends with a lost or stuck call    found dead
    READY                READY                    DRAINING                                  DRAINING
    DRAINING             DRAINING                 DRAINING                                  -

A DRAINING worker takes no more leases, and its process is ended with the last one. The slot then starts
another worker, until several in a row have died without a scenario played in between.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from waitproof.adapter import AdapterCommand, AdapterProcess, AnswersBudget, close_all
from waitproof.errors import AdapterError
from waitproof.run.endings import Ending, ending_of
from waitproof.suite import WaitOptions

__all__ = ["Lease", "Processes", "WorkerSlot"]

MAX_DEATHS = 3  # in a row, nothing played in between: such an adapter is not started forever


class Processes:
    """Every process of a run, so that all are closed whatever happens; used from several threads.

    Attributes:
        start_limit_s: How long an adapter may take to say hello.
    """

    def __init__(self, clean: tuple[str, ...], start_limit_s: float, stopping: threading.Event) -> None:
        """Make a registry without processes.

        Args:
            clean: Names of variables that no adapter gets.
            start_limit_s: How long an adapter may take to say hello.
            stopping: Set before `stop` is called.
        """
        self._clean = clean
        self.start_limit_s = start_limit_s
        self._stopping = stopping
        self._lock = threading.Lock()
        self._open: list[AdapterProcess] = []
        self._answers: dict[int, AnswersBudget] = {}  # by the identity of the adapter's command
        self._endings: list[tuple[AdapterCommand, Ending]] = []  # of those ended by `close`

    def open(self, command: AdapterCommand) -> AdapterProcess:
        """Start a process.

        Raises:
            AdapterError: It cannot be started, or the run is ending.
        """
        if self._stopping.is_set():
            raise AdapterError(f"{command.name}: not started, because the run is ending")
        with self._lock:
            answers = self._answers.setdefault(id(command), AnswersBudget())
        process = AdapterProcess(
            command, clean=self._clean, start_limit_s=self.start_limit_s, answers=answers
        )
        with self._lock:
            self._open.append(process)
        if self._stopping.is_set():
            process.close(0.0)
            raise AdapterError(f"{command.name}: ended, because the run is ending")
        return process

    def close(self, process: AdapterProcess) -> None:
        """End a process that is no longer needed."""
        process.close(0.0)
        with self._lock:
            if process in self._open:
                self._open.remove(process)
                self._endings.append((process.command, ending_of(process)))

    def endings(self, command: AdapterCommand) -> list[Ending]:
        """Return how the processes of one adapter ended, once all have."""
        with self._lock:
            earlier = [ending for each, ending in self._endings if each is command]
        return [*earlier, *(ending_of(each) for each in self._all() if each.command is command)]

    def process_groups(self) -> list[int]:
        """Return the ids of the process groups, one for each process."""
        return [process.pid for process in self._all()]

    def finish(self) -> None:
        """Let every process finish what is in flight, then end it; what it wrote can still be read."""
        close_all(self._all())

    def stop(self) -> None:
        """End every process at once."""
        close_all(self._all(), 0.0)

    def _all(self) -> list[AdapterProcess]:
        with self._lock:
            return list(self._open)


@dataclass(eq=False)
class Lease:
    """A scenario's use of a process.

    Attributes:
        shared: Other scenarios were played in it, before or at the same time: they may have caused its death.
        earlier_waits: The options of the first and of the latest wait that others made in it before.
        lost: Why one of its calls got no answer, "" when all were answered.
        stuck: One of its calls is in flight forever.
    """

    process: AdapterProcess
    shared: bool = False
    earlier_waits: tuple[WaitOptions, ...] = ()
    lost: str = ""
    stuck: bool = False


class _State(StrEnum):
    READY = "ready"
    DRAINING = "draining"


@dataclass(eq=False)
class _Worker:
    process: AdapterProcess
    state: _State = _State.READY
    used: bool = False
    waits: list[WaitOptions] = field(default_factory=list)
    leases: list[Lease] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        return self.state is _State.DRAINING and not self.leases

    def lease(self, waits: WaitOptions | None) -> Lease:
        for other in self.leases:
            other.shared = True
        earlier = dict.fromkeys([*self.waits[:1], *self.waits[-1:]])
        earlier.pop(waits or WaitOptions(), None)  # what it leaves behind is what this one has anyway
        lease = Lease(self.process, shared=self.used, earlier_waits=tuple(earlier))
        if waits is not None:
            self.waits.append(waits)
        self.used = True
        self.leases.append(lease)
        return lease


class WorkerSlot:
    """One process of an adapter, started when first needed, and replaced when it has died or is stuck."""

    def __init__(
        self, name: str, start: Callable[[], AdapterProcess], end: Callable[[AdapterProcess], None]
    ) -> None:
        """Make a slot without a process.

        Args:
            name: The adapter's name, for messages.
            start: Returns a new warm process; may raise AdapterError.
            end: Ends one.
        """
        self._name = name
        self._start = start
        self._end = end
        self._starting = threading.Lock()  # held for as long as a start takes
        self._lock = threading.Lock()
        self._refit: Callable[[AdapterProcess], None] | None = None
        self._worker: _Worker | None = None
        self._deaths = 0
        self._cannot_start = False
        self._error = ""

    def reuse(self, start: Callable[[], AdapterProcess], refit: Callable[[AdapterProcess], None]) -> None:
        """Use the slot for something else, while none of its process is leased.

        Args:
            start: As for a new slot.
            refit: Makes the process ready, if it is still usable when it is next needed.
        """
        self._start, self._refit = start, refit

    def start(self) -> None:
        """Start a process unless a usable one is there.

        Raises:
            AdapterError: It could not be started, or died too often.
        """
        with self._starting:
            self._usable()

    @contextlib.contextmanager
    def lease(self, waits: WaitOptions | None = None) -> Iterator[Lease]:
        """Let a scenario use the process, which is started when there is no usable one.

        Args:
            waits: The options of its first wait, None when it makes none.

        Raises:
            AdapterError: It could not be started, or died too often.
        """
        with self._starting:
            worker = self._usable()
            with self._lock:
                lease = worker.lease(waits)
        try:
            yield lease
        finally:
            self._release(worker, lease)

    def close(self) -> None:
        """End the process."""
        if self._worker is not None:
            self._end(self._worker.process)

    def _release(self, worker: _Worker, lease: Lease) -> None:
        with self._lock:
            worker.leases.remove(lease)
            if not lease.lost:
                self._deaths = 0
            elif worker.state is _State.READY:
                self._deaths += 1
                self._error = str(worker.process.failure or lease.lost)
            if lease.lost or lease.stuck:
                worker.state = _State.DRAINING
            is_over = worker.is_over
        if is_over:
            self._end(worker.process)

    @staticmethod
    def _is_usable(worker: _Worker) -> bool:
        process = worker.process
        return worker.state is _State.READY and process.failure is None and process.alive

    def _usable(self) -> _Worker:
        worker, refit = self._worker, self._refit
        self._refit = None
        if worker is not None:
            if refit is not None and self._is_usable(worker):
                refit(worker.process)
            with self._lock:
                was_ready = worker.state is _State.READY
                if self._is_usable(worker):
                    return worker
                if was_ready:
                    worker.state = _State.DRAINING
                    self._deaths += 1
                    self._error = str(worker.process.failure or self._error)
                is_over = was_ready and worker.is_over
            if is_over:
                self._end(worker.process)
        if self._cannot_start:
            raise AdapterError(self._error)
        if self._deaths >= MAX_DEATHS:
            fact = f"given up after {self._deaths} processes died in a row; the last:"
            raise AdapterError(f"{self._name}: {fact} {self._error}")
        try:
            self._worker = _Worker(self._start())
        except AdapterError as error:
            self._cannot_start = True
            self._error = str(error)
            raise
        return self._worker
