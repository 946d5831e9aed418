"""The causes that are named for an SDK's failures are the defects that it has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from culprits import CachingPlayer, hello_of, with_both
from fakes import MINI
from waitproof.defects import (
    Bench,
    Cause,
    Causes,
    Defect,
    Ending,
    Findings,
    Library,
    Prediction,
    advice,
    explain,
    find_causes,
    findings,
    library,
    predict,
)
from waitproof.defects.hints import _ADVICE as ADVICE
from waitproof.judge import Status, Verdict
from waitproof.suite import Scenario
from waitproof.suite.contract import Level
from waitproof.suite.files import CONTRACT, Suite, bundled_names, bundled_suite, load_contract, load_suite

PAYLOAD, TIMEOUT, INTERVAL = "payload-arrives-intact", "override-timeout", "default-poll-interval"
SLOW, DRIFTS = Defect("interval_kept.slow", "interval_kept"), Defect("interval_kept.drifts", "interval_kept")
LATE = Defect("timeout_kept.late", "timeout_kept")
ONE, TWO, THREE, FOUR = "a/one", "a/two", "a/three", "a/four"


@pytest.fixture(scope="module")
def suite() -> Suite:
    return load_suite(bundled_suite())


@pytest.fixture(scope="module")
def mini() -> Suite:
    return load_suite(MINI)


def verdict(scenario: str, requirement: str, status: Status, seen: str = "", **more: Any) -> Verdict:
    return Verdict(scenario, requirement, Level.MUST, status, "this", seen, **more)


def failed(*places: tuple[str, str], seen: str = "poll 2 came early") -> list[Verdict]:
    return [verdict(*place, Status.FAIL, seen) for place in places]


def passed(*places: tuple[str, str]) -> list[Verdict]:
    return [verdict(*place, Status.PASS) for place in places]


def prediction(defect: Defect, *places: tuple[str, str], seen: str = "poll 2 came early") -> Prediction:
    return Prediction(defect, findings(failed(*places, seen=seen)).failures)


def causes(suite: Suite, actual: Sequence[Verdict], *predictions: Prediction) -> Causes:
    lengths_s = {ONE: 5.0, TWO: 1.0, THREE: 3.0, FOUR: 60.0}
    return explain(suite.contract, findings(actual), predictions, lengths_s)


def named(found: Causes) -> list[list[Defect]]:
    return [list(cause.defects) for cause in found.causes]


def test_the_defect_that_explains_most_comes_first_and_the_rest_is_explained_next(suite: Suite) -> None:
    actual = failed((ONE, INTERVAL), (TWO, INTERVAL), (THREE, TIMEOUT))

    found = causes(
        suite,
        actual,
        prediction(LATE, (THREE, TIMEOUT)),
        prediction(SLOW, (ONE, INTERVAL), (TWO, INTERVAL)),
    )

    assert found == Causes(
        (
            Cause((SLOW,), ((ONE, INTERVAL), (TWO, INTERVAL)), (TWO, INTERVAL)),
            Cause((LATE,), ((THREE, TIMEOUT),), (THREE, TIMEOUT)),
        )
    )


def test_a_verdict_that_passed_speaks_against_the_defect_that_predicts_a_failure(suite: Suite) -> None:
    actual = [*failed((ONE, INTERVAL), (TWO, INTERVAL)), *passed((THREE, INTERVAL))]

    found = causes(
        suite,
        actual,
        prediction(DRIFTS, (ONE, INTERVAL), (TWO, INTERVAL), (THREE, INTERVAL)),
        prediction(SLOW, (ONE, INTERVAL), (TWO, INTERVAL)),
    )

    assert named(found) == [[SLOW]]


def test_a_failure_that_follows_from_another_one_is_explained_with_it(suite: Suite) -> None:
    followed = verdict(ONE, INTERVAL, Status.FAIL, "3 periods", follows_from=TIMEOUT)
    actual = [*failed((ONE, TIMEOUT), (TWO, TIMEOUT), (THREE, INTERVAL)), followed]

    found = causes(
        suite,
        actual,
        prediction(LATE, (ONE, TIMEOUT), (TWO, TIMEOUT)),
        prediction(SLOW, (ONE, INTERVAL), (THREE, INTERVAL)),
    )

    assert {cause.defects[0].name: set(cause.explains) for cause in found.causes} == {
        LATE.name: {(ONE, TIMEOUT), (TWO, TIMEOUT), (ONE, INTERVAL)},
        SLOW.name: {(THREE, INTERVAL)},
    }


def test_an_unexplained_failure_is_explained_by_what_explains_its_consequence(suite: Suite) -> None:
    followed = verdict(ONE, INTERVAL, Status.FAIL, "poll 2 came early", follows_from=TIMEOUT)

    found = causes(suite, [*failed((ONE, TIMEOUT)), followed], prediction(SLOW, (ONE, INTERVAL)))

    assert found == Causes((Cause((SLOW,), ((ONE, TIMEOUT), (ONE, INTERVAL)), (ONE, TIMEOUT)),))


def test_defects_with_the_same_failures_are_named_together(suite: Suite) -> None:
    places = (ONE, INTERVAL), (TWO, INTERVAL)

    found = causes(suite, failed(*places), prediction(SLOW, *places), prediction(DRIFTS, *places))

    assert named(found) == [[SLOW, DRIFTS]]


def test_a_defect_that_explains_other_failures_as_well_is_a_cause_of_its_own(suite: Suite) -> None:
    actual = failed((ONE, INTERVAL), (TWO, TIMEOUT))

    found = causes(suite, actual, prediction(SLOW, (ONE, INTERVAL)), prediction(LATE, (TWO, TIMEOUT)))

    assert named(found) == [[SLOW], [LATE]]


def test_what_was_seen_tells_defects_with_the_same_failures_apart(suite: Suite) -> None:
    places = (ONE, INTERVAL), (TWO, INTERVAL)

    found = causes(
        suite,
        failed(*places, seen="a median pause of 1.60 s"),
        prediction(SLOW, *places, seen="poll 3 came 0.31 s after poll 2"),
        prediction(DRIFTS, *places, seen="a median pause of 2.25 s"),
    )

    assert named(found) == [[DRIFTS]]


def test_the_end_of_the_wait_tells_defects_with_the_same_findings_apart(suite: Suite) -> None:
    seen = failed((ONE, TIMEOUT), seen="the call raised SdkError")

    def after(took_s: float, polls: int) -> Mapping[Any, Any]:
        return findings([replace(each, took_s=took_s, polls=polls) for each in seen]).failures

    found = explain(
        suite.contract,
        Findings(after(0.011, 1)),
        [Prediction(LATE, after(1.0, 11)), Prediction(SLOW, after(0.0, 1))],
        {ONE: 5.0},
    )

    assert named(found) == [[SLOW]]


def test_a_defect_that_returns_does_not_explain_what_raised(suite: Suite) -> None:
    places = (ONE, PAYLOAD), (TWO, PAYLOAD), (THREE, PAYLOAD)

    found = causes(
        suite,
        failed(*places, seen="the call raised SdkError (kind transport)"),
        prediction(SLOW, *places, seen="the call returned null"),
    )

    assert found == Causes((), places)


def test_what_a_defect_contradicts_is_left_to_another_one(suite: Suite) -> None:
    returned, raised = "the call returned null", "the call raised SdkError (kind transport)"
    places = (ONE, PAYLOAD), (TWO, PAYLOAD)

    found = causes(
        suite,
        [*failed(*places, seen=returned), *failed((THREE, TIMEOUT), seen=raised)],
        prediction(SLOW, *places, (THREE, TIMEOUT), seen=returned),
        prediction(LATE, (THREE, TIMEOUT), seen=raised),
    )

    assert [(cause.defects, cause.explains) for cause in found.causes] == [
        ((SLOW,), places),
        ((LATE,), ((THREE, TIMEOUT),)),
    ]


def test_a_wait_that_returned_in_place_of_raising_is_no_failure_of_one_that_raises(suite: Suite) -> None:
    found = causes(
        suite,
        failed((ONE, TIMEOUT), seen="nothing was raised: the call returned null"),
        prediction(SLOW, (ONE, TIMEOUT), seen="the call raised SdkError"),
    )

    assert found == Causes((), ((ONE, TIMEOUT),))


def test_one_failure_in_other_words_is_not_enough_to_name_a_defect(suite: Suite) -> None:
    seen = failed((ONE, PAYLOAD), seen="poll 1 came with something else in Authorization")
    unlike = prediction(SLOW, (ONE, PAYLOAD), seen="the token of poll 3 had expired 1.00 s before it came")

    assert causes(suite, seen, unlike) == Causes((), ((ONE, PAYLOAD),))


def test_values_and_names_in_what_was_seen_do_not_count() -> None:
    sdk, model = (
        findings([verdict(ONE, TIMEOUT, Status.FAIL, seen)]).failures
        for seen in (
            'after 1.20 s it raised acme.WaitTimeoutError (kind other): "gave up after 3 s"',
            'after 10 ms it raised RuntimeError (kind other): "task 17 had not ended"',
        )
    )

    assert sdk == model


def test_what_is_excused_or_not_conclusive_is_neutral() -> None:
    found = findings(
        [
            verdict(ONE, INTERVAL, Status.FAIL, excused="known"),
            verdict(TWO, INTERVAL, Status.INCONCLUSIVE),
            verdict(THREE, INTERVAL, Status.ERROR),
            verdict(ONE, TIMEOUT, Status.UNSUPPORTED),
            verdict(TWO, TIMEOUT, Status.INFO),
        ]
    )

    assert found == Findings()


def test_a_defect_that_predicts_much_else_is_not_named(suite: Suite) -> None:
    actual = [*failed((ONE, INTERVAL)), *passed((TWO, INTERVAL), (THREE, INTERVAL))]

    found = causes(suite, actual, prediction(SLOW, (ONE, INTERVAL), (TWO, INTERVAL), (THREE, INTERVAL)))

    assert found == Causes((), ((ONE, INTERVAL),))


def test_a_defect_that_explains_a_small_part_of_its_requirements_failures_is_not_named(suite: Suite) -> None:
    places = [(name, INTERVAL) for name in (ONE, TWO, THREE, FOUR)]

    found = causes(suite, failed(*places), prediction(SLOW, (ONE, INTERVAL)))

    assert found == Causes((), tuple(places))


def test_a_cause_of_most_failures_of_a_requirement_explains_the_others_too(suite: Suite) -> None:
    places = (ONE, INTERVAL), (TWO, INTERVAL), (THREE, INTERVAL), (FOUR, TIMEOUT)

    found = causes(suite, failed(*places), prediction(SLOW, (ONE, INTERVAL), (TWO, INTERVAL)))

    assert found == Causes((Cause((SLOW,), places[:3], (TWO, INTERVAL)),), ((FOUR, TIMEOUT),))


def test_a_cause_of_most_failures_of_a_requirement_does_not_explain_one_that_it_contradicts(
    suite: Suite,
) -> None:
    places = (ONE, PAYLOAD), (TWO, PAYLOAD), (THREE, PAYLOAD)
    returned = "the call returned null"

    found = causes(
        suite,
        [*failed(*places[:2], seen=returned), *failed(places[2], seen="the call raised SdkError")],
        prediction(SLOW, *places, seen=returned),
    )

    assert found == Causes((Cause((SLOW,), places[:2], (TWO, PAYLOAD)),), (places[2],))


def test_the_failure_that_shows_a_cause_is_a_short_one_of_the_defects_own_requirement(suite: Suite) -> None:
    places = (TWO, TIMEOUT), (FOUR, INTERVAL), (THREE, INTERVAL)

    found = causes(suite, failed(*places), prediction(SLOW, *places))

    assert found.causes[0].shown_by == (THREE, INTERVAL)


def test_every_defect_that_can_be_named_has_advice_and_no_advice_is_unused() -> None:
    contracts = [load_contract(bundled_suite(name) / CONTRACT) for name in bundled_names()]
    defects = [each for contract in contracts for each in library(contract).defects.values()]

    used = {advice(each) for each in defects if each.ending is not Ending.RECORDED}

    assert used == set(ADVICE.values())


# --- with the model client --------------------------------------------------------------------------------


class Sdks:
    """Finds the causes of model clients on one suite, and plays each suspect only once."""

    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        self.known: Library = library(suite.contract)
        self._bench = Bench(suite)
        self._cache: dict[Any, Prediction] = {}

    def failures(self, sdk: Defect) -> Mapping[Any, Any]:
        return findings(self._bench.simulate(sdk)).failures

    def causes(self, sdk: Defect) -> Causes:
        contract = self.suite.contract
        hello = hello_of(contract, sdk)
        play = CachingPlayer(self._bench, hello, self._cache).play
        actual = findings(self._bench.simulate(sdk))
        return find_causes(play, contract, self.known, hello, actual, self.suite.scenarios)


@pytest.fixture(scope="module")
def sdks(mini: Suite) -> Sdks:
    return Sdks(mini)


def test_the_first_cause_is_the_defect_that_the_sdk_has(sdks: Sdks) -> None:
    stated = {each.id: each.check for each in sdks.suite.contract.requirements}
    wrong = []
    for defect in list(sdks.known.defects.values())[::6]:
        failures = sdks.failures(defect)
        if any(stated[requirement] == defect.check for _, requirement in failures):
            found = named(sdks.causes(defect))
            if not found or defect not in found[0] or len(found[0]) > 3:
                wrong.append((defect.name, found))

    assert wrong == []


def test_both_defects_of_an_sdk_are_named(sdks: Sdks) -> None:
    one, other = (sdks.known.named(name) for name in ("interval_kept.halved", "returns_result.nothing"))
    sdk = with_both(one, other)
    assert sdk is not None

    found = named(sdks.causes(sdk))

    assert [[one in group, other in group] for group in found] == [[False, True], [True, False]]


def test_a_blocking_sdk_whose_waits_are_cancelled_can_have_a_defect_of_coroutines(suite: Suite) -> None:
    known, bench = library(suite.contract), Bench(suite)
    defect = known.named("cancelled_soon.seen-after-the-sleep")
    sdk = replace(defect, is_async=False, capabilities={"cancel": True})
    played = [each for each in suite.scenarios if each.topic == "cancellation"]
    hello = hello_of(suite.contract, sdk)

    def play(suspects: Iterable[Defect], scenarios: Sequence[Scenario]) -> list[Prediction]:
        return [predict(bench, each, hello, scenarios) for each in suspects]

    found = find_causes(play, suite.contract, known, hello, findings(bench.simulate(sdk, played)), played)

    assert [each.name for each in named(found)[0]] == [defect.name]


def test_the_operations_that_an_sdk_lacks_are_one_cause(suite: Suite) -> None:
    known, bench = library(suite.contract), Bench(suite)
    sdk = Defect("sdk", capabilities={"operations": ["delete_channels", "export_users"]})
    played = [each for each in suite.scenarios if each.topic == "operations"]
    hello = hello_of(suite.contract, sdk)
    actual = findings(bench.simulate(sdk, played))

    def play(suspects: Iterable[Defect], scenarios: Sequence[Scenario]) -> list[Prediction]:
        clean = [each for each in suspects if not each.check]  # no other one explains anything
        return [predict(bench, each, hello, scenarios) for each in clean]

    (cause,) = find_causes(play, suite.contract, known, hello, actual, played).causes

    assert cause.defects[0].sentence == "The SDK has no export_channels or delete_users."
    assert set(cause.explains) == set(actual.failures)
    assert advice(cause.defects[0]) == "the adapter's `operations`: does it name every one that the SDK has?"


def test_an_sdk_without_failures_has_no_causes(sdks: Sdks) -> None:
    assert sdks.causes(sdks.known.named("model.sync")) == Causes()
