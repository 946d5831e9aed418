"""What a run reports while it goes on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from waitproof.judge import Status, Verdict
from waitproof.suite import Scenario

__all__ = ["FirstFailure", "Listener", "LivePoll", "SilentListener"]


@dataclass(frozen=True)
class LivePoll:
    """A poll that has just arrived.

    Attributes:
        copy: Number of the copy whose task it asks for, from 1.
        status: The answer: a status, or the name of a fault.
    """

    adapter: str
    scenario: str
    copy: int
    status: str


class Listener(Protocol):
    """Follows a run; called from several threads, and must not block."""

    def phase(self, adapter: str, text: str) -> None:
        """An adapter's run has entered this phase."""

    def started(self, adapter: str, scenario: Scenario, forecast_s: float) -> None:
        """A scenario begins."""

    def finished(self, adapter: str, scenario: Scenario, verdicts: Sequence[Verdict], *, final: bool) -> None:
        """A scenario has its verdicts; they are not final while an isolated re-run may change one."""


class SilentListener:
    """A listener that ignores everything."""

    def phase(self, adapter: str, text: str) -> None:
        """Do nothing."""

    def started(self, adapter: str, scenario: Scenario, forecast_s: float) -> None:
        """Do nothing."""

    def finished(self, adapter: str, scenario: Scenario, verdicts: Sequence[Verdict], *, final: bool) -> None:
        """Do nothing."""


class FirstFailure:
    """A listener that passes everything on, and calls a function at each failure that is final.

    Attributes:
        final: Each adapter and scenario whose verdicts are final.
    """

    def __init__(
        self, listener: Listener, statuses: Collection[Status], on_failure: Callable[[], None]
    ) -> None:
        """Make a listener.

        Args:
            listener: Follows the run, too.
            statuses: Those of a failure, unless a baseline excuses it.
            on_failure: Must not block.
        """
        self.final: set[tuple[str, str]] = set()
        self.phase = listener.phase
        self.started = listener.started
        self._listener = listener
        self._statuses = frozenset(statuses)
        self._on_failure = on_failure

    def finished(self, adapter: str, scenario: Scenario, verdicts: Sequence[Verdict], *, final: bool) -> None:
        """A scenario has its verdicts."""
        self._listener.finished(adapter, scenario, verdicts, final=final)
        if final:
            self.final.add((adapter, scenario.id))
            if any(each.status in self._statuses and not each.excused for each in verdicts):
                self._on_failure()
