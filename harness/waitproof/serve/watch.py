"""The thread that watches over a server: waits that may be over, old tasks, scenario files that change."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from waitproof.serve.manager import TaskManager
from waitproof.serve.waits import Waits
from waitproof.suite import Change

__all__ = ["Watcher"]

PAUSE_S = 0.2  # between two rounds
FILES_PAUSE_S = 0.5  # between two looks at the scenario files
JOIN_S = 0.3
_log = logging.getLogger(__name__)


class Watcher:
    """The thread, and the event that ends it."""

    def __init__(
        self, manager: TaskManager, waits: Waits, on_change: Callable[[Change], None] | None = None
    ) -> None:
        """Make a thread that does not run yet; `on_change` is called when a scenario file has changed."""
        self._manager = manager
        self._waits = waits
        self._on_change = on_change or (lambda _change: None)
        self.closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._waits.lag.start()
        self._thread.start()

    def close(self) -> None:
        """Stop watching; the tasks stay as they are."""
        self.closing.set()
        self._waits.lag.stop()
        self._thread.join(JOIN_S)  # not for longer: a callback may hang

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def _run(self) -> None:
        looked_s = 0.0
        while not self.closing.wait(PAUSE_S):
            self._waits.judge_some()
            self._manager.forget_expired(time.monotonic_ns())
            if time.monotonic() - looked_s >= FILES_PAUSE_S:
                self._look_at_files()
                looked_s = time.monotonic()

    def _look_at_files(self) -> None:
        try:
            for change in self._manager.catalog.refresh():
                self._on_change(change)
        except Exception:  # noqa: BLE001 - a folder that cannot be listed, or a callback
            _log.exception("the scenario files could not be checked for changes")
