"""A suite catches the defects for the reason that they are named after, and accuses no correct client."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fakes import MINI
from waitproof.defects import Bench, Library, Line, Outcome, library, markdown, reasons, summary, weigh
from waitproof.judge import Status, Verdict, checks
from waitproof.run.prove import prove_simulated
from waitproof.suite.contract import Contract
from waitproof.suite.files import CONTRACT, Suite, bundled_suite, load_contract, load_suite

PAGE = Path(__file__).parents[2] / "docs" / "proof.md"


@pytest.fixture(scope="module")
def suite() -> Suite:
    return load_suite(bundled_suite())


@pytest.fixture(scope="module")
def known(suite: Suite) -> Library:
    return library(suite.contract)


@pytest.fixture(scope="module")
def lines(suite: Suite, known: Library) -> dict[str, Line]:
    everything = [*known.defects.values(), *known.equivalents.values()]
    return {line.name: line for line in prove_simulated(suite, everything)}


def test_every_defect_is_caught_for_its_reason(lines: dict[str, Line], known: Library) -> None:
    wrong = {name: lines[name].outcome for name in known.defects if lines[name].outcome is not Outcome.CAUGHT}

    assert wrong == {}


def test_no_correct_client_is_accused(lines: dict[str, Line], known: Library) -> None:
    assert {name: lines[name].outcome for name in known.equivalents} == dict.fromkeys(
        known.equivalents, Outcome.CORRECT
    )


def test_nothing_is_left_unsettled(lines: dict[str, Line]) -> None:
    assert {name: line.unsettled for name, line in lines.items() if line.unsettled} == {}


def test_every_requirement_and_every_check_catches_a_defect(lines: dict[str, Line], suite: Suite) -> None:
    by = {requirement for line in lines.values() for requirement in line.by}

    assert {requirement.id for requirement in suite.contract.requirements} == by


def test_every_check_is_used_by_a_suite() -> None:
    files = bundled_suite().parent.glob(f"*/{CONTRACT}")
    used = {each.check for file in files for each in load_contract(file).requirements}

    assert used == set(checks())


def test_the_page_of_the_matrix_is_up_to_date(lines: dict[str, Line], known: Library, suite: Suite) -> None:
    page = markdown(suite.contract, known, lines.values())

    assert PAGE.read_text(encoding="utf-8") == page, "waitproof prove --markdown docs/proof.md writes it"


def test_processes_change_nothing(suite: Suite, known: Library, lines: dict[str, Line]) -> None:
    names = list(known.defects)[:9]  # one more than are played in this process

    proved = prove_simulated(suite, [known.defects[name] for name in names], processes=2)

    assert proved == [lines[name] for name in names]


def test_a_small_suite_of_another_vendor_catches_what_it_promises_and_accuses_nobody() -> None:
    mini = load_suite(MINI)
    known = library(mini.contract)

    lines = prove_simulated(mini, [*known.defects.values(), *known.equivalents.values()])

    outcomes = {line.name: line.outcome for line in lines}
    assert {outcomes[name] for name in known.equivalents} == {Outcome.CORRECT}
    for name in (
        "interval_kept.halved",
        "timeout_kept.waits-forever",
        "returns_result.nothing",
        "raises_timeout.returns-nothing",
        "begin_returns_task_id.print_parcel_label-returns-nothing",
        "polls_carry_credentials.x-mini-key-once",
        "one_request_per_call.twice",
        "waits_interleave.waits-blocking",
        "record_first_poll.after-an-interval",
    ):
        assert outcomes[name] is Outcome.CAUGHT, name
    assert outcomes["outcome_expected.latin-1"] is Outcome.MISSED  # it has no payload in another script


def test_a_suite_without_the_scenario_misses_the_defect(suite: Suite, known: Library) -> None:
    scenarios = tuple(each for each in suite.scenarios if "task-id-is-escaped" not in each.proves)
    bench = Bench(replace(suite, scenarios=scenarios))

    line = bench.prove(known.defects["record_escaping.not-escaped"])

    assert (line.outcome, line.by, line.caught_in) == (Outcome.MISSED, (), ())


def test_what_only_another_requirement_notices_is_caught_for_another_reason(
    suite: Suite, known: Library
) -> None:
    name = "completed-returns-result"
    scenarios = tuple(
        each.model_copy(update={"proves": tuple(p for p in each.proves if p != name)}).named(each.id)
        for each in suite.scenarios
    )
    bench = Bench(replace(suite, scenarios=scenarios))

    line = bench.prove(known.defects["returns_result.null-is-an-object"])

    assert (line.outcome, line.also_by) == (Outcome.OTHER_REASON, ("payload-arrives-intact",))


def test_the_soonest_scenario_is_the_shortest_that_catches(suite: Suite, known: Library) -> None:
    bench = Bench(suite)

    soonest = bench.soonest(known.defects["timeout_kept.option-in-milliseconds"])

    assert [scenario.id for scenario in soonest] == ["overrides/timeout-below-a-second"]
    assert bench.soonest(known.equivalents["equivalent.ticker"]) == []


# --- one line ------------------------------------------------------------------------------------------


def verdict(contract: Contract, requirement: str, status: Status, seen: str = "") -> Verdict:
    return Verdict("a/b", requirement, contract.requirement(requirement).level, status, seen=seen)


@pytest.mark.parametrize(
    ("name", "found", "outcome"),
    [
        ("timeout_kept.halved", [("default-timeout", Status.FAIL)], Outcome.CAUGHT),
        ("timeout_kept.halved", [("override-timeout", Status.FAIL)], Outcome.OTHER_REASON),
        ("timeout_kept.halved", [("timeout-not-early", Status.WARN)], Outcome.OTHER_REASON),
        ("timeout_kept.halved", [("default-timeout", Status.PASS)], Outcome.MISSED),
        ("timeout_kept.halved", [("default-timeout", Status.INCONCLUSIVE)], Outcome.MISSED),
        ("returns_result.guesses", [("completed-returns-result", Status.ERROR)], Outcome.CAUGHT),
        ("returns_result.guesses", [("default-timeout", Status.ERROR)], Outcome.MISSED),
        ("equivalent.ticker", [("default-timeout", Status.PASS)], Outcome.CORRECT),
        ("equivalent.ticker", [("default-timeout", Status.FAIL)], Outcome.ACCUSED),
    ],
)
def test_a_defect_is_weighed_by_its_verdicts(
    suite: Suite, known: Library, name: str, found: list[tuple[str, Status]], outcome: Outcome
) -> None:
    verdicts = [verdict(suite.contract, requirement, status) for requirement, status in found]

    assert weigh(suite.contract, known.named(name), verdicts, {}).outcome is outcome


def test_a_recorded_behaviour_is_compared_by_its_words_alone(suite: Suite, known: Library) -> None:
    usual = {("a/b", "first-poll-is-immediate"): "at once"}

    def weighed(seen: str) -> Outcome:
        found = [verdict(suite.contract, "first-poll-is-immediate", Status.INFO, seen)]
        defect = known.named("record_first_poll.after-an-interval")
        return weigh(suite.contract, defect, found, usual).outcome

    assert weighed("at once: 3 ms after the call") is Outcome.MISSED
    assert weighed("after an interval: 0.50 s after the call") is Outcome.CAUGHT


def test_the_summary_counts_each_outcome_and_what_is_unsettled() -> None:
    lines = [
        Line("a", Outcome.CAUGHT),
        Line("b", Outcome.CAUGHT, unsettled=("s:r",)),
        Line("c", Outcome.ACCUSED, also_by=("r",)),
    ]

    assert summary(lines, 2, 1.25, "live") == (
        "live: 3 clients in 1.2 s: 2 caught, 1 accused, 2 not applicable; 1 verdict not settled"
    )


def test_defects_that_do_not_apply_share_a_line_with_their_reason() -> None:
    lines = reasons({"a.b": "no failures", "c.d": "no operations", "e.f": "no failures"})

    assert lines == ["not applicable, no failures: a.b, e.f", "not applicable, no operations: c.d"]


def test_a_line_names_a_few_of_the_defects_that_do_not_apply_and_counts_the_rest() -> None:
    found = dict.fromkeys(("a.b", "c.d", "e.f"), "no failures")

    assert reasons(found, 2) == ["not applicable, no failures: a.b, c.d and 1 more"]
    assert reasons(found, 3) == reasons(found)
