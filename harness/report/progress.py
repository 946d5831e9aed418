"""What a person sees while a run goes on: a bar for each adapter on a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

from harness.judge import Status, Verdict
from harness.report.text import STYLES, plain
from harness.scenario import Scenario
from harness.summary import count

__all__ = ["BarListener", "LineListener"]

SHOWN_RUNNING = 3  # scenarios named beside a bar


class LineListener:
    """Prints one line for each scenario as its verdicts become known."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def phase(self, adapter: str, text: str) -> None:
        """Say what an adapter's run has come to."""
        self._print(f"{adapter}: {text}")

    def started(self, adapter: str, scenario: Scenario, forecast_s: float) -> None:
        """Say nothing: the end of a scenario is the news."""

    def finished(self, adapter: str, scenario: Scenario, verdicts: Sequence[Verdict], *, final: bool) -> None:
        """Say what became of a scenario."""
        again = "" if final else " for now (suspected, and played again alone at the end)"
        counts = count(verdicts)
        told = ", ".join(f"{number} {status.value}" for status, number in sorted(counts.items()))
        self._print(f"{adapter}: {scenario.id}: {told}{again}")

    def _print(self, line: str) -> None:
        with self._lock:
            self._console.print(plain(line), markup=False, highlight=False, soft_wrap=True)


class BarListener:
    """Shows a bar for each adapter, what runs now, and the time that is left."""

    def __init__(self, console: Console, adapters: Sequence[str], scenarios: int) -> None:
        self._lock = threading.Lock()
        self._progress = Progress(
            TextColumn("{task.fields[adapter]}", table_column=Column(no_wrap=True)),
            BarColumn(bar_width=20, table_column=Column(no_wrap=True, min_width=20)),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            TimeElapsedColumn(table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[counts]}", table_column=Column(no_wrap=True)),
            TextColumn(
                "[dim]{task.fields[running]}[/dim]",
                table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1),  # it alone gives way
            ),
            console=console,
            transient=True,
            expand=True,
        )
        self._bars: dict[str, TaskID] = {
            name: self._progress.add_task(
                "", total=scenarios, adapter=escape(plain(name)), counts="", running=""
            )
            for name in adapters
        }
        self._done: dict[str, dict[str, Sequence[Verdict]]] = {name: {} for name in adapters}
        self._unsettled: dict[str, set[str]] = {name: set() for name in adapters}
        self._running: dict[str, dict[str, float]] = {name: {} for name in adapters}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def phase(self, adapter: str, text: str) -> None:
        """Show what an adapter's run has come to."""
        self._progress.update(self._bars[adapter], running=escape(plain(text)))

    def started(self, adapter: str, scenario: Scenario, forecast_s: float) -> None:
        """Show that a scenario runs."""
        with self._lock:
            self._running[adapter][scenario.id] = time.monotonic() + forecast_s
        self._show(adapter)

    def finished(self, adapter: str, scenario: Scenario, verdicts: Sequence[Verdict], *, final: bool) -> None:
        """Show the verdicts of a scenario."""
        with self._lock:
            self._running[adapter].pop(scenario.id, None)
            self._done[adapter][scenario.id] = verdicts
            self._unsettled[adapter].discard(scenario.id)
            if not final:
                self._unsettled[adapter].add(scenario.id)
        self._show(adapter)

    def _show(self, adapter: str) -> None:
        with self._lock:
            done = self._done[adapter]
            running = sorted(self._running[adapter], key=self._running[adapter].__getitem__)
            again = len(self._unsettled[adapter])
            counts = count(verdict for verdicts in done.values() for verdict in verdicts)
        parts = [
            f"[{STYLES[status]}]{counts[status]} {status.value}[/]"
            for status in (Status.PASS, Status.FAIL, Status.WARN, Status.INCONCLUSIVE, Status.ERROR)
            if counts[status]
        ]
        if again:
            parts.append(f"[magenta]{again} to play again alone[/]")
        shown = ", ".join(running[:SHOWN_RUNNING])
        more = f" and {len(running) - SHOWN_RUNNING} more" if len(running) > SHOWN_RUNNING else ""
        self._progress.update(
            self._bars[adapter],
            completed=len(done),
            counts=" ".join(parts),
            running=escape(plain(shown + more)),
        )
