from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from waitproof.protocol import Capabilities
from waitproof.simulate import Forecast, forecast, is_timed, pack, scale_for, scaled, watch_s
from waitproof.suite.contract import Contract
from waitproof.suite.crosscheck import parse_scenario
from waitproof.suite.document import Document
from waitproof.suite.files import CONTRACT, bundled_suite, load_contract, load_suite
from waitproof.suite.scenario import Scenario

SUITE = bundled_suite()


@pytest.fixture(scope="session")
def contract() -> Contract:
    """Its defaults are an interval of 1 s and a timeout of 60 s."""
    return load_contract(SUITE / CONTRACT)


def scenario(*calls: str, task: str = "{status: pending}", proves: str = "polls-until-terminal") -> Scenario:
    lines = "".join(f"  - {call}\n" for call in calls)
    text = f"summary: It ends.\nproves: [{proves}]\ntask: [{task}]\ncalls:\n{lines}"
    return parse_scenario(Document(text, "s.yaml"), "overrides/s")


def wait(interval: str = "", timeout: str = "", more: str = "") -> str:
    options = [f"poll_interval: {interval}"] * bool(interval) + [f"timeout: {timeout}"] * bool(timeout)
    return f"{{wait: {{{', '.join(options)}}}{more}}}"


# --- forecasts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("calls", "task", "expected"),
    [
        ([wait("1s", "5s")], "{status: completed}", Forecast(0.0, 1)),
        ([wait("1s", "5s")], "{status: pending, times: 2}, {status: completed}", Forecast(2.0, 3)),
        ([wait("1s", "5s")], "{status: pending}", Forecast(5.0, 5)),
        ([wait("2s", "5s")], "{status: pending}", Forecast(5.0, 3)),
        ([wait("10s", "5s")], "{status: pending}", Forecast(5.0, 1)),
        ([wait()], "{status: pending}", Forecast(60.0, 60)),
        ([wait(timeout="3s")], "{status: pending}", Forecast(3.0, 3)),
        ([wait("1s", "9s")], "{fault: {http: 500}}, {fault: {text: x}}, {status: failed}", Forecast(2.0, 3)),
        ([wait("1s", "9s")], "{status: pending, delay: 500ms}, {status: completed}", Forecast(1.5, 2)),
        ([wait("1s", "9s")], "{status: pending, delay: 30s}", Forecast(9.0, 1)),
        ([wait("1s", "2s"), wait("1s", "9s")], "{status: a, times: 3}, {status: failed}", Forecast(3.0, 4)),
        ([wait("1s", "5s", ", parallel: 25")], "{status: pending}", Forecast(5.0, 125)),
        (["{get_task: {}}"], "{status: pending, delay: 300ms}", Forecast(0.3, 0)),
        (["{get_task: {}}", wait("1s", "2s")], "{status: pending}", Forecast(2.0, 2)),
        ([wait("1ms", "10m")], "{status: pending}", Forecast(100.0, 100_000)),
    ],
)  # fmt: skip
def test_a_scenario_takes_as_long_as_a_patient_helper_takes(
    calls: list[str], task: str, expected: Forecast, contract: Contract
) -> None:
    seen = forecast(contract, scenario(*calls, task=task))

    assert (round(seen.length_s, 6), seen.polls) == (expected.length_s, expected.polls)


def test_the_watch_after_the_outcome_is_part_of_the_length(contract: Contract) -> None:
    watched = scenario(wait("500ms", "5s"), task="{status: completed}", proves="no-poll-after-outcome")

    assert forecast(contract, watched) == Forecast(1.0, 1)


@pytest.mark.parametrize(
    ("calls", "proves", "seconds"),
    [
        ([wait("200ms", "5s")], "completed-returns-result", 0.0),
        ([wait("200ms", "5s")], "no-poll-after-outcome", 0.4),
        ([wait("200ms", "5s"), wait("1s", "5s")], "completed-returns-result, no-poll-after-outcome", 2.0),
        ([wait()], "no-poll-after-outcome", 2.0),
        ([wait("9s", "20s")], "no-poll-after-outcome", 3.0),
        (["{get_task: {}}"], "no-poll-after-outcome", 0.0),
    ],
)
def test_the_journal_is_watched_for_two_intervals_where_a_check_asks(
    calls: list[str], proves: str, seconds: float, contract: Contract
) -> None:
    assert watch_s(contract, scenario(*calls, proves=proves)) == seconds


@pytest.mark.parametrize(
    ("proves", "more", "timed"),
    [
        ("completed-returns-result", "", False),
        ("override-timeout", "", True),
        ("completed-returns-result, override-poll-interval", "", True),
        ("override-timeout", ", parallel: 2", False),
    ],
)
def test_a_scenario_is_timed_where_a_verdict_depends_on_time(
    proves: str, more: str, *, timed: bool, contract: Contract
) -> None:
    assert is_timed(contract, scenario(wait("1s", "5s", more), proves=proves)) is timed


def test_the_longest_scenario_of_the_suite_is_the_default_timeouts() -> None:
    suite = load_suite(SUITE)

    lengths = {each.id: forecast(suite.contract, each).length_s for each in suite.scenarios}

    assert max(lengths, key=lambda name: lengths[name]) == "defaults/gives-up-after-a-minute"
    assert max(lengths.values()) <= 60.0 + 3.0


# --- lanes --------------------------------------------------------------------------------------------


def lanes(lengths: list[float], horizon_s: float) -> list[list[float]]:
    return pack(lengths, lambda length: length, horizon_s)


@pytest.mark.parametrize(
    ("lengths", "packed"),
    [
        ([], []),
        ([60.0], [[60.0]]),
        ([5.0, 60.0, 5.0, 50.0], [[60.0], [50.0, 5.0, 5.0]]),
        ([30.0, 30.0, 30.0, 30.0], [[30.0, 30.0], [30.0, 30.0]]),
        ([10.0, 40.0, 20.0, 50.0], [[50.0, 10.0], [40.0, 20.0]]),
        ([70.0, 1.0], [[70.0], [1.0]]),
    ],
)
def test_items_are_spread_over_as_few_lanes_as_the_horizon_allows(
    lengths: list[float], packed: list[list[float]]
) -> None:
    assert lanes(lengths, 60.0) == packed


def test_items_of_one_length_keep_their_order() -> None:
    assert pack(["b", "a", "c"], lambda _: 1.0, 60.0) == [["b", "a", "c"]]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 80), max_size=40))
def test_no_lane_ends_after_the_horizon_and_no_two_fit_into_one(lengths: list[int]) -> None:
    packed = pack(lengths, float, 60.0)
    ends = [sum(lane) for lane in packed]

    assert Counter(length for lane in packed for length in lane) == Counter(lengths)
    assert all(lane == sorted(lane, reverse=True) for lane in packed)
    assert all(end <= 60 or len(lane) == 1 for end, lane in zip(ends, packed, strict=True))
    assert sum(end <= 30 for end in ends) <= 1


# --- scaling ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("calls", "interval_resolution", "timeout_resolution", "factor"),
    [
        ([wait("200ms", "5s")], 0.001, 0.001, 1),
        ([wait("200ms", "5s")], 1.0, 1.0, 5),
        ([wait("200ms", "5s")], 0.001, 1.0, 1),
        ([wait("250ms", "1500ms")], 1.0, 1.0, 4),
        ([wait("200ms", "1s"), wait("300ms", "1s")], 1.0, 1.0, 10),
        ([wait(timeout="2s")], 1.0, 1.0, 1),
        ([wait()], 60.0, 60.0, 1),
        (["{get_task: {}}"], 60.0, 60.0, 1),
        ([wait("1s", "60s")], 1.0, 1.0, 1),
        ([wait("100ms", "7s")], 1.0, 1.0, None),
        ([wait("1s", "90s")], 1.0, 1.0, 1),
        ([wait("1s", "7s")], 60.0, 60.0, None),
        ([wait("1ms", "1s")], 1.0, 1.0, None),
        ([wait("1ms", "7s")], 1e-9, 1e-9, 1),
        ([wait("200ms", "5s")], 7e-9, 7e-9, 1),
        ([wait("200ms", "5s")], 3600.0, 3600.0, None),
        ([wait("200ms", "5s")], 3599.999983, 1e-6, None),
    ],
)
def test_durations_are_multiplied_until_the_options_fit_the_sdks_resolution(
    calls: list[str],
    interval_resolution: float,
    timeout_resolution: float,
    factor: int | None,
    contract: Contract,
) -> None:
    capabilities = Capabilities(
        poll_interval_resolution=interval_resolution, timeout_resolution=timeout_resolution
    )

    assert scale_for(contract, scenario(*calls), capabilities) == factor


WHOLE_SECONDS = Capabilities(poll_interval_resolution=1.0, timeout_resolution=1.0)


@pytest.mark.parametrize(
    ("times", "factor"),
    [
        (50, 10),  # 5 s of polls become 50 s: well before the default timeout of 60 s
        (70, None),  # 7 s of polls would become 70 s: it is the default timeout that would end the wait
        ("forever", 10),  # the default timeout ends it either way
    ],
)
def test_a_task_is_not_multiplied_beyond_a_default_timeout_that_it_ends_before(
    times: int | str, factor: int | None, contract: Contract
) -> None:
    each = scenario(wait("100ms"), task=f"{{status: pending, times: {times}}}, {{status: completed}}")

    assert scale_for(contract, each, WHOLE_SECONDS) == factor


@pytest.mark.parametrize(("timeout", "factor"), [("90.5s", 2), ("30d", 1), ("none", 1)])
def test_a_long_timeout_takes_no_longer_than_its_task(timeout: str, factor: int, contract: Contract) -> None:
    each = scenario(wait("1s", timeout), task="{status: pending, for: 2s}, {status: completed}")

    assert scale_for(contract, each, WHOLE_SECONDS) == factor
    assert forecast(contract, each).length_s == pytest.approx(2.0)


def test_a_wait_without_a_timeout_has_none_when_it_is_multiplied() -> None:
    once = scenario(wait("500ms", "none"), task="{status: completed}")

    options = scaled(once, 2).calls[0].wait

    assert options is not None
    assert options.model_dump(exclude_none=True) == {"poll_interval": "1s", "timeout": "none"}


def test_no_step_is_multiplied_beyond_the_longest_duration_of_a_file(contract: Contract) -> None:
    each = scenario(wait("100ms", "5s"), task="{status: pending, delay: 90s}")

    assert scale_for(contract, each, WHOLE_SECONDS) is None


def test_every_duration_of_a_scenario_is_multiplied_and_nothing_else() -> None:
    once = scenario(
        wait("200ms", "1s"),
        wait(timeout="2s"),
        "{get_task: {}}",
        task="{status: pending, for: 1s, delay: 100ms, close_after: 50ms}, {status: completed, times: 2}",
    )

    twice = scaled(once, 2)

    def durations(each: Scenario) -> list[Any]:
        waits = [call.wait and (call.wait.poll_interval, call.wait.timeout) for call in each.calls]
        return [*((step.for_, step.delay, step.close_after, step.times) for step in each.task), *waits]

    assert durations(twice) == [(2.0, 0.2, 0.1, 1), (None, 0.0, None, 2), (0.4, 2.0), (None, 4.0), None]
    assert durations(once) == [(1.0, 0.1, 0.05, 1), (None, 0.0, None, 2), (0.2, 1.0), (None, 2.0), None]
    assert (twice.id, twice.proves) == (once.id, once.proves)


def test_a_scenario_that_fits_stays_itself() -> None:
    once = scenario(wait("1s", "5s"))

    assert scaled(once, 1) is once


def test_every_shipped_scenario_fits_an_sdk_of_whole_seconds_or_is_known_not_to() -> None:
    whole_seconds = Capabilities(poll_interval_resolution=1.0, timeout_resolution=1.0)

    suite = load_suite(SUITE)
    for each in suite.scenarios:
        factor = scale_for(suite.contract, each, whole_seconds)
        if factor is not None:
            options = [
                value
                for call in scaled(each, factor).calls
                if call.wait is not None
                for value in (call.wait.poll_interval, call.wait.timeout)
                if isinstance(value, float)
            ]
            assert [round(value, 9) % 1 for value in options] == [0.0] * len(options), each.id
