"""What the adapters of a run share, and the lanes along which each plays its scenarios."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from waitproof.judge import TaskRecord
from waitproof.mock import ServerProcess
from waitproof.run.budget import Budget
from waitproof.run.listener import Listener
from waitproof.run.workers import Processes, WorkerSlot
from waitproof.suite import Contract, Scenario

__all__ = ["Lane", "RunContext"]


@dataclass(frozen=True)
class RunContext:
    """What the adapters of a run share.

    Attributes:
        quiet_budget: How many re-runs may go on at once.
        stopping: Set when the run is to end early.
        fixed_ids: Held while a task has an id that another adapter's task may have, too, or is begun by a
            request that does not say which task it begins.
        on_tasks: Called with adapter, scenario and its tasks before the first of their polls can come.
        in_threads: Runs each body in a thread and waits for the last; an error in one stops the run.
    """

    contract: Contract
    scenarios: Sequence[Scenario]
    server: ServerProcess
    processes: Processes
    budget: Budget
    quiet_budget: Budget
    listener: Listener
    stopping: threading.Event
    fixed_ids: threading.Lock
    on_tasks: Callable[[str, str, Sequence[TaskRecord]], None]
    in_threads: Callable[[Sequence[Callable[[], None]]], None]


@dataclass(frozen=True)
class Lane:
    """Scenarios that one thread plays one after another; several lanes may share a queue.

    Attributes:
        length_s: How long its longest scenario takes.
    """

    slot: WorkerSlot
    queue: deque[Scenario]
    length_s: float
