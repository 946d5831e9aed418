"""One re-run of a scenario, in a fresh warm process that is ended afterwards.

`start` and `play` are apart, so that all the processes of a round can be started before the first of its
waits begins: starting a process is the heaviest thing that a quiet round does.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence

from waitproof.errors import AdapterError, WaitproofError
from waitproof.judge import Observation, Trial
from waitproof.protocol import Hello
from waitproof.run.budget import Budget
from waitproof.run.workers import Lease, WorkerSlot
from waitproof.suite import WaitOptions

__all__ = ["QUIET_PROCESSES", "QUIET_WAITS", "Rerun", "play_together"]

# At most ten polls a second each, and a poll costs both ends some two milliseconds: with eight waits, two
# cores are idle for nine tenths of the time.
QUIET_WAITS = 8
QUIET_PROCESSES = 16  # warm at the same time, most of them idle: a JVM takes 100 MB


class Rerun:
    """See the module.

    Attributes:
        observation: What was seen, None before and where it could not be played.
    """

    def __init__(
        self,
        trial: Trial,
        hello: Hello,
        slot: WorkerSlot,
        observe: Callable[[Lease, Trial, Hello, Sequence[WaitOptions]], Observation],
        *,
        after_waits: bool = False,
    ) -> None:
        """Make a re-run that has started nothing.

        Args:
            trial: What is re-run.
            hello: The adapter's introduction.
            slot: A slot without a process.
            observe: Plays the trial in a process that first makes waits with these options.
            after_waits: Make those that the process of the trial's first run had made.
        """
        self.trial = trial
        self.observation: Observation | None = None
        self._hello = hello
        self._slot = slot
        self._observe = observe
        self._earlier_waits = trial.earlier_waits if after_waits else ()

    def start(self) -> None:
        """Start the process."""
        with contextlib.suppress(AdapterError):  # `play` meets it again
            self._slot.start()

    def play(self, budget: Budget) -> None:
        """Play the scenario within the budget, and end the process."""
        try:
            with budget.taken(self.trial.scenario.parallel, 0.0), self._slot.lease() as lease:
                self.observation = self._observe(lease, self.trial, self._hello, self._earlier_waits)
        except WaitproofError:
            pass  # nothing more can be found out
        finally:
            self._slot.close()


def play_together(
    reruns: Sequence[Rerun], budget: Budget, in_threads: Callable[[Sequence[Callable[[], None]]], None]
) -> None:
    """Play re-runs of any adapters, the longest first, as many at a time as the budget allows."""
    ordered = sorted(reruns, key=lambda each: each.trial.length_s, reverse=True)
    for first in range(0, len(ordered), QUIET_PROCESSES):
        batch = ordered[first : first + QUIET_PROCESSES]
        in_threads([each.start for each in batch])
        in_threads([functools.partial(each.play, budget) for each in batch])
