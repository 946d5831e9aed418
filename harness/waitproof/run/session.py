"""One adapter in a run: from its introduction to the last isolated re-run.

The runner calls `greet`, `settle_interleaving`, `prepare`, then `play` for each lane in a thread of its own;
at the end it plays what `next_reruns` returns, until that is nothing. What is played when is `judge.policy`'s
decision; this module only plays it.
"""

from __future__ import annotations

import contextlib
import functools
import secrets
from collections.abc import Iterator, Sequence

from waitproof.adapter import AdapterCommand, AdapterProcess
from waitproof.errors import AdapterError, WaitproofError
from waitproof.judge import (
    NoAnswer,
    Observation,
    Round,
    RoundKind,
    Status,
    StillWaiting,
    Trial,
    TrialState,
    Verdict,
    rounds,
    unplayed,
)
from waitproof.protocol import Hello
from waitproof.run.baseline import Baseline
from waitproof.run.context import Lane, RunContext
from waitproof.run.player import Player
from waitproof.run.rerun import Rerun, play_together
from waitproof.run.result import AdapterResult
from waitproof.run.schedule import plan_processes
from waitproof.run.workers import Lease, WorkerSlot
from waitproof.simulate import Forecast, forecast, scale_for, scaled, waiting_once
from waitproof.suite import Scenario, WaitOptions

__all__ = ["AdapterSession"]

API_KEY = "waitproof-key"
MIN_LENGTH_S = 0.1  # over which a scenario's polls are spread, where the forecast is shorter


class AdapterSession:
    """Takes one adapter through the phases of a run.

    Attributes:
        lanes: What `prepare` has planned.
    """

    def __init__(
        self, run: RunContext, command: AdapterCommand, result: AdapterResult, baseline: Baseline
    ) -> None:
        """Make a session that has started nothing.

        Args:
            run: What all adapters share.
            command: What to start.
            result: Filled in as things become known.
            baseline: The adapter's known deviations.
        """
        self.lanes: list[Lane] = []
        self._run = run
        self._command = command
        self._result = result
        self._baseline = baseline
        on_tasks = functools.partial(run.on_tasks, command.name)
        self._player = Player(run.contract, run.server, run.stopping, on_tasks, run.fixed_ids)
        self._secret = secrets.token_hex(24)
        self._trials: dict[str, Trial] = {}
        self._scales: dict[str, int] = {}
        self._forecasts: dict[str, Forecast] = {}
        self._rounds: Iterator[Round] = iter(())
        self._scheduled: Round | None = None
        self._round: Round | None = None  # the latest, if it is one of re-runs
        self._reruns: list[Rerun] = []
        self._is_done = False
        self._published: dict[str, tuple[tuple[Verdict, ...], TrialState]] = {}

    @property
    def claimed(self) -> set[int]:
        """Serials of strays that turned out to be a scenario's."""
        return self._player.claimed

    # --- phases ---

    def greet(self) -> None:
        """Start a first process and find out what the adapter can do."""
        self._phase("starting")
        try:
            process, hello = self._open()
        except AdapterError as error:
            if not self._run.stopping.is_set():
                self._fail(error)
            return
        self._result.hello = hello
        self._run.processes.close(process)
        for scenario in self._run.scenarios:
            self._add_trial(scenario, hello)
        self._rounds = rounds(self._run.contract, list(self._trials.values()), hello)

    def settle_interleaving(self) -> None:
        """Play what must be known before anything else runs."""
        slots: list[WorkerSlot] = []
        while not self._run.stopping.is_set() and (each := self._next_round()) is not None:
            if each.kind is RoundKind.SCHEDULED:
                self._scheduled = each
                break
            if each.kind is RoundKind.INTERLEAVING:
                self._phase("two waits at once")
                slots += [self._slot([trial.scenario.id]) for trial in each.trials]
                self._run.in_threads([functools.partial(self._try_start, slot) for slot in slots])
                self._run.in_threads(
                    [
                        functools.partial(self._play, slot, trial, each.hello)
                        for slot, trial in zip(slots, each.trials, strict=True)
                    ]
                )
            else:
                self._plan_reruns(each)
                play_together(self._reruns, self._run.quiet_budget, self._run.in_threads)
        for slot in slots:
            slot.close()

    def prepare(self) -> None:
        """Plan the lanes, start their processes and warm every client."""
        if self._scheduled is None or not self._scheduled.trials:
            return
        self._phase("warming up")
        scenarios = [trial.scenario for trial in self._scheduled.trials]
        limit = self._scheduled.hello.capabilities.max_concurrency
        for plan in plan_processes(self._run.contract, scenarios, self._length_s, limit):
            slot = self._slot(plan.clients)
            self.lanes += [Lane(slot, queue, self._length_s(queue[0])) for queue in plan.lanes]
        slots = dict.fromkeys(lane.slot for lane in self.lanes)
        self._run.in_threads([functools.partial(self._try_start, slot) for slot in slots])
        self._phase("running")

    def play(self, lane: Lane) -> None:
        """Play a lane's scenarios one after another."""
        assert self._scheduled is not None
        while not self._run.stopping.is_set():
            try:
                scenario = lane.queue.popleft()
            except IndexError:
                return
            ahead = self._forecasts[scenario.id]
            polls_per_s = ahead.polls / max(ahead.length_s, MIN_LENGTH_S)
            with self._run.budget.taken(scenario.parallel, polls_per_s):
                if not self._run.stopping.is_set():
                    self._play(lane.slot, self._trials[scenario.id], self._scheduled.hello)

    def next_reruns(self) -> list[Rerun]:
        """Judge what the last re-runs have seen, and return the next ones; none once all is settled."""
        each = self._next_round()
        if each is not None:
            self._plan_reruns(each)
        elif not self._is_done:
            self._is_done = True
            self._phase("done")
        return self._reruns

    def _next_round(self) -> Round | None:
        self._take_reruns()
        self._round = None if self._run.stopping.is_set() else next(self._rounds, None)
        for trial in self._trials.values():  # what other scenarios came to may have settled it
            if trial.verdicts and self._published.get(trial.scenario.id) != (trial.verdicts, trial.state):
                self._publish(trial)
        return self._round

    def _plan_reruns(self, each: Round) -> None:
        after_waits = each.kind is RoundKind.AFTER_WAITS
        self._reruns = [
            Rerun(
                trial,
                each.hello,
                self._slot([] if trial.scenario.cold else [trial.scenario.id]),
                self._observe_again,
                after_waits=after_waits,
            )
            for _ in range(each.copies)
            for trial in each.trials
        ]
        names = [trial.scenario.id for trial in each.trials]
        what = names[0] if len(names) == 1 else f"{len(names)} scenarios"
        self._phase(f"re-run {'after earlier waits' if after_waits else 'in isolation'}: {what}")

    def _take_reruns(self) -> None:
        reruns, self._reruns = self._reruns, []
        if self._run.stopping.is_set():
            return  # what was seen may have been cut short
        for trial in dict.fromkeys(rerun.trial for rerun in reruns):
            seen = [
                rerun.observation
                for rerun in reruns
                if rerun.trial is trial and rerun.observation is not None
            ]
            if not seen:
                trial.close(trial.verdicts)  # nothing more can be found out
            elif self._round is not None and self._round.kind is RoundKind.AFTER_WAITS:
                trial.add_after_waits(*seen)
            else:
                trial.add(*seen)
            self._publish(trial)

    # --- processes ---

    def _slot(self, clients: Sequence[str]) -> WorkerSlot:
        return WorkerSlot(
            self._command.name, functools.partial(self._open_warm, clients), self._run.processes.close
        )

    def _open(self) -> tuple[AdapterProcess, Hello]:
        process = self._run.processes.open(self._command)
        try:
            return process, process.hello(
                base_url=self._run.server.base_url, api_key=API_KEY, api_secret=self._secret
            )
        except AdapterError:
            self._run.processes.close(process)
            raise

    def _open_warm(self, clients: Sequence[str]) -> AdapterProcess:
        """Return a new process that has said hello and has warmed these clients."""
        process, hello = self._open()
        new = {each.scenario.id for each in self._trials.values() if each.state is TrialState.NEW}
        needed = [client for client in clients if client in new] or list(clients)
        if self._player.knows_hangs:
            needed = needed[:1]  # that one will hang as well, and the process is replaced
        for client in needed:
            if self._run.stopping.is_set() or not self._player.warm(process, hello.capabilities, client):
                break  # an adapter that does not answer for one client won't for the next
        return process

    def _try_start(self, slot: WorkerSlot) -> None:
        with contextlib.suppress(AdapterError):  # the lane that needs it will report it
            slot.start()

    # --- one scenario ---

    def _add_trial(self, scenario: Scenario, hello: Hello) -> None:
        factor = scale_for(self._run.contract, scenario, hello.capabilities)
        played = scaled(scenario, factor or 1)
        trial = Trial(self._run.contract, played, self._baseline.known(played))
        self._trials[scenario.id] = trial
        self._scales[scenario.id] = factor or 1
        self._forecasts[scenario.id] = forecast(self._run.contract, played)
        self._result.scenarios[scenario.id].observations = trial.observations
        if factor is None:
            reason = "the helper's options are too coarse for it, even multiplied to a minute"
            trial.close(unplayed(self._run.contract, scenario, Status.UNSUPPORTED, reason, hello))
            self._publish(trial)

    def _length_s(self, scenario: Scenario) -> float:
        return self._forecasts[scenario.id].length_s

    def _play(self, slot: WorkerSlot, trial: Trial, hello: Hello) -> None:
        self._started(trial)
        try:
            with slot.lease(_first_wait(trial.scenario)) as lease:
                observation = self._observe(lease, trial, hello)
            if lease.shared and lease.lost and not self._run.stopping.is_set():
                observation = self._observe_apart(trial, hello)
        except WaitproofError as error:
            if not self._run.stopping.is_set():
                contract = self._run.contract
                trial.close(unplayed(contract, trial.scenario, Status.ERROR, str(error), hello))
                self._publish(trial)
            return
        self._add(trial, observation)

    def _observe(self, lease: Lease, trial: Trial, hello: Hello, *, isolated: bool = False) -> Observation:
        name = trial.scenario.id
        observation = self._player.play(
            lease.process,
            hello,
            trial.scenario,
            client=name,
            scale=self._scales[name],
            alone=isolated,
            earlier_waits=lease.earlier_waits,
        )
        lost = (call.seen.message for call in observation.calls if isinstance(call.seen, NoAnswer))
        lease.lost = next(lost, "")
        lease.stuck = any(isinstance(call.seen, StillWaiting) for call in observation.calls)
        return observation

    def _observe_apart(self, trial: Trial, hello: Hello) -> Observation:
        """Play a scenario in a fresh warm process that is ended afterwards."""
        slot = self._slot([] if trial.scenario.cold else [trial.scenario.id])
        try:
            with slot.lease() as lease:
                return self._observe(lease, trial, hello)
        finally:
            slot.close()

    def _observe_again(
        self, lease: Lease, trial: Trial, hello: Hello, earlier_waits: Sequence[WaitOptions]
    ) -> Observation:
        """Play a scenario again, after waits with these options by other clients of the same process."""
        for number, options in enumerate(earlier_waits, 1):
            earlier = waiting_once(self._run.contract, options)
            self._player.play(lease.process, hello, earlier, client=f"earlier-{number}")
        self._started(trial)
        return self._observe(lease, trial, hello, isolated=True)

    def _add(self, trial: Trial, observation: Observation) -> None:
        if self._run.stopping.is_set():
            return  # what was seen may have been cut short
        trial.add(observation)
        self._publish(trial)

    # --- what becomes known ---

    def _phase(self, text: str) -> None:
        self._run.listener.phase(self._command.name, text)

    def _started(self, trial: Trial) -> None:
        scenario = self._result.scenarios[trial.scenario.id].scenario
        self._run.listener.started(self._command.name, scenario, self._length_s(scenario))

    def _publish(self, trial: Trial) -> None:
        self._published[trial.scenario.id] = trial.verdicts, trial.state
        self._report(trial.scenario.id, trial.verdicts, final=trial.state is TrialState.SETTLED)

    def _fail(self, error: AdapterError) -> None:
        """Give every scenario ERROR verdicts with the same reason."""
        self._result.error = str(error)
        for scenario in self._run.scenarios:
            verdicts = unplayed(self._run.contract, scenario, Status.ERROR, str(error))
            self._report(scenario.id, verdicts, final=True)

    def _report(self, scenario_id: str, verdicts: Sequence[Verdict], *, final: bool) -> None:
        result = self._result.scenarios[scenario_id]
        hello = self._result.hello
        missing_helper = ""
        if hello is not None and not hello.capabilities.wait:
            requirements = self._run.contract.requirements
            missing_helper = next((each.id for each in requirements if each.check == "helper_is_shipped"), "")
        result.verdicts = self._baseline.excuse(verdicts, lacked=missing_helper)
        self._run.listener.finished(self._command.name, result.scenario, result.verdicts, final=final)


def _first_wait(scenario: Scenario) -> WaitOptions | None:
    makes_one = any(call.wait is not None for call in scenario.calls)
    return scenario.wait_options if makes_one else None
