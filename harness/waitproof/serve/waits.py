"""When a client's wait on a served task is judged, and who is told.

A wait is judged when somebody looks at its task, and by the watcher's thread when it may be over. What can be
said of it is `verdicts`'s business, which is imported with the judge when there is a wait to judge: the first
poll is answered sooner without it.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from waitproof.judge import Progress
from waitproof.mock import LagMeter
from waitproof.serve.manager import TaskManager
from waitproof.serve.task import ServedTask, TaskView

if TYPE_CHECKING:
    from waitproof.serve.verdicts import WaitJudge

__all__ = ["Waits"]

MAX_JUDGED_AT_ONCE = 10  # takes some ten milliseconds
_log = logging.getLogger(__name__)


class Waits:
    """Judges the waits on a manager's tasks; any thread may ask."""

    def __init__(self, manager: TaskManager, on_over: Callable[[TaskView], None] | None = None) -> None:
        """Judge nothing yet; `on_over` is called when a wait is over, and again when more came after it."""
        self._manager = manager
        self.on_over = on_over or (lambda _view: None)
        self._lock = threading.Lock()
        self._watchers = 0 if on_over is None else 1
        self.lag = LagMeter()

    def view(self, task_id: str) -> TaskView | None:
        """Return a task as it is now, with what can be said of its wait; None if there is no such task."""
        while (task := self._manager.get(task_id)) is not None:
            view = self._judged(task)
            if view is not None:  # else the task has been deleted or replaced since
                return view
        return None

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Have `judge_some` judge waits while the context lasts.

        Judging takes a millisecond. Where thousands of clients wait and nobody watches, that would only make
        the server late.
        """
        with self._lock:
            self._watchers += 1
        try:
            yield
        finally:
            with self._lock:
                self._watchers -= 1

    def judge_some(self) -> None:
        """Judge a few of the waits that may be over, if anybody watches."""
        if self._watchers:
            self.judge_all(MAX_JUDGED_AT_ONCE)

    def judge_all(self, most: int | None = None) -> None:
        """Judge every wait that may be over, or that many: those that were judged longest ago."""
        now_ns = time.monotonic_ns()
        found = [task for task in self._manager.tasks() if task.is_worth_judging(now_ns)]
        for task in sorted(found, key=lambda task: task.judged_ns)[:most]:
            self._judge(task)

    def _judge(self, task: ServedTask) -> None:
        """Judge a wait, and report it if it is over; an error concerns this task alone."""
        now_ns = time.monotonic_ns()
        task.begin_judging(now_ns)
        try:
            view = self._judged(task)
            if view is not None and task.is_to_be_reported(view.wait, now_ns):
                self._manager.touch(task)
                self.on_over(view)
        except Exception:  # noqa: BLE001 - a check, or `on_over`, may raise anything
            _log.exception("the wait on task %r could not be judged", task.task_id)

    @cached_property
    def _wait_judge(self) -> WaitJudge:
        from waitproof.serve.verdicts import WaitJudge  # noqa: PLC0415 - see the module's docstring

        return WaitJudge(self._manager.contract)

    def _judged(self, task: ServedTask) -> TaskView | None:
        """Return the task as it is now with the verdicts about its wait, and have it keep them."""
        view = task.view()
        if view is None:
            return None
        last_ns = max((entry.answered_ns or view.now_ns for entry in view.requests), default=view.now_ns)
        ended_ns = min(view.now_ns, last_ns + int(task.watch_ns))
        lag_s = self.lag.worst_between(view.origin_ns, ended_ns)
        progress, verdicts = self._wait_judge.judge(view, ended_ns=ended_ns, lag_s=lag_s)
        task.set_verdicts(view.wait, progress, verdicts)
        if not progress.is_over:
            progress = Progress.POLLING if view.count else Progress.IDLE
        return replace(view, progress=progress, verdicts=verdicts)
