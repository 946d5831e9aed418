"""What a run reports while it goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from waitproof.judge import Verdict
from waitproof.suite import Scenario

__all__ = ["Listener", "LivePoll", "SilentListener"]


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
