"""One run: a suite, any number of adapters, one mock server, and verdicts as they become known.

The phases: start and greet each adapter; ask non-blocking adapters for two waits at once, while nothing else
happens; warm every client; play everything along the schedule; re-run together, a few at a time, what looks
suspicious. Each adapter has its own threads, and nothing that one of them does costs another a verdict. An
error of the harness itself ends the run at once, and every such error is raised.
"""

from __future__ import annotations

import contextlib
import functools
import shlex
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime

from waitproof.adapter import AdapterCommand
from waitproof.errors import HarnessError, InputError, Mistake
from waitproof.judge import Ended, JournalEntry, Status, TaskRecord
from waitproof.mock import ServerProcess
from waitproof.run.baseline import Baseline, Stale
from waitproof.run.budget import Budget
from waitproof.run.context import RunContext
from waitproof.run.endings import note_endings
from waitproof.run.listener import FirstFailure, Listener, LivePoll, SilentListener
from waitproof.run.rerun import QUIET_WAITS, play_together
from waitproof.run.result import AdapterResult, RunResult, ScenarioResult, Stray
from waitproof.run.session import AdapterSession
from waitproof.run.workers import Processes
from waitproof.suite import Scenario, Suite
from waitproof.text import escape

__all__ = ["Runner"]

START_LIMIT_S = 60.0  # a JVM on a busy machine, a first compilation
WATCH_S = 0.1  # between two looks at the server while nothing else happens


class Runner:
    """Runs scenarios against adapters; `run` blocks, `cancel` may be called from another thread.

    Attributes:
        result: What is known so far.
    """

    def __init__(
        self,
        suite: Suite,
        adapters: Sequence[AdapterCommand],
        *,
        scenarios: Sequence[Scenario] | None = None,
        baselines: Sequence[Baseline] | None = None,
        knows_suite: bool = True,
        listener: Listener | None = None,
        on_poll: Callable[[LivePoll], None] | None = None,
        port: int = 0,
        stop_at: Collection[Status] = (),
        start_limit_s: float = START_LIMIT_S,
    ) -> None:
        """Make a runner that has started nothing yet.

        Args:
            suite: The contract and all its scenarios.
            adapters: What to start, prepared.
            scenarios: Which to play, all by default.
            baselines: The known deviations of each adapter, in the order of the adapters; none by default.
            knows_suite: Whether `suite` has every scenario that there is: without that, nobody can say that
                an entry of a baseline matches nothing.
            listener: Follows the run.
            on_poll: Called for each poll as it arrives, by the thread that reads from the server: nothing
                else comes in while it runs, so it must take microseconds and never raise.
            port: Port of the mock server, 0 for one that the system chooses.
            stop_at: Statuses of verdicts the first of which ends the run, once it is final and not excused.
            start_limit_s: How long an adapter may take to say hello.

        Raises:
            InputError: Two adapters have one name, and nobody could tell their verdicts apart.
        """
        _check_names(adapters)
        self._suite = suite
        self._scenarios = tuple(suite.scenarios if scenarios is None else scenarios)
        self._commands = tuple(adapters)
        self._baselines = tuple(baselines or [Baseline()] * len(adapters))
        self._knows_suite = knows_suite
        self._first_failure = FirstFailure(listener or SilentListener(), stop_at, self._stop_early)
        self._on_poll = on_poll
        self._port = port
        self._stopping = threading.Event()
        self._cancelled = threading.Event()
        self._errors: list[BaseException] = []
        self._owners: dict[str, tuple[str, str, int]] = {}  # of each task: adapter, scenario, copy
        self._processes = Processes(suite.contract.environment, start_limit_s, self._stopping)
        self._budget = Budget(self._stopping)
        self._quiet_budget = Budget(self._stopping, max_live=QUIET_WAITS)
        self.result = RunResult(suite, datetime.now(UTC))
        self.result.whole = knows_suite and self._scenarios == suite.scenarios
        self.result.adapters = [
            AdapterResult(
                command.name,
                scenarios={each.id: ScenarioResult(each) for each in self._scenarios},
                argument=command.argument,
                baseline=baseline.file,
            )
            for command, baseline in zip(adapters, self._baselines, strict=True)
        ]

    def run(self) -> RunResult:
        """Run everything and return the result; an error of an adapter becomes ERROR verdicts.

        Raises:
            HarnessError: The mock server could not be started, or died.
            InputError: Its port is in use.
            BaseExceptionGroup: There were several errors, of the server or of our own code.
        """
        began_s = time.monotonic()
        self.result.origin_ns = time.monotonic_ns()
        try:
            with ServerProcess(self._suite.contract, port=self._port) as server:
                self._run(server)
        finally:
            self.result.seconds = time.monotonic() - began_s
            self.result.interrupted = self._cancelled.is_set()
            if self.result.stopped:
                self._forget_unsettled()
            for number, adapter in enumerate(self.result.adapters):
                adapter.stale = self.stale(number)
        if len(self._errors) > 1:
            raise BaseExceptionGroup("several errors ended the run", self._errors)
        if self._errors:
            raise self._errors[0]
        return self.result

    def process_groups(self) -> list[int]:
        """Return the ids of the adapters' process groups, for a benchmark that stops them at random."""
        return self._processes.process_groups()

    def cancel(self) -> None:
        """End the run as soon as possible; what is known so far stays in `result`."""
        self._cancelled.set()
        self._stop()

    def _stop_early(self) -> None:
        self.result.stopped = True
        threading.Thread(target=self._stop, daemon=True).start()  # a listener must not block

    def _forget_unsettled(self) -> None:
        """Take back verdicts that a re-run, which was not made, could have changed."""
        for adapter in self.result.adapters:
            for name, played in adapter.scenarios.items():
                if (adapter.name, name) not in self._first_failure.final:
                    played.verdicts = ()
                    self.result.whole = False

    def stale(self, number: int) -> tuple[Stale, ...]:
        """Return the stale entries of an adapter's baseline as far as is known; `number` counts from 0."""
        adapter = self.result.adapters[number]
        proves = {scenario.id: scenario.proves for scenario in self._suite.scenarios}
        return self._baselines[number].stale(
            list(adapter.verdicts()),
            proves if self._knows_suite else None,
            [requirement.id for requirement in self._suite.contract.requirements],
            adapter=shlex.quote(adapter.argument or adapter.name),
        )

    # --- phases ---

    def _run(self, server: ServerProcess) -> None:
        context = RunContext(
            contract=self._suite.contract,
            scenarios=self._scenarios,
            server=server,
            processes=self._processes,
            budget=self._budget,
            quiet_budget=self._quiet_budget,
            listener=self._first_failure,
            stopping=self._stopping,
            fixed_ids=threading.Lock(),
            on_tasks=self._own,
            in_threads=functools.partial(self._in_threads, server),
        )
        sessions = [
            AdapterSession(context, command, result, baseline)
            for command, result, baseline in zip(
                self._commands, self.result.adapters, self._baselines, strict=True
            )
        ]
        try:
            self._phases(server, sessions)
        except BaseException as error:  # noqa: BLE001 - raised by `run`, with those of the threads
            self._errors.append(error)
        self._processes.finish()
        for command, result in zip(self._commands, self.result.adapters, strict=True):
            note_endings(result, self._processes.endings(command))
        claimed = {serial for session in sessions for serial in session.claimed}
        self.result.strays_left_out = server.unnamed_left_out
        with contextlib.suppress(HarnessError):  # a dead server has none, and its failure is raised
            self.result.strays = tuple(
                Stray(each, self._late_for(each), self._scenarios_on(server, each.connection))
                for each in server.unnamed()
                if each.serial not in claimed
            )
        if server.failure is not None and not self._cancelled.is_set():
            self._errors.append(server.failure)

    def _phases(self, server: ServerProcess, sessions: Sequence[AdapterSession]) -> None:
        if self._on_poll is not None:
            server.subscribe(self._on_entry)
        self._in_threads(server, [session.greet for session in sessions])
        self._in_threads(server, [session.start_interleaving for session in sessions])
        self._in_threads(server, [session.play_interleaving for session in sessions])
        for session in sessions:
            self._in_threads(server, [session.settle_interleaving])
        self._in_threads(server, [session.prepare for session in sessions])
        lanes = [(session, lane) for session in sessions for lane in session.lanes]
        lanes.sort(key=lambda pair: pair[1].length_s, reverse=True)
        self._in_threads(server, [functools.partial(session.play, lane) for session, lane in lanes])
        self._processes.finish()
        while reruns := [rerun for session in sessions for rerun in session.next_reruns()]:
            play_together(reruns, self._quiet_budget, functools.partial(self._in_threads, server))

    def _in_threads(self, server: ServerProcess, bodies: Sequence[Callable[[], None]]) -> None:
        """Run each body in a thread and wait for the last; an error in one of them stops the run."""

        def guarded(body: Callable[[], None]) -> None:
            try:
                body()
            except BaseException as error:  # noqa: BLE001 - raised by `run`
                if not (isinstance(error, HarnessError) and server.failure is not None):  # raised once
                    self._errors.append(error)
                self._stop()

        threads = [threading.Thread(target=guarded, args=(body,), daemon=True) for body in bodies]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(WATCH_S)
                if server.failure is not None:
                    self._stop()

    def _stop(self) -> None:
        if not self._stopping.is_set():
            self._stopping.set()
            self._budget.wake()
            self._quiet_budget.wake()
            self._processes.stop()

    # --- polls ---

    def _scenarios_on(self, server: ServerProcess, connection: int) -> tuple[str, ...]:
        """Return the scenarios whose requests came on a connection, each with its adapter."""
        owners = {self._owner_of(task_id) for task_id in server.tasks_on(connection)}
        return tuple(sorted(owners - {""}))

    def _late_for(self, entry: JournalEntry) -> str:
        """Return whose task a poll asks for that the server has forgotten since its scenario ended, or ""."""
        contract = self._suite.contract
        is_poll = entry.method == contract.endpoint.method
        return self._owner_of(contract.task_id_in(entry.path)) if is_poll else ""

    def _owner_of(self, task_id: str) -> str:
        """Return a task's adapter and scenario, "" where nobody owns it."""
        adapter, scenario, _ = self._owners.get(task_id, ("", "", 0))
        return f"{adapter}: {scenario}" if scenario else ""

    def _own(self, adapter: str, scenario: str, tasks: Sequence[TaskRecord]) -> None:
        """Remember which adapter and scenario own these tasks."""
        for task in tasks:
            self._owners[str(task.task_id)] = (adapter, scenario, task.n)

    def _on_entry(self, entry: JournalEntry) -> None:
        owner = self._owners.get(entry.task_id or "")
        if owner is not None and entry.kind == "poll" and entry.ended is Ended.IN_FLIGHT:
            assert self._on_poll is not None
            self._on_poll(LivePoll(*owner, entry.status))


def _check_names(adapters: Sequence[AdapterCommand]) -> None:
    for name, number in Counter(escape(command.name) for command in adapters).items():
        if number > 1:
            fact = f"{number} adapters are called '{name}'"
            raise InputError(Mistake("adapters", fact, fix="give each another 'name' in its adapter.yaml"))
