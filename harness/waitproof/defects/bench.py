"""Plays the model client, with or without a defect, against a suite in virtual time, as a run does it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from waitproof.defects.defect import Defect, Ending, clean
from waitproof.defects.matrix import Line, Outcome, usual_words, weigh
from waitproof.defects.sdk import ModelSdk
from waitproof.judge import Status, Verdict, is_suspicious, judge, unplayed
from waitproof.judge.observation import Observation
from waitproof.protocol import Capabilities, Hello
from waitproof.simulate import Conditions, Simulator, forecast, scale_for, scaled
from waitproof.suite.files import Suite
from waitproof.suite.scenario import Scenario

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
        self._factors: dict[tuple[str, float, float], int | None] = {}
        self._scaled: dict[tuple[str, int], Scenario] = {}

    def simulate(self, defect: Defect, scenarios: Sequence[Scenario] | None = None) -> list[Verdict]:
        """Play scenarios, all by default, as a run plays them, and return the verdicts."""
        sdk = ModelSdk(self.suite.contract, defect)
        hello = self._simulators[0].hello(sdk)
        chosen = self.suite.scenarios if scenarios is None else scenarios
        verdicts: list[Verdict] = []
        # As in a run: what proves that waits do not block comes first, and decides how the rest is played.
        first = [s for s in chosen if hello.capabilities.non_blocking and self._proves_interleaving(s)]
        for scenario in first:
            verdicts += self._play(sdk, hello, scenario)
        if any(v.status is Status.FAIL and self._is_interleaving(v.requirement) for v in verdicts):
            hello = replace(hello, capabilities=replace(hello.capabilities, max_concurrency=1))
        for scenario in chosen:
            if scenario not in first:
                verdicts += self._play(sdk, hello, scenario)
        return verdicts

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

    def _proves_interleaving(self, scenario: Scenario) -> bool:
        return any(self._is_interleaving(name) for name in scenario.proves)

    def _is_interleaving(self, requirement: str) -> bool:
        return self.suite.contract.requirement(requirement).check == "waits_interleave"

    def _factor(self, scenario: Scenario, capabilities: Capabilities) -> int | None:
        key = scenario.id, capabilities.poll_interval_resolution, capabilities.timeout_resolution
        if key not in self._factors:
            self._factors[key] = scale_for(self.suite.contract, scenario, capabilities)
        return self._factors[key]

    def _play(self, sdk: ModelSdk, hello: Hello, scenario: Scenario) -> Sequence[Verdict]:
        contract = self.suite.contract
        factor = self._factor(scenario, hello.capabilities)
        if factor is None:
            return unplayed(contract, scenario, Status.UNSUPPORTED, "the helper's options are too coarse")
        if factor > 1:
            key = scenario.id, factor
            scenario = self._scaled.setdefault(key, scaled(scenario, factor))
        seen: list[Observation] = []
        while True:
            simulator = self._simulators[min(len(seen), len(self._simulators) - 1)]
            seen.append(simulator.play(sdk, hello, scenario, scale=factor, alone=bool(seen), seed=len(seen)))
            verdicts = judge(contract, scenario, seen)
            unsettled = any(verdict.status is Status.INCONCLUSIVE for verdict in verdicts)
            if not (unsettled and is_suspicious(contract, scenario, seen)):
                return verdicts
