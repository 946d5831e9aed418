"""Options that an SDK cannot be called without, and variants of its helper."""

from __future__ import annotations

from typing import Any

import pytest
from fakes import KILN
from waitproof.defects import CLEAN, Bench, Defect, library
from waitproof.judge import Status
from waitproof.protocol import Capabilities
from waitproof.simulate import lacking, options_passed, with_required_options
from waitproof.suite import Scenario, Suite, WaitOptions, load_suite

NO_DEFAULTS: dict[str, Any] = {"required_options": ["poll_interval", "timeout"]}


@pytest.fixture(scope="module")
def suite() -> Suite:
    return load_suite(KILN)


def of(suite: Suite, name: str) -> Scenario:
    return next(each for each in suite.scenarios if each.id == f"waits/{name}")


@pytest.mark.parametrize(
    ("capabilities", "passed", "options"),
    [
        ({}, {}, (None, None)),
        ({"required_options": ("timeout",)}, {}, (None, 0.7)),
        ({"required_options": ("timeout",)}, {"timeout": 2.0}, (None, 2.0)),
        ({"required_options": ("poll_interval", "timeout")}, {"timeout": -1.0}, (0.1, -1.0)),
        ({"options_together": True}, {}, (None, None)),
        ({"options_together": True}, {"poll_interval": 0.2}, (0.2, 0.7)),
        ({"options_together": True, "options": ("timeout",)}, {"timeout": 2.0}, (None, 2.0)),
    ],
)
def test_the_contracts_default_is_passed_where_an_option_must_come(
    capabilities: dict[str, Any], passed: dict[str, float], options: tuple[float | None, ...], suite: Suite
) -> None:
    wait = options_passed(
        suite.contract, WaitOptions().model_copy(update=passed), Capabilities(**capabilities)
    )

    assert (wait.poll_interval, wait.timeout) == options


def test_a_timeout_that_must_come_is_long_where_the_contract_has_no_deadline(suite: Suite) -> None:
    defaults = suite.contract.defaults.model_copy(update={"timeout": None})
    endless = suite.contract.model_copy(update={"defaults": defaults})

    wait = options_passed(endless, WaitOptions(), Capabilities(required_options=("timeout",)))

    assert wait.timeout == 600.0


def test_a_scenario_that_passes_all_it_must_is_the_same_scenario(suite: Suite) -> None:
    scenario = of(suite, "own-pauses")

    assert with_required_options(suite.contract, scenario, Capabilities(options_together=True)) is scenario


def test_a_default_that_has_to_be_passed_is_unsupported_and_all_else_is_judged(suite: Suite) -> None:
    needy = Defect("model.needy", capabilities=NO_DEFAULTS)

    verdicts = {
        each.requirement: (each.status, each.seen)
        for each in Bench(suite).simulate(needy, [of(suite, "usual-deadline")])
    }

    assert verdicts["usual-timeout"] == (
        Status.UNSUPPORTED,
        "this SDK's helper has to be passed timeout here: it shows no default",
    )
    assert verdicts["raises-late"][0] is Status.PASS


def test_a_passed_option_is_judged_as_ever_where_it_must_come(suite: Suite) -> None:
    needy = Defect("model.needy", capabilities=NO_DEFAULTS)

    (verdict, _) = Bench(suite).simulate(needy, [of(suite, "own-deadline")])

    assert (verdict.requirement, verdict.status) == ("own-timeout", Status.PASS)


def test_a_wait_without_an_option_that_nothing_can_fill_in_is_not_made() -> None:
    call = Scenario.model_validate_json(
        '{"summary": "s", "proves": ["p"], "task": [{"status": "x"}], "calls": [{"wait": {}}]}'
    ).calls[0]

    assert lacking(Capabilities(required_options=("timeout",)), call) == (
        "the helper cannot be called without timeout, and the contract has no default"
    )


def test_a_variants_options_and_name_are_passed_with_the_scenarios_own(suite: Suite) -> None:
    requests: list[Any] = []
    Bench(suite).simulate(
        CLEAN,
        [of(suite, "cracks-strictly"), of(suite, "cracks")],
        lambda _round, seen: requests.extend(call.request for each in seen for call in each.calls),
    )

    assert [(each["options"], each.get("variant")) for each in requests] == [
        ({"raise_cracked": True}, "strict"),
        ({}, None),
    ]


def test_an_sdk_without_a_variant_is_unsupported_there_and_nowhere_else(suite: Suite) -> None:
    plain = Defect("model.plain", capabilities={"variants": []})

    verdicts = Bench(suite).simulate(plain, [of(suite, "cracks-strictly"), of(suite, "cracks")])

    assert [(each.status, each.requirement) for each in verdicts] == [
        (Status.UNSUPPORTED, "strict-raises"),
        (Status.PASS, "cracked-is-returned"),
        (Status.PASS, "polls-until-out"),
    ]
    assert verdicts[0].seen == "the helper has no variant strict"


def test_the_server_answers_alike_whatever_the_variant(suite: Suite) -> None:
    varied = suite.contract.varied("strict")

    assert [each.fails("cracked") for each in (suite.contract, varied)] == [True, True]
    assert (varied.failing_status, suite.contract.failing_status) == ("cracked", "cracked")


def test_a_variant_alone_gives_room_for_defects_of_failed_tasks(suite: Suite) -> None:
    assert "raises_kind.returned" in library(suite.contract).defects
