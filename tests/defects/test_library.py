"""The library of defects and equivalents: what is in it, for a contract."""

from __future__ import annotations

from collections import Counter

import pytest
from fakes import MINI
from waitproof.defects import Bench, Defect, Ending, Library, findings, library
from waitproof.judge import checks
from waitproof.suite.contract import Contract, Level, StatusMeaning
from waitproof.suite.files import CONTRACT, bundled_suite, load_contract, load_suite


@pytest.fixture(scope="module")
def stream() -> Contract:
    return load_contract(bundled_suite() / CONTRACT)


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench(load_suite(bundled_suite()))


@pytest.fixture(scope="module")
def known(stream: Contract) -> Library:
    return library(stream)


@pytest.fixture(scope="module")
def mini() -> Contract:
    return load_contract(MINI / CONTRACT)


def test_every_defect_is_named_after_its_check_and_says_in_a_sentence_what_is_wrong(known: Library) -> None:
    for name, defect in known.defects.items():
        assert name.partition(".")[0] == defect.check, name
        assert defect.check in checks(), name
    for name, defect in {**known.defects, **known.equivalents}.items():
        assert defect.sentence.endswith("."), name


def test_no_defect_and_no_equivalent_names_a_vendor(mini: Contract) -> None:
    known = library(mini)

    for name, defect in {**known.defects, **known.equivalents}.items():
        assert "stream" not in f"{name} {defect.sentence}".lower()


def test_every_kind_of_check_has_a_defect(known: Library) -> None:
    checked = {name.partition(".")[0] for name in (*known.defects, *known.not_applicable)}

    assert checked == set(checks())


def test_every_must_and_should_has_two_defects_and_every_info_has_one(
    stream: Contract, known: Library
) -> None:
    counts = {ending: Counter[str]() for ending in Ending}
    for defect in known.defects.values():
        counts[defect.ending].update(defect.requirements(stream))

    for requirement in stream.requirements:
        if requirement.level is Level.INFO:
            assert counts[Ending.RECORDED][requirement.id] >= 1, requirement.id
        else:
            assert counts[Ending.ACCUSED][requirement.id] >= 2, requirement.id


def test_a_contract_of_fixed_intervals_has_no_room_for_defects_of_growth_and_of_a_limit_of_polls(
    known: Library,
) -> None:
    assert (len(known.defects), len(known.equivalents)) == (319, 39)
    assert set(known.not_applicable.values()) == {
        "the default interval does not grow",
        "no requirement is judged by gives_up_after_polls, option default",
        "no requirement is judged by gives_up_after_polls, option passed",
    }


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("fault_surfaces.polls-over-500", "no requirement is judged by fault_surfaces"),
        ("interval_kept.option-ignored", "no requirement is judged by interval_kept, option passed"),
        ("raises_kind.returned", "no status of this API makes a wait raise"),
        ("returns_result.old-errors-count", "no status of this API makes a wait raise"),
        ("one_request_per_call.raises-for-a-failed-task", "no status of this API makes a wait raise"),
        ("raises_timeout.bare-error", "the timeout's exception is of kind other"),
        ("raises_timeout.no-fields", "the timeout's exception has no documented fields"),
    ],
)
def test_a_defect_that_a_contract_has_no_room_for_says_why(mini: Contract, name: str, reason: str) -> None:
    known = library(mini)

    assert known.not_applicable[name] == reason
    assert name not in known.defects


def test_an_unknown_status_that_ends_a_wait_cannot_be_mistaken_for_an_end(mini: Contract) -> None:
    contract = mini.model_copy(update={"unknown_status": StatusMeaning.RETURN_RESULT})

    reasons = library(contract).not_applicable

    assert reasons["outcome_expected.unknown-status-raises"] == "an unknown status ends a wait of this API"


def test_a_contract_that_is_silent_about_unknown_statuses_has_no_room_for_their_defects(
    mini: Contract,
) -> None:
    silent = Contract.model_validate(mini.model_dump(exclude={"unknown_status"}, by_alias=True))

    reasons = library(silent).not_applicable

    assert reasons["outcome_expected.status-without-case"] == (
        "the contract does not say what an unknown status means"
    )


def test_a_sleep_that_a_busy_machine_could_make_up_is_no_defect_to_be_seen() -> None:
    reasons = library(load_suite(bundled_suite("meilisearch")).contract).not_applicable

    assert reasons["outcome_not_late.sleeps-a-fixed-time"] == (
        "a machine may be as late as the default interval"
    )


def test_fetching_a_task_whose_failure_a_wait_returns_must_not_raise_either() -> None:
    meilisearch = load_suite(bundled_suite("meilisearch"))
    found = Bench(meilisearch).simulate(
        library(meilisearch.contract).named("one_request_per_call.raises-for-a-failed-task"),
        [each for each in meilisearch.scenarios if each.id == "polling/get-task-of-a-failed-task"],
    )

    assert list(findings(found).failures) == [
        ("polling/get-task-of-a-failed-task", "get-task-is-one-request")
    ]


@pytest.mark.parametrize(
    ("name", "failures"),
    [
        (
            "timeout_kept.option-forgets-answers",
            {
                ("overrides/timeout-over-slow-answers", "override-timeout"),
                ("overrides/timeout-over-slow-answers", "timeout-not-late"),
            },
        ),
        (
            "timeout_kept.option-restarts-with-each-status",
            {
                ("overrides/timeout-while-the-status-moves", "override-timeout"),
                ("defaults/gives-up-after-a-minute", "default-timeout"),
            },
        ),
        (
            "timeout_kept.option-cut-to-whole-seconds",
            {
                ("overrides/longer-then-shorter", "override-timeout"),
                ("overrides/shorter-then-longer", "override-timeout"),
                ("overrides/timeout-below-a-second", "override-timeout"),
                ("overrides/timeout-below-a-second", "timeout-not-early"),
            },
        ),
        (
            "exception_survives_copying.of-a-failed-task-not-read-again",
            {("exceptions/of-a-failed-task", "exception-survives-copying")},
        ),
        (
            "no_poll_after_outcome.once-more-for-the-result",
            {("outcomes/completes-after-3-polls", "no-poll-after-outcome")},
        ),
    ],
)
def test_a_narrow_defect_fails_nothing_else(
    bench: Bench, known: Library, name: str, failures: set[tuple[str, str]]
) -> None:
    assert set(findings(bench.simulate(known.named(name))).failures) == failures


@pytest.mark.parametrize("name", ["backs-off", "grows-slowly"])
def test_a_growing_interval_breaks_no_promise_about_the_timeout(
    bench: Bench, known: Library, name: str
) -> None:
    found = findings(bench.simulate(known.named(f"interval_kept.{name}")))

    assert {requirement for _, requirement in found.failures} == {
        "default-poll-interval",
        "override-poll-interval",
    }


def test_statuses_credentials_and_operations_are_the_contracts_own(mini: Contract) -> None:
    names = {*library(mini).defects, *library(mini).not_applicable}

    assert {"polls_until_terminal.queued-is-an-end", "polls_carry_credentials.x-mini-key-once"} <= names
    assert "begin_returns_task_id.missing-print_parcel_label" in names


def test_a_defect_of_one_argument_is_stated_by_the_requirements_that_have_it(stream: Contract) -> None:
    def stated(check: str, **where: str) -> tuple[str, ...]:
        return Defect(f"{check}.x", check, where=where).requirements(stream)

    operations = ("operation-returns-task-id", "similar-operation-returns-task-id")
    assert stated("interval_kept", option="passed") == ("override-poll-interval",)
    assert stated("exception_field", field="version") == ("exception-version",)
    assert stated("begin_returns_task_id", operations="delete_users") == operations[1:]
    assert stated("begin_returns_task_id") == operations
