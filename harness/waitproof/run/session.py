"""One adapter in a run: from its introduction to the last isolated re-run.

The runner calls `greet`, `start_interleaving`, `play_interleaving`, `settle_interleaving` and `prepare`, then
`play` for each lane in a separate thread; at the end it plays what `next_reruns` returns, until that is
nothing. What is played when is `judge.policy`'s decision; this module only has it played.
"""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from waitproof.adapter import AdapterCommand
from waitproof.errors import AdapterError, WaitproofError
from waitproof.judge import (
    Observation,
    Round,
    RoundKind,
    Status,
    Trial,
    TrialState,
    Verdict,
    disproved,
    is_refused,
    rounds,
    unplayed,
)
from waitproof.protocol import Hello
from waitproof.run.baseline import Baseline
from waitproof.run.clock_jump import reason_against
from waitproof.run.confidential import environment_secrets
from waitproof.run.context import Lane, RunContext
from waitproof.run.player import Player
from waitproof.run.rerun import Rerun, play_together
from waitproof.run.result import AdapterResult
from waitproof.run.schedule import plan_processes
from waitproof.run.slots import API_KEY, Slots
from waitproof.run.slow_start import announced
from waitproof.run.stage import Stage
from waitproof.run.workers import WorkerSlot
from waitproof.simulate import (
    Forecast,
    ends_its_process,
    forecast,
    scale_for,
    scaled,
    with_required_options,
)
from waitproof.suite import Scenario

__all__ = ["AdapterSession"]

_Item = TypeVar("_Item")

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
        self._slots = Slots(run, command, self._player, self._secret, self._is_played)
        self._stage = Stage(run, result, self._player, self._slots, self._secret, self._started)
        self._result.secrets |= {self._secret, API_KEY, *environment_secrets(os.environ, command.env)}
        self._trials: dict[str, Trial] = {}
        self._forecasts: dict[str, Forecast] = {}
        self._rounds: Iterator[Round] = iter(())
        self._scheduled: Round | None = None
        self._round: Round | None = None  # the latest, if it is one of re-runs
        self._reruns: list[Rerun] = []
        self._endings = deque[tuple[Trial, ...]]()  # at most one, for the lane that is the first to have time
        self._interleaving: list[tuple[WorkerSlot, Trial, Hello]] = []
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
        slot = self._slots.fresh([])
        try:
            with announced(self._phase, self._run.processes.start_limit_s):
                slot.start()
        except AdapterError as error:
            if not self._run.stopping.is_set():
                self._fail(error)
            return
        self._slots.keep(slot)
        hello = self._slots.hello
        assert hello is not None
        self._result.hello = hello
        if reason := reason_against(self._command, hello.language):
            fact = f"it cannot be run with --clock-jump: {reason}"
            self._fail(AdapterError(f"{self._command.name}: {fact}"))
            return
        for scenario in self._run.scenarios:
            self._add_trial(scenario, hello)
        self._rounds = rounds(self._run.contract, list(self._trials.values()), hello)

    def start_interleaving(self) -> None:
        """Start the processes of the waits that must be known to interleave before anything else runs."""
        first = None if self._run.stopping.is_set() else self._next_round()
        if first is not None and first.kind is RoundKind.SCHEDULED:
            self._scheduled = first
        elif first is not None:
            self._phase("two waits at once")
            self._interleaving = [
                (self._slots.take([each.scenario.id]), each, first.hello) for each in first.trials
            ]
            self._run.in_threads(
                [functools.partial(self._try_start, slot) for slot, *_ in self._interleaving]
            )

    def play_interleaving(self) -> None:
        """Play them."""
        self._run.in_threads([functools.partial(self._play, *each) for each in self._interleaving])
        self._slots.keep(*(slot for slot, *_ in self._interleaving))

    def settle_interleaving(self) -> None:
        """Re-run what looks suspicious of them, so that the rest can be scheduled."""
        while self._scheduled is None and not self._run.stopping.is_set():
            if (each := self._next_round()) is None:
                break
            if each.kind is RoundKind.SCHEDULED:
                self._scheduled = each
            else:
                self._plan_reruns(each)
                play_together(self._reruns, self._run.quiet_budget, self._run.in_threads)

    def prepare(self) -> None:
        """Plan the lanes, start their processes and warm every client."""
        if self._scheduled is not None and self._scheduled.trials:
            self._phase("warming up")
            self._plan_lanes(self._scheduled)
            slots = dict.fromkeys(lane.slot for lane in self.lanes if lane.queue)
            self._run.in_threads([functools.partial(self._try_start, slot) for slot in slots])
            self._phase("running")
        self._slots.close()

    def _plan_lanes(self, scheduled: Round) -> None:
        capabilities = scheduled.hello.capabilities
        endings = [
            trial
            for trial in scheduled.trials
            if ends_its_process(self._run.contract, trial.scenario, capabilities)
        ]
        if endings:
            self._endings.append(tuple(endings))
        scenarios = [trial.scenario for trial in scheduled.trials if trial not in endings]
        if not scenarios:
            self.lanes.append(Lane(self._slots.fresh([]), deque(), 0.0))
            return
        for plan in plan_processes(
            self._run.contract, scenarios, self._length_s, capabilities.max_concurrency
        ):
            slot = self._slots.take(plan.clients)
            self.lanes += [Lane(slot, queue, self._length_s(queue[0])) for queue in plan.lanes]

    def play(self, lane: Lane) -> None:
        """Play a lane's scenarios one after another; the first one through plays what ends its process."""
        assert self._scheduled is not None
        hello = self._scheduled.hello
        while not self._run.stopping.is_set() and (scenario := _next(lane.queue)) is not None:
            trial = self._trials[scenario.id]
            self._in_turn(trial, functools.partial(self._play, lane.slot, trial, hello))
        if not self._run.stopping.is_set() and (endings := _next(self._endings)) is not None:
            self._play_endings(endings, hello)

    def _in_turn(self, trial: Trial, play: Callable[[], None]) -> None:
        ahead = self._forecasts[trial.scenario.id]
        polls_per_s = ahead.polls / max(ahead.length_s, MIN_LENGTH_S)
        with self._run.budget.taken(trial.scenario.parallel, polls_per_s):
            if not self._run.stopping.is_set():
                play()

    def _play_endings(self, trials: Sequence[Trial], hello: Hello) -> None:
        """Play them together in one process, and each that is not through with it then in its own."""
        seen = self._stage.observe_together(trials, hello)
        for trial, observation in seen.items():
            self._add(trial, observation)
        remaining = [trial for trial in trials if trial not in seen]
        bodies = [functools.partial(self._play_apart, trial, hello) for trial in remaining]
        turns = zip(remaining, bodies, strict=True)
        self._run.in_threads([functools.partial(self._in_turn, *each) for each in turns])

    def next_reruns(self) -> list[Rerun]:
        """Judge what the last re-runs have seen, and return the next ones; none once all is settled."""
        each = self._next_round()
        if each is not None:
            self._plan_reruns(each)
        elif not self._is_done:
            self._is_done = True
            self._settle_refusals()
            self._phase("done")
        return self._reruns

    def _next_round(self) -> Round | None:
        self._take_reruns()
        self._round = None if self._run.stopping.is_set() else next(self._rounds, None)
        for trial in self._trials.values():  # what other scenarios came to may have settled it
            if trial.verdicts and self._published.get(trial.scenario.id) != (trial.verdicts, trial.state):
                self._publish(trial)
        return self._round

    def _settle_refusals(self) -> None:
        """Hold what the adapter refused to do against all that it did."""
        reasons = disproved({name: trial.observations for name, trial in self._trials.items()})
        for trial in filter(_has_refusal, self._trials.values()):
            if trial.scenario.id in reasons:
                trial.overrule(self._result.masked(reasons[trial.scenario.id]))
            self._publish(trial)

    def _plan_reruns(self, each: Round) -> None:
        after_waits = each.kind is RoundKind.AFTER_WAITS
        self._reruns = [
            Rerun(
                trial,
                each.hello,
                self._slots.fresh([] if trial.scenario.cold else [trial.scenario.id]),
                self._stage.observe_again,
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

    def _is_played(self, scenario_id: str) -> bool:
        trial = self._trials.get(scenario_id)
        return trial is not None and trial.state is not TrialState.NEW

    def _try_start(self, slot: WorkerSlot) -> None:
        with contextlib.suppress(AdapterError):  # the lane that needs it will report it
            slot.start()

    # --- one scenario ---

    def _add_trial(self, scenario: Scenario, hello: Hello) -> None:
        possible = with_required_options(self._run.contract, scenario, hello.capabilities)
        factor = scale_for(self._run.contract, possible, hello.capabilities)
        played = scaled(possible, factor or 1)
        trial = Trial(self._run.contract, played, self._baseline.known(played))
        self._trials[scenario.id] = trial
        self._stage.scales[scenario.id] = factor or 1
        self._forecasts[scenario.id] = forecast(self._run.contract, played)
        self._result.scenarios[scenario.id].observations = trial.observations
        if factor is None:
            reason = "the helper's options are too coarse for it, even multiplied to a minute"
            trial.close(unplayed(self._run.contract, scenario, Status.UNSUPPORTED, reason, hello))
            self._publish(trial)

    def _length_s(self, scenario: Scenario) -> float:
        return self._forecasts[scenario.id].length_s

    def _play(self, slot: WorkerSlot, trial: Trial, hello: Hello) -> None:
        with self._playing(trial, hello):
            self._add(trial, self._stage.observe(slot, trial, hello))

    def _play_apart(self, trial: Trial, hello: Hello) -> None:
        with self._playing(trial, hello):
            self._add(trial, self._stage.observe_apart(trial, hello))

    @contextlib.contextmanager
    def _playing(self, trial: Trial, hello: Hello) -> Iterator[None]:
        """Give a trial whose process cannot be started ERROR verdicts that say why.

        Raises:
            HarnessError: The server has died, which ends the run and is no verdict.
        """
        try:
            yield
        except WaitproofError as error:
            if self._run.server.failure is not None:
                raise
            if not self._run.stopping.is_set():
                why = self._result.masked(str(error))
                trial.close(unplayed(self._run.contract, trial.scenario, Status.ERROR, why, hello))
                self._publish(trial)

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
        is_final = trial.state is TrialState.SETTLED and (self._is_done or not _has_refusal(trial))
        self._report(trial.scenario.id, trial.verdicts, final=is_final)

    def _fail(self, error: AdapterError) -> None:
        """Give every scenario ERROR verdicts with the same reason."""
        self._result.error = self._result.masked(str(error))
        for scenario in self._run.scenarios:
            verdicts = unplayed(self._run.contract, scenario, Status.ERROR, self._result.error)
            self._report(scenario.id, verdicts, final=True)

    def _report(self, scenario_id: str, verdicts: Sequence[Verdict], *, final: bool) -> None:
        result = self._result.scenarios[scenario_id]
        hello = self._result.hello
        missing_helper = ""
        if hello is not None and not hello.capabilities.wait:
            requirements = self._run.contract.requirements
            missing_helper = next((each.id for each in requirements if each.check == "helper_is_shipped"), "")
        shown = map(self._result.masked_verdict, verdicts)
        result.verdicts = self._baseline.excuse(tuple(shown), lacked=missing_helper)
        self._run.listener.finished(self._command.name, result.scenario, result.verdicts, final=final)


def _has_refusal(trial: Trial) -> bool:
    return any(map(is_refused, trial.observations))


def _next(queue: deque[_Item]) -> _Item | None:
    """Take the next item of a queue that several threads share, None where there is none."""
    with contextlib.suppress(IndexError):
        return queue.popleft()
    return None
