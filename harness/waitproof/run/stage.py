"""Plays an adapter's scenarios in its processes, and returns what was seen of each.

What happens in a scenario's process is the business of a `Player`. Here is which process that is, what it had
played before, how it ended, and what becomes of a scenario whose process others have broken.
"""

from __future__ import annotations

import contextlib
import functools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from waitproof.adapter import starvation
from waitproof.errors import WaitproofError
from waitproof.judge import (
    END_LIMIT_S,
    ENDS_WITHIN_S,
    NoAnswer,
    Observation,
    StillWaiting,
    Trial,
    secrets_of,
    without_secrets,
)
from waitproof.protocol import Hello
from waitproof.run.clock_jump import sees_a_jump
from waitproof.run.context import RunContext
from waitproof.run.player import Player
from waitproof.run.result import AdapterResult
from waitproof.run.slots import Slots
from waitproof.run.workers import Lease, WorkerSlot
from waitproof.simulate import ends_its_process, waiting_once
from waitproof.suite import Scenario, WaitOptions

__all__ = ["Stage"]


class Stage:
    """See the module.

    Attributes:
        scales: By which factor the durations of each scenario were multiplied.
    """

    def __init__(
        self,
        run: RunContext,
        result: AdapterResult,
        player: Player,
        slots: Slots,
        secret: str,
        on_start: Callable[[Trial], None],
    ) -> None:
        """Make a stage.

        Args:
            run: What all adapters share.
            result: Gets to know the secrets that are seen.
            player: Plays scenarios.
            slots: Where a scenario is played that needs a process for itself.
            secret: The api_secret that the clients sign with.
            on_start: Called when a scenario begins.
        """
        self.scales: dict[str, int] = {}
        self._run = run
        self._result = result
        self._player = player
        self._slots = slots
        self._secret = secret
        self._on_start = on_start

    def observe(self, slot: WorkerSlot, trial: Trial, hello: Hello) -> Observation:
        """Play a scenario beside others; again by itself where they may have broken its process.

        Raises:
            WaitproofError: No process could be started.
        """
        with slot.lease(_first_wait(trial.scenario)) as lease:
            self._on_start(trial)
            observation = self._observe(lease, trial, hello)
        if lease.shared and lease.lost and not self._run.stopping.is_set():
            return self.observe_apart(trial, hello)
        return observation

    def observe_apart(self, trial: Trial, hello: Hello) -> Observation:
        """Play a scenario in a fresh warm process that is ended afterwards.

        Raises:
            WaitproofError: It could not be started.
        """
        slot = self._fresh(trial)
        try:
            with slot.lease() as lease:
                self._on_start(trial)
                return self._observe_to_the_end(lease, trial, hello)
        finally:
            slot.close()

    def observe_again(
        self, lease: Lease, trial: Trial, hello: Hello, earlier_waits: Sequence[WaitOptions]
    ) -> Observation:
        """Play a scenario again, after waits with these options by other clients of the same process."""
        for number, options in enumerate(earlier_waits, 1):
            earlier = waiting_once(self._run.contract, options)
            self._player.play(lease.process, hello, earlier, client=f"earlier-{number}")
        self._on_start(trial)
        return self._observe_to_the_end(lease, trial, hello, isolated=True)

    def observe_together(self, trials: Sequence[Trial], hello: Hello) -> dict[Trial, Observation]:
        """Play scenarios that end their process in one, and end it.

        Returns:
            What was seen of each that says something about it: the process ended soon after its last
            outcome, or that never came. Otherwise another scenario may be to blame, or may have hidden what
            this one left behind for a while.
        """
        seen: dict[Trial, Observation] = {}
        over_s: dict[Trial, float] = {}
        slot = self._fresh(*trials)

        def observe(lease: Lease, trial: Trial) -> None:
            self._on_start(trial)
            seen[trial] = self._observe(lease, trial, hello)
            over_s[trial] = time.monotonic()

        try:
            with slot.lease() as lease:
                bodies = [functools.partial(observe, lease, trial) for trial in trials]
                if hello.capabilities.max_concurrency:
                    for body in bodies:
                        body()
                else:
                    self._run.in_threads(bodies)
                ended_s = lease.process.finish(END_LIMIT_S)
                now_s = time.monotonic()
        except WaitproofError:
            return {}
        finally:
            slot.close()
        is_answered = not any(isinstance(call.seen, NoAnswer) for one in seen.values() for call in one.calls)
        is_over = is_answered and ended_s is not None and ended_s < math.inf
        return {
            trial: replace(one, ended_s=ended_s)
            for trial, one in seen.items()
            if (is_over and now_s - over_s[trial] <= ENDS_WITHIN_S) or _is_stuck(one)
        }

    @staticmethod
    def _polls_of_a_thread(observation: Observation) -> int:
        polls = [len(task.polls) for task in observation.tasks]
        return max(1, sum(polls) if observation.hello.capabilities.non_blocking else max(polls))

    def _fresh(self, *trials: Trial) -> WorkerSlot:
        return self._slots.fresh([trial.scenario.id for trial in trials if not trial.scenario.cold])

    def _observe_to_the_end(
        self, lease: Lease, trial: Trial, hello: Hello, *, isolated: bool = False
    ) -> Observation:
        observation = self._observe(lease, trial, hello, isolated=isolated)
        if not ends_its_process(self._run.contract, trial.scenario, hello.capabilities):
            return observation
        return replace(observation, ended_s=lease.process.finish(END_LIMIT_S))

    def _observe(self, lease: Lease, trial: Trial, hello: Hello, *, isolated: bool = False) -> Observation:
        name = trial.scenario.id
        with starvation(lease.process.pid) if isolated else contextlib.nullcontext() as starved:
            observation = self._player.play(
                lease.process,
                hello,
                trial.scenario,
                client=name,
                scale=self.scales[name],
                alone=isolated,
                earlier_waits=lease.earlier_waits,
            )
        if starved is not None:
            polls = self._polls_of_a_thread(observation)
            observation = replace(observation, starved_s=starved.seconds / polls + starved.stopped_s)
        secrets = secrets_of(self._run.contract, observation, self._secret)
        self._result.secrets.update(secrets)
        observation = without_secrets(observation, secrets, lease.process.printed())
        if sees_a_jump(lease.process.command):
            observation = replace(observation, began_unix_s=None)
        lost = (call.seen.message for call in observation.calls if isinstance(call.seen, NoAnswer))
        lease.lost = next(lost, "")
        lease.stuck = _is_stuck(observation)
        return observation


def _is_stuck(observation: Observation) -> bool:
    return any(isinstance(call.seen, StillWaiting) for call in observation.calls)


def _first_wait(scenario: Scenario) -> WaitOptions | None:
    makes_one = any(call.wait is not None for call in scenario.calls)
    return scenario.wait_options if makes_one else None
