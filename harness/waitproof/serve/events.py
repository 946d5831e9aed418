"""What changes, as server-sent events: the newest tasks that fit a search, and scenario files with mistakes.

The first events tell everything there is, so that a page that is loaded again has lost nothing.

One fact to know before reading on: what all listeners see is made once, as a `_Frame`, at most ten times a
second and in at most a tenth of the time, however many of them there are. Each is sent the difference
between the frame that it had last and the one that there is when it can take more. So a slow reader gets
fewer and larger events and nothing waits for it; one that takes nothing for as long as any client may is
dropped by the server.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field

from waitproof.errors import Mistake
from waitproof.judge import Progress
from waitproof.serve import models
from waitproof.serve.manager import TaskManager
from waitproof.serve.request import Refused
from waitproof.serve.waits import Waits

__all__ = ["MAX_STREAMS", "EventStreams"]

MAX_STREAMS = 64  # each has a thread: a few pages for everybody who works with one server
MAX_LIVE = 200  # tasks whose changes are sent: more rows than anybody looks at
PAUSE_S = 0.1  # ten updates a second look live, and cost little
MAX_SHARE = 0.1  # of the time that frames may take from those who poll
MAX_REST_S = 1.0  # even if a busy machine lets one take long
RETRY_MS = 1000  # until a browser connects again; its default is three times that
PING_EVERY = 100  # pauses without news, until a comment shows that the connection is alive


@dataclass(frozen=True)
class _Row:
    """A task as it is sent."""

    version: int
    task_id: str | int
    text: str


@dataclass(frozen=True)
class _Frame:
    """Everything that a listener sees at one moment.

    Attributes:
        version: The manager's; what has changed since is in the next frame.
        rows: The newest tasks by number.
        tail: The members of `Changes` that concern all tasks, as JSON without the opening brace.
    """

    version: int
    made_s: float
    rows: Mapping[int, _Row]
    tail: str
    broken: str
    differences: dict[int, bytes] = field(default_factory=dict)  # by the version of the frame before


class EventStreams:
    """The streams of one server; any thread may open one."""

    def __init__(self, manager: TaskManager, waits: Waits, closing: threading.Event) -> None:
        """Have no stream yet; all end when `closing` is set."""
        self._manager = manager
        self._waits = waits
        self._closing = closing
        self._lock = threading.Lock()
        self._watching: Counter[str] = Counter()  # streams by the text that they search for
        self._frames: dict[str, _Frame] = {}
        self._rows: dict[int, _Row] = {}  # of all frames
        self._tail = -1, ""  # by the manager's version
        self._rests_until_s = 0.0

    def open(self, text: str) -> Generator[bytes]:
        """Return the events about tasks that have this text in their id or scenario.

        Raises:
            Refused: There are too many streams.
        """
        with self._lock:
            self._check_room()
        return self._stream(text.casefold())

    def _check_room(self) -> None:
        if self._watching.total() >= MAX_STREAMS:
            fact = f"{MAX_STREAMS} pages and programs are watching already"
            raise Refused(503, Mistake("", fact, fix="close some of them, and try again"))

    def _stream(self, text: str) -> Generator[bytes]:
        with self._lock:
            self._check_room()  # again: many may have been opened at once
            self._watching[text] += 1
        try:
            with self._waits.watched():
                yield f"retry: {RETRY_MS}\n\n".encode()
                yield from self._events(text)
        finally:
            with self._lock:
                self._watching[text] -= 1
                if not self._watching[text]:
                    del self._watching[text]
                    self._frames.pop(text, None)

    def _events(self, text: str) -> Iterator[bytes]:
        listener = _Listener()
        quiet = 0
        while True:
            events = listener.next(self._frame(text))
            yield from events
            quiet = 0 if events else quiet + 1
            if quiet and quiet % PING_EVERY == 0:
                yield b": still here\n\n"
            if self._closing.wait(PAUSE_S):
                return

    def _frame(self, text: str) -> _Frame:
        """Return what there is to see; made again only if nobody has made it lately."""
        with self._lock:
            frame = self._frames.get(text)
            began_s = time.monotonic()
            if frame is not None and began_s < max(self._rests_until_s, frame.made_s + PAUSE_S):
                return frame
            frame = self._frames[text] = self._made(text, frame, began_s)
            ended_s = time.monotonic()
            self._rests_until_s = ended_s + min(MAX_REST_S, (ended_s - began_s) / MAX_SHARE)
            return frame

    def _made(self, text: str, before: _Frame | None, now_s: float) -> _Frame:
        version = self._manager.version  # read first: what changes from now on is in the next frame
        known = self._manager.catalog.known()
        broken = json.dumps([models.Scenario.of(each).model_dump() for each in known if each.mistakes])
        if before is not None and before.version == version:
            return _Frame(version, now_s, before.rows, before.tail, broken, before.differences)
        rows: dict[int, _Row] = {}
        for task in self._manager.newest(MAX_LIVE, text):
            row = self._rows.get(task.number)
            if row is None or row.version != task.version:
                view = task.view(newest=models.MAX_POLLS_LISTED)
                if view is None:
                    continue
                listed = models.Task.of(view, max_polls=models.MAX_POLLS_LISTED).model_dump(mode="json")
                row = self._rows[task.number] = _Row(view.version, view.task_id, json.dumps(listed))
            rows[task.number] = row
        shown = {number for each in self._frames.values() for number in each.rows} | rows.keys()
        self._rows = {number: row for number, row in self._rows.items() if number in shown}
        if self._tail[0] != version:
            tally = Counter(task.progress for task in self._manager.tasks())
            progress = {each: tally[each] for each in Progress}
            tail = {"count": tally.total(), "progress": progress, "forgotten": self._manager.forgotten}
            self._tail = version, json.dumps(tail).removeprefix("{")
        return _Frame(version, now_s, rows, self._tail[1], broken)


class _Listener:
    """What has been sent to one listener; not its frame, which one that takes its time would keep."""

    def __init__(self) -> None:
        self._version = -1
        self._sent: dict[int, str | int] = {}  # ids by number
        self._broken = ""

    def next(self, frame: _Frame) -> list[bytes]:
        """Return the events that lead from what has been sent to a frame."""
        events = []
        if frame.version != self._version:
            event = frame.differences.get(self._version)  # most listeners have had the same frame
            if event is None:
                event = frame.differences[self._version] = self._difference(frame)
            events.append(event)
            self._version = frame.version
            self._sent = {number: row.task_id for number, row in frame.rows.items()}
        if frame.broken != self._broken:
            events.append(_event("broken", frame.broken))
            self._broken = frame.broken
        return events

    def _difference(self, frame: _Frame) -> bytes:
        changed = ", ".join(
            row.text
            for number, row in frame.rows.items()
            if number not in self._sent or row.version > self._version
        )
        remaining = {row.task_id for row in frame.rows.values()}
        gone = [each for number, each in self._sent.items() if number not in frame.rows]
        gone = [each for each in gone if each not in remaining]
        is_all = "true" if self._version < 0 else "false"
        return _event(
            "tasks", f'{{"tasks": [{changed}], "gone": {json.dumps(gone)}, "all": {is_all}, {frame.tail}'
        )


def _event(name: str, data: str) -> bytes:
    return f"event: {name}\ndata: {data}\n\n".encode()
