"""What changes, as server-sent events: the newest tasks that fit a search, and scenario files with mistakes.

The first events tell everything there is, so that a page that is loaded again has lost nothing.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

from waitproof.judge import Progress
from waitproof.serve import models
from waitproof.serve.manager import TaskManager
from waitproof.serve.waits import Waits
from waitproof.suite import Json

__all__ = ["stream"]

MAX_LIVE = 200  # tasks whose changes are sent: more rows than anybody looks at
PAUSE_S = 0.1  # ten updates a second look live, and cost little
RETRY_MS = 1000  # until a browser connects again; its default is three times that
PING_EVERY = 100  # pauses without news, until a comment shows that the connection is alive


def stream(manager: TaskManager, waits: Waits, closing: threading.Event, text: str) -> Iterator[bytes]:
    """Yield events, about tasks that have this text in their id or scenario, until `closing` is set."""
    yield f"retry: {RETRY_MS}\n\n".encode()
    with waits.watched():
        changes = _Changes(manager, text)
        quiet = 0
        while True:
            events = list(changes.next())
            yield from events
            quiet = 0 if events else quiet + 1
            if quiet and quiet % PING_EVERY == 0:
                yield b": still here\n\n"
            if closing.wait(PAUSE_S):
                return


class _Changes:
    """What has been sent to one listener."""

    def __init__(self, manager: TaskManager, text: str) -> None:
        self._manager = manager
        self._text = text
        self._version = -1
        self._sent: dict[int, tuple[int, str | int]] = {}  # version and id of each task, by its number
        self._broken: list[Json] | None = None

    def next(self) -> Iterator[bytes]:
        """Yield the events of what has changed since the last call."""
        version = self._manager.version  # read first: what changes from now on is sent next time
        if version != self._version:
            yield _event("tasks", self._tasks().model_dump(mode="json"))
            self._version = version
        catalog = self._manager.catalog
        broken = [models.Scenario.of(each).model_dump() for each in catalog.known() if each.mistakes]
        if broken != self._broken:
            self._broken = broken
            yield _event("broken", broken)

    def _tasks(self) -> models.Changes:
        newest = {task.number: task for task in self._manager.newest(MAX_LIVE, self._text)}
        gone = [self._sent.pop(number)[1] for number in self._sent.keys() - newest.keys()]
        changed = [
            view
            for number, task in newest.items()
            if self._sent.get(number, (-1,))[0] != task.version and (view := task.view())
        ]
        self._sent |= {view.number: (view.version, view.task_id) for view in changed}
        remaining = {task_id for _, task_id in self._sent.values()}
        progress = [task.progress for task in self._manager.tasks()]
        return models.Changes(
            tasks=[models.Task.of(view, max_polls=models.MAX_POLLS_LISTED) for view in changed],
            gone=[task_id for task_id in gone if task_id not in remaining],
            all=self._version < 0,
            count=len(progress),
            progress={each: progress.count(each) for each in Progress},
        )


def _event(name: str, value: Json) -> bytes:
    return f"event: {name}\ndata: {json.dumps(value)}\n\n".encode()
