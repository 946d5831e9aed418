"""Plays the model client, with or without a defect, against a suite in virtual time, as a run does it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace

from waitproof.defects.defect import Defect, Ending, clean
from waitproof.defects.matrix import Line, Outcome, usual_words, weigh
from waitproof.defects.sdk import ModelSdk
from waitproof.judge import Observation, Round, RoundKind, Status, Trial, Verdict, rounds, unplayed
from waitproof.protocol import Capabilities, Hello
from waitproof.simulate import (
    Conditions,
    Simulator,
    forecast,
    scale_for,
    scaled,
    waiting_once,
    with_required_options,
)
from waitproof.suite import Scenario, Suite, WaitOptions

__all__ = ["Bench"]


class Bench:
    """A suite and its simulators, on which any number of clients are played.

    Args:
        suite: What to play.
        conditions: Those of the first run of each scenario, of its first isolated re-run, and so on; the
            last ones hold from then on, and ideal ones where there are none.
    """

    def __init__(self, suite: Suite, *conditions: Conditions) -> None:
        self.suite = suite
        self._simulators = [Simulator(suite.contract, each) for each in conditions or (Conditions(),)]
        self._fitted: dict[tuple[Hashable, ...], tuple[Scenario, int | None]] = {}

    def simulate(
        self,
        defect: Defect,
        scenarios: Sequence[Scenario] | None = None,
        on_round: Callable[[Round, Sequence[Observation]], object] = lambda _round, _seen: None,
    ) -> list[Verdict]:
        """Play scenarios, all by default, as a run plays them, and return the verdicts.

        Args:
            defect: What to play them with.
            scenarios: What to play.
            on_round: Called with each round and what was seen in it.
        """
        contract = self.suite.contract
        sdk = ModelSdk(contract, defect)
        hello = self._simulators[0].hello(sdk)
        trials, scales = [], {}
        waits: list[WaitOptions] = []
        for scenario in self.suite.scenarios if scenarios is None else scenarios:
            fitted, factor = self._fit(scenario, hello.capabilities)
            trial = Trial(contract, fitted)
            scales[id(trial)] = factor
            trials.append(trial)
        for each in rounds(contract, trials, hello):
            seen: list[Observation] = []
            for trial in each.trials:
                factor = scales[id(trial)]
                if factor is None:
                    reason = "the helper's options are too coarse"
                    trial.close(unplayed(contract, trial.scenario, Status.UNSUPPORTED, reason))
                elif each.kind is RoundKind.AFTER_WAITS:
                    again = self._play_again(defect, each, trial, factor)
                    trial.add_after_waits(*again)
                    seen += again
                elif trial.observations:
                    again = self._play_again(defect, each, trial, factor)
                    trial.add(*again)
                    seen += again
                else:
                    earlier = dict.fromkeys([*waits[:1], *waits[-1:]])
                    earlier.pop(trial.scenario.wait_options, None)
                    observation = self._play(sdk, each.hello, trial, factor)
                    trial.add(replace(observation, earlier_waits=tuple(earlier)))
                    waits.append(trial.scenario.wait_options)
                    seen.append(observation)
            on_round(each, seen)
        return [verdict for trial in trials for verdict in trial.verdicts]

    def _play_again(self, defect: Defect, each: Round, trial: Trial, factor: int) -> list[Observation]:
        """Play a trial as often as a round of re-runs asks for, in a process each."""
        earlier = trial.earlier_waits if each.kind is RoundKind.AFTER_WAITS else ()
        return [
            self._play(ModelSdk(self.suite.contract, defect), each.hello, trial, factor, earlier, copy)
            for copy in range(each.copies)
        ]

    def _play(
        self,
        sdk: ModelSdk,
        hello: Hello,
        trial: Trial,
        factor: int,
        earlier: Sequence[WaitOptions] = (),
        copy: int = 0,
    ) -> Observation:
        """Play a trial once more, in a machine of the conditions for that run."""
        number = trial.runs + copy
        simulator = self._simulators[min(number, len(self._simulators) - 1)]
        for options in earlier:
            simulator.play(sdk, hello, waiting_once(self.suite.contract, options))
        return simulator.play(sdk, hello, trial.scenario, scale=factor, alone=bool(number), seed=number)

    def prove(self, defect: Defect) -> Line:
        """Return what the suite makes of a defect or an equivalent.

        A defect is played against the scenarios that prove the requirements which must catch it, and against
        the rest only where these don't. An equivalent is played against everything.
        """
        proving = self.proving(defect)
        usual = self._usual(defect, proving)
        verdicts = self.simulate(defect, proving)
        line = weigh(self.suite.contract, defect, verdicts, usual)
        if line.outcome is Outcome.CAUGHT:
            return line
        verdicts += self.simulate(defect, [each for each in self.suite.scenarios if each not in proving])
        return weigh(self.suite.contract, defect, verdicts, usual)

    def proving(self, defect: Defect) -> list[Scenario]:
        """Return the scenarios that prove what must catch a defect, none for an equivalent."""
        stated = defect.requirements(self.suite.contract)
        return [each for each in self.suite.scenarios if not set(stated).isdisjoint(each.proves)]

    def soonest(self, defect: Defect) -> list[Scenario]:
        """Return the scenario in which a defect is caught soonest, all that should when none does."""
        proving = self.proving(defect)
        usual = self._usual(defect, proving)
        for scenario in sorted(proving, key=lambda each: forecast(self.suite.contract, each).length_s):
            line = weigh(self.suite.contract, defect, self.simulate(defect, [scenario]), usual)
            if line.outcome is Outcome.CAUGHT:
                return [scenario]
        return proving

    def _usual(self, defect: Defect, scenarios: Sequence[Scenario]) -> dict[tuple[str, str], str]:
        if defect.ending is not Ending.RECORDED:
            return {}
        return usual_words(self.simulate(clean(is_async=defect.is_async), scenarios))

    def _fit(self, scenario: Scenario, able: Capabilities) -> tuple[Scenario, int | None]:
        """Return a scenario as an SDK with these capabilities plays it, and by what it was multiplied."""
        resolutions = able.poll_interval_resolution, able.timeout_resolution
        key = scenario.id, *resolutions, able.options, able.required_options, able.options_together
        if key not in self._fitted:
            possible = with_required_options(self.suite.contract, scenario, able)
            factor = scale_for(self.suite.contract, possible, able)
            self._fitted[key] = scaled(possible, factor or 1), factor
        return self._fitted[key]
