from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import pytest
from fakes import LIMIT_S, MINI, Mark
from waitproof.adapter.command import AdapterCommand
from waitproof.errors import InputError
from waitproof.judge import Status, StillWaiting, Verdict
from waitproof.mock.process import ServerProcess
from waitproof.run import (
    AdapterResult,
    Baseline,
    LivePoll,
    Runner,
    RunResult,
    SilentListener,
    parse_baseline,
    player,
)
from waitproof.suite.files import Suite, bundled_suite, load_suite
from waitproof.suite.scenario import Scenario
from waitproof.suite.selection import select

Results = dict[str, AdapterResult]
Order = dict[str, list[str]]

LONGEST_S = 0.6  # the scenario timing/gives-up
PLAYED_AT_ONCE = 0.75  # of the sum of what the scenarios take: usually 0.4, one after another 1 or more

CORRECT = {
    "outcomes/begun:label-has-a-job": "PASS",
    "outcomes/begun:one-look-one-request": "PASS",
    "outcomes/begun:returns-output": "PASS",
    "outcomes/broken:broken-is-returned": "PASS",
    "outcomes/completes:first-look": "INFO",
    "outcomes/completes:returns-output": "PASS",
    "outcomes/completes:sends-its-key": "PASS",
    "timing/gives-up-when-told:gives-up": "PASS",
    "timing/gives-up-when-told:own-timeout": "PASS",
    "timing/gives-up:gives-up": "PASS",
    "timing/gives-up:usual-interval": "PASS",
    "timing/gives-up:usual-timeout": "PASS",
    "together/two-take-turns:async-takes-turns": "NOT_APPLICABLE",
    "together/two-take-turns:returns-output": "PASS",
}
ALL_BUT_ONE = {
    **dict.fromkeys(CORRECT, "ERROR"),
    "together/two-take-turns:async-takes-turns": "NOT_APPLICABLE",
}


@pytest.fixture(scope="module")
def suite() -> Suite:
    return load_suite(MINI)


@pytest.fixture
def mark() -> Iterator[Mark]:
    """The mark of this test's processes; no process, thread or descriptor may be left after it."""
    mark = Mark()
    threads = set(threading.enumerate())
    descriptors = os.listdir("/dev/fd")
    yield mark
    mark.assert_gone()
    left = [thread for thread in threading.enumerate() if thread not in threads]
    for thread in left:
        thread.join(2.0)
    assert [thread.name for thread in left if thread.is_alive()] == []
    assert len(os.listdir("/dev/fd")) <= len(descriptors)


SIDE_BY_SIDE = [
    "MiniAdapter",
    "OneAtATime",
    "Async",
    "AsyncThatBlocks",
    "NoHelper",
    "HalfTheTime",
    "NeverGivesUp",
    "NeverGivesUpOneAtATime",
    "DiesGivingUp",
    "DiesAtEveryWait",
    "FillsTheGaps",
    "HidesWhatFails",
    "LiesAboutElapsed",
    "MuteAtItsDeadline",
    "dies_at_start",
    "hundred_log_lines",
]

SPOILED = {"dot": ".", "nul": r"\x00\x00", "utf16": r"\x00{\x00"}  # how its answers to waits begin


@pytest.fixture(scope="module")
def order() -> Order:
    """The scenarios of `side_by_side` in the order in which they began, by adapter."""
    return {}


@pytest.fixture(scope="module")
def side_by_side(suite: Suite, order: Order) -> Results:
    """Return what became of many adapters in one run: a good one, and one for each way to be bad."""
    mark = Mark()

    class Listener(SilentListener):
        def started(self, adapter: str, scenario: Scenario, forecast_s: float) -> None:
            order.setdefault(adapter, []).append(scenario.id)

    missing = AdapterCommand("missing", ("/no/such/program",), Path("/"))
    with pytest.MonkeyPatch.context() as patch:
        # An adapter that does not answer is given up sooner than a person would wait.
        patch.setattr("waitproof.simulate.script.ANSWER_LIMIT_S", 1.0)
        commands = [*(mark.command(mode) for mode in SIDE_BY_SIDE), missing]
        commands += [mark.command("garbles", how, name=how) for how in (*SPOILED, "lost", "chatty")]
        commands += [mark.command("garbles", "chatty", "NeverGivesUp", name="chatty, forever")]
        result = Runner(suite, commands, listener=Listener()).run()
    mark.assert_gone()
    return {adapter.name: adapter for adapter in result.adapters}


def run(suite: Suite, *commands: AdapterCommand, only: Sequence[str] = ()) -> list[AdapterResult]:
    return Runner(suite, commands, scenarios=select(suite.scenarios, only)).run().adapters


def statuses(adapter: AdapterResult) -> dict[str, str]:
    return {f"{v.scenario}:{v.requirement}": v.status.value for v in adapter.verdicts()}


def verdict(adapter: AdapterResult, name: str) -> Verdict:
    return next(v for v in adapter.verdicts() if f"{v.scenario}:{v.requirement}" == name)


# --- adapters that keep the protocol ------------------------------------------------------------------


def test_a_second_vendors_sdk_that_keeps_its_promises_passes(side_by_side: Results) -> None:
    adapter = side_by_side["MiniAdapter"]

    assert statuses(adapter) == CORRECT
    assert (adapter.error, adapter.stderr_tail) == ("", ())
    assert adapter.hello is not None
    assert adapter.hello.sdk_name == "mini"


def test_the_async_variant_is_asked_for_two_waits_at_once_first(side_by_side: Results, order: Order) -> None:
    adapter = side_by_side["Async"]

    assert statuses(adapter) == {**CORRECT, "together/two-take-turns:async-takes-turns": "PASS"}
    assert order["Async"][0] == "together/two-take-turns"


def test_a_run_takes_hardly_longer_than_its_longest_scenario(suite: Suite, mark: Mark) -> None:
    lengths: list[float] = []
    began_s: dict[str, float] = {}
    ended_s: dict[str, float] = {}

    class Listener(SilentListener):
        def started(self, adapter: str, scenario: Scenario, forecast_s: float) -> None:
            lengths.append(forecast_s)
            began_s.setdefault(scenario.id, time.monotonic())

        def finished(
            self, adapter: str, scenario: Scenario, verdicts: Sequence[Verdict], *, final: bool
        ) -> None:
            ended_s.setdefault(scenario.id, time.monotonic())

    result = Runner(suite, [mark.command("MiniAdapter")], listener=Listener()).run()

    assert max(lengths) == pytest.approx(LONGEST_S)
    assert len(ended_s) == len(suite.scenarios)
    took_s = [ended_s[name] - began_s[name] for name in began_s]
    assert max(ended_s.values()) - min(began_s.values()) < PLAYED_AT_ONCE * sum(took_s)
    assert not result.interrupted


def test_an_adapter_that_takes_one_call_at_a_time_gets_more_processes(
    side_by_side: Results,
) -> None:
    adapter = side_by_side["OneAtATime"]

    assert statuses(adapter) == {**CORRECT, "together/two-take-turns:returns-output": "UNSUPPORTED"}
    assert adapter.stderr_tail == ()  # it dies of a second wait, and says so
    seen = verdict(adapter, "together/two-take-turns:returns-output").seen
    assert seen == "2 calls at once, and it can have 1 in flight"


def test_adapters_that_play_the_same_task_id_take_turns(suite: Suite, mark: Mark) -> None:
    plain = next(scenario for scenario in suite.scenarios if scenario.id == "timing/gives-up")
    first, *others = plain.calls
    fixed = plain.model_copy(update={"calls": (first.model_copy(update={"task_id": 7}), *others)})

    commands = [mark.command(mode) for mode in ("MiniAdapter", "Async", "OneAtATime")]
    result = Runner(suite, commands, scenarios=[fixed]).run()

    played = [adapter.scenarios[fixed.id].observations[0] for adapter in result.adapters]
    assert [each.task(each.calls[0]).task_id for each in played] == [7] * 3
    assert {status for adapter in result.adapters for status in statuses(adapter).values()} == {"PASS"}
    assert result.seconds > 3 * LONGEST_S


def test_durations_are_scaled_to_whole_seconds_for_a_helper_that_takes_no_others(
    suite: Suite, mark: Mark
) -> None:
    (adapter,) = run(suite, mark.command("WholeSeconds"), only=["outcomes/broken"])

    assert statuses(adapter) == {"outcomes/broken:broken-is-returned": "PASS"}
    (observation,) = adapter.scenarios["outcomes/broken"].observations
    assert observation.scale == 20
    assert observation.calls[0].request["options"] == {"poll_interval": 1, "timeout": 40}
    assert observation.tasks[0].polls[1].arrived_s >= 0.98


def test_a_helper_too_coarse_for_a_scenario_is_unsupported_there_and_plays_the_rest(
    suite: Suite, mark: Mark
) -> None:
    (adapter,) = run(suite, mark.command("TooCoarse"), only=["outcomes/broken", "outcomes/completes"])

    assert {name: status for name, status in statuses(adapter).items() if status != "INFO"} == {
        "outcomes/broken:broken-is-returned": "UNSUPPORTED",
        "outcomes/completes:returns-output": "PASS",
        "outcomes/completes:sends-its-key": "PASS",
    }


def test_without_a_wait_helper_everything_that_waits_is_unsupported(
    side_by_side: Results,
) -> None:
    adapter = side_by_side["NoHelper"]

    assert set(statuses(adapter).values()) == {"UNSUPPORTED", "NOT_APPLICABLE"}
    assert verdict(adapter, "outcomes/broken:broken-is-returned").seen == "the SDK ships no wait helper"


def test_a_helper_that_gives_up_too_early_fails_what_is_about_that_alone(
    side_by_side: Results,
) -> None:
    adapter = side_by_side["HalfTheTime"]

    wrong = {name: status for name, status in statuses(adapter).items() if status != CORRECT[name]}
    assert wrong == {
        "timing/gives-up-when-told:own-timeout": "FAIL",
        "timing/gives-up:usual-interval": "FAIL",
        "timing/gives-up:usual-timeout": "FAIL",
    }
    assert verdict(adapter, "timing/gives-up:usual-timeout").alone_runs == 0


def test_a_baseline_excuses_a_verdict_of_its_own_adapter(suite: Suite, mark: Mark) -> None:
    text = "format: 1\ndeviations:\n  - {deviation: own-timeout, reason: known}\n"
    baseline = parse_baseline(text, "deviations.yaml", date(2026, 1, 1))
    commands = [mark.command("HalfTheTime", name="a"), mark.command("HalfTheTime", name="b")]

    result = Runner(
        suite,
        commands,
        scenarios=select(suite.scenarios, ["*:own-timeout"]),
        baselines=[baseline, Baseline()],
    ).run()

    assert [[v.excused for v in adapter.verdicts()] for adapter in result.adapters] == [["known"], [""]]


def test_adapters_of_one_name_are_refused_before_anything_starts(suite: Suite, mark: Mark) -> None:
    with pytest.raises(InputError) as caught:
        Runner(suite, [mark.command("MiniAdapter", name="a"), mark.command("HalfTheTime", name="a")])

    assert str(caught.value) == (
        "adapters: 2 adapters are called 'a'\n  fix:      give each another 'name' in its adapter.yaml"
    )


def test_each_poll_is_reported_with_its_adapter_and_scenario(suite: Suite, mark: Mark) -> None:
    polls: list[LivePoll] = []
    commands = [mark.command("MiniAdapter", name=name) for name in "ab"]

    chosen = select(suite.scenarios, ["outcomes/completes", "take-turns:returns-output"])
    Runner(suite, commands, scenarios=chosen, on_poll=polls.append).run()

    for name in "ab":
        own = [(each.copy, each.status) for each in polls if each.adapter == name]
        assert own.count((1, "queued")) == 1
        assert [pair for pair in own if pair[0] == 2] == [(2, "working")] * 4 + [(2, "done")]
    assert {each.scenario for each in polls} == {"outcomes/completes", "together/two-take-turns"}


def test_a_suspicious_scenario_is_re_run_in_isolation(suite: Suite, mark: Mark, tmp_path: Path) -> None:
    phases: list[str] = []
    finals: list[tuple[str, bool]] = []

    class Listener(SilentListener):
        def phase(self, adapter: str, text: str) -> None:
            phases.append(text)

        def finished(
            self, adapter: str, scenario: Scenario, verdicts: Sequence[Verdict], *, final: bool
        ) -> None:
            if scenario.id == "timing/gives-up":
                finals.append(
                    (dict(zip(scenario.proves, verdicts, strict=True))["usual-timeout"].status, final)
                )

    commands = [mark.command("LateOnce", str(tmp_path / "was-late"))]
    (adapter,) = Runner(suite, commands, listener=Listener()).run().adapters

    assert statuses(adapter) == CORRECT
    late = verdict(adapter, "timing/gives-up:usual-timeout")
    assert late.alone_runs == 1
    told = re.match(
        r"passed in isolation; at first the call raised GaveUp after (\d+\.\d+) s\b", late.explanation
    )
    assert told is not None
    assert float(told[1]) >= 1.1  # a busy machine only adds to it
    assert [seen.alone for seen in adapter.scenarios["timing/gives-up"].observations] == [False, True]
    assert finals == [(Status.INCONCLUSIVE, False), (Status.PASS, True)]
    assert "re-run in isolation: timing/gives-up" in phases


def test_an_async_adapter_that_blocks_fails_that_and_nothing_else(side_by_side: Results) -> None:
    adapter = side_by_side["AsyncThatBlocks"]

    assert statuses(adapter) == {**CORRECT, "together/two-take-turns:async-takes-turns": "FAIL"}
    assert verdict(adapter, "together/two-take-turns:async-takes-turns").alone_runs == 2


# --- adapters that break it -----------------------------------------------------------------------------


def test_an_adapter_that_dies_at_its_start_is_an_error(side_by_side: Results) -> None:
    adapter = side_by_side["dies_at_start"]

    assert statuses(adapter) == dict.fromkeys(CORRECT, "ERROR")
    assert adapter.error.startswith("dies_at_start: exited with code 3 before it answered hello\n")
    assert adapter.stderr_tail == ("loading", "no module named 'getstream'")
    assert {v.seen for v in adapter.verdicts()} == {adapter.error}


def test_an_adapter_that_never_says_hello_is_given_up_at_its_limit(suite: Suite, mark: Mark) -> None:
    (adapter,) = Runner(suite, [mark.command("never_says_hello")], start_limit_s=0.3).run().adapters

    assert statuses(adapter) == dict.fromkeys(CORRECT, "ERROR")
    assert adapter.error.startswith("never_says_hello: no answer to hello within 0.3 s; the process is alive")


def test_a_program_that_is_missing_is_an_error_of_its_adapter_alone(
    side_by_side: Results,
) -> None:
    adapter = side_by_side["missing"]

    assert statuses(adapter) == dict.fromkeys(CORRECT, "ERROR")
    assert adapter.error.startswith("missing: cannot be started: no such program: '/no/such/program'")


def test_a_process_that_dies_costs_the_scenarios_that_shared_it_nothing(
    side_by_side: Results,
) -> None:
    adapter = side_by_side["DiesGivingUp"]

    wrong = {name: status for name, status in statuses(adapter).items() if status != CORRECT[name]}
    assert wrong == {name: "ERROR" for name in CORRECT if name.startswith("timing/")}
    lines = verdict(adapter, "timing/gives-up:gives-up").seen.splitlines()
    assert lines[0].startswith("DiesGivingUp: exited with code 3 before it answered call ")
    assert lines[1] == "  found:    the helper brought the process down"
    assert set(adapter.stderr_tail) == {"the helper brought the process down"}


def test_an_adapter_that_dies_at_every_wait_is_not_started_forever(
    side_by_side: Results,
) -> None:
    adapter = side_by_side["DiesAtEveryWait"]

    assert statuses(adapter) == ALL_BUT_ONE
    assert set(adapter.stderr_tail) == {
        "\x1b[31mno wait ever comes back\x1b[0m"
    }  # one or two waits were live


def test_an_adapter_that_answers_nothing_is_an_error_and_delays_no_other(
    suite: Suite, mark: Mark, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waitproof.simulate.script.ANSWER_LIMIT_S", 0.4)
    monkeypatch.setattr(player, "PING_LIMIT_S", 0.3)
    monkeypatch.setattr(player, "WARM_LIMIT_S", 0.5)
    only = ["timing/gives-up:", "outcomes/broken"]

    mute, correct = run(suite, mark.command("mute"), mark.command("MiniAdapter"), only=only)

    assert set(statuses(mute).values()) == {"ERROR"}
    seen = verdict(mute, "timing/gives-up:gives-up").seen
    assert seen == "no answer to call 2 within 1.1 s; the process is alive"
    assert mute.stderr_tail == ("deaf and mute from here",)
    assert statuses(correct) == {name: CORRECT[name] for name in statuses(mute)}


def test_an_adapter_that_babbles_is_an_error_that_names_the_line(
    side_by_side: Results,
) -> None:
    adapter = side_by_side["hundred_log_lines"]

    assert statuses(adapter) == ALL_BUT_ONE
    lines = verdict(adapter, "outcomes/completes:returns-output").seen.splitlines()
    assert lines[0].endswith("hundred_log_lines: printed 100 lines to stdout that are not answers")
    assert lines[1] == "  found:    debug 100"


@pytest.mark.parametrize("mode", ["NeverGivesUp", "NeverGivesUpOneAtATime"])
def test_a_helper_that_never_gives_up_fails_and_holds_up_nothing_else(
    side_by_side: Results, mode: str
) -> None:
    adapter = side_by_side[mode]

    wrong = {name: status for name, status in statuses(adapter).items() if status != CORRECT[name]}
    wrong.pop("together/two-take-turns:returns-output", None)  # UNSUPPORTED by one of them
    names = {name for name in CORRECT if name.startswith("timing/") and "interval" not in name}
    assert wrong == dict.fromkeys(names, "FAIL")
    assert "was still waiting after 1.70 s" in verdict(adapter, "timing/gives-up:gives-up").seen


def test_what_an_adapter_refuses_although_it_can_be_called_is_an_error(side_by_side: Results) -> None:
    adapter = side_by_side["HidesWhatFails"]

    wrong = {name: status for name, status in statuses(adapter).items() if status != CORRECT[name]}
    assert wrong == {name: "ERROR" for name in CORRECT if name.startswith("timing/")}
    refused = (
        "the adapter reports a wait with no option as unsupported (no overload), but made it in outcomes/"
    )
    assert verdict(adapter, "timing/gives-up:gives-up").seen.startswith(refused)
    assert re.fullmatch(
        r"the adapter reports that it cannot make the call, but the server saw \d+ polls",
        verdict(adapter, "timing/gives-up-when-told:gives-up").seen,
    )


def test_an_adapter_that_polls_in_place_of_its_sdk_is_an_error(side_by_side: Results) -> None:
    adapter = side_by_side["FillsTheGaps"]

    found = statuses(adapter)
    polled_twice = {name for name in CORRECT if name.startswith(("timing/", "together/two-take-turns:r"))}
    assert {found[name] for name in polled_twice} <= {"ERROR", "FAIL", "INCONCLUSIVE"}
    assert verdict(adapter, "timing/gives-up:gives-up").seen.startswith(
        "polls of one wait came from two HTTP clients: no User-Agent on connection "
    )


def test_a_refusal_is_final_only_when_all_has_been_played(suite: Suite, mark: Mark) -> None:
    finals: list[tuple[str, bool]] = []

    class Listener(SilentListener):
        def finished(
            self, adapter: str, scenario: Scenario, verdicts: Sequence[Verdict], *, final: bool
        ) -> None:
            if scenario.id == "timing/gives-up":
                finals.append((verdicts[0].status.value, final))

    chosen = select(suite.scenarios, ["timing/gives-up:gives-up", "outcomes/broken", "outcomes/completes"])
    Runner(suite, [mark.command("HidesWhatFails")], scenarios=chosen, listener=Listener()).run()

    assert finals == [("UNSUPPORTED", False), ("ERROR", True)]


@pytest.mark.parametrize("how", SPOILED)
def test_an_answer_behind_other_text_is_an_error_that_names_the_line(side_by_side: Results, how: str) -> None:
    adapter = side_by_side[how]

    assert statuses(adapter) == ALL_BUT_ONE
    lines = verdict(adapter, "outcomes/completes:returns-output").seen.splitlines()
    assert re.fullmatch(
        rf'{how}: the answer to call "\d+" does not begin its line, or is not in UTF-8', lines[0]
    )
    assert lines[1].startswith(f"  found:    {SPOILED[how]}")


def test_a_line_in_the_place_of_an_answer_is_an_error_that_names_it(side_by_side: Results) -> None:
    adapter = side_by_side["lost"]

    assert statuses(adapter) == ALL_BUT_ONE
    seen = verdict(adapter, "outcomes/completes:returns-output").seen
    assert re.fullmatch(
        r"no answer to call \d+ within \S+ s, and a line on stdout is not an answer: heap averted", seen
    )


def test_lines_beside_the_answers_change_no_verdict(side_by_side: Results) -> None:
    assert statuses(side_by_side["chatty"]) == CORRECT
    assert statuses(side_by_side["chatty, forever"]) == statuses(side_by_side["NeverGivesUp"])


def test_a_last_poll_at_the_deadline_does_not_show_that_the_helper_goes_on(side_by_side: Results) -> None:
    adapter = side_by_side["MuteAtItsDeadline"]

    wrong = {name: status for name, status in statuses(adapter).items() if status != CORRECT[name]}
    assert wrong == {name: "ERROR" for name in CORRECT if name.startswith("timing/")}
    assert re.fullmatch(
        r"no answer to call \d+ within 1.7 s; the process is alive",
        verdict(adapter, "timing/gives-up:gives-up").seen,
    )


def test_once_waits_have_hung_to_the_end_later_ones_are_given_up_early(
    suite: Suite, mark: Mark, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waitproof.simulate.script.ANSWER_LIMIT_S", 3.0)
    monkeypatch.setattr("waitproof.run.patience.HUNG", 1)
    monkeypatch.setattr("waitproof.run.patience.SILENT_S", 0.3)
    monkeypatch.setattr("waitproof.limit.LOOK_S", 0.1)
    monkeypatch.setattr("waitproof.run.schedule.TIMED_FILL", 100.0)  # one lane: one scenario after another

    (adapter,) = run(suite, mark.command("Hangs"), only=["timing/"])

    waited_s = [
        call.seen.waited_s
        for played in adapter.scenarios.values()
        for call in played.observations[0].calls
        if isinstance(call.seen, StillWaiting)
    ]
    whole_s, early_s = sorted(waited_s, reverse=True)
    assert whole_s > 3.0
    assert early_s < whole_s / 2
    assert set(statuses(adapter).values()) == {"FAIL"}
    told = next(v for v in adapter.verdicts() if "it hung like" in v.seen)
    assert re.search(r"was given up after \d\.\d\d s: it hung like the calls in timing/gives-up", told.seen)


def test_an_adapter_that_lies_about_the_time_is_caught_by_the_other_witness(
    side_by_side: Results,
) -> None:
    adapter = side_by_side["LiesAboutElapsed"]

    assert statuses(adapter)["timing/gives-up:gives-up"] == "ERROR"
    seen = verdict(adapter, "timing/gives-up:gives-up").seen
    match = re.fullmatch(
        r"the adapter reports that the call took ([\d.]+) s, but the harness had its answer after ([\d.]+) s",
        seen,
    )
    assert match is not None
    assert float(match[1]) > 2 * float(match[2])


# --- interrupts, and trouble of our own ---------------------------------------------------------------


def test_a_run_that_is_cancelled_while_an_adapter_starts_ends_soon(suite: Suite, mark: Mark) -> None:
    began_s = time.monotonic()
    runner = Runner(suite, [mark.command("never_says_hello")], start_limit_s=2.5)
    thread = threading.Thread(target=runner.run)
    thread.start()
    while not mark.processes() and time.monotonic() < began_s + LIMIT_S:
        time.sleep(0.02)

    runner.cancel()
    thread.join(1.3)
    is_over = not thread.is_alive()
    thread.join(LIMIT_S)

    assert is_over


@pytest.mark.parametrize("phase", ["starting", "warming up", "running"])
def test_a_cancelled_run_ends_soon_and_keeps_what_is_known(suite: Suite, mark: Mark, phase: str) -> None:
    runner: Runner
    began: list[float] = []

    class Listener(SilentListener):
        def phase(self, adapter: str, text: str) -> None:
            if text == phase:
                began.append(time.monotonic())
                threading.Thread(target=runner.cancel).start()

    commands = [mark.command("IgnoresTheEnd"), mark.command("Async")]
    runner = Runner(suite, commands, listener=Listener(), start_limit_s=2.0)

    result = runner.run()

    assert result.interrupted
    assert time.monotonic() - began[0] < 5.0
    known = {status for adapter in result.adapters for status in statuses(adapter).values()}
    assert known <= {"PASS", "INFO", "NOT_APPLICABLE"}
    assert [adapter.error for adapter in result.adapters] == ["", ""]
    mark.assert_gone(0.0)


def test_a_port_in_use_is_a_mistake_of_the_user(suite: Suite, mark: Mark) -> None:
    with ServerProcess(suite.contract) as other:
        port = int(other.base_url.rpartition(":")[2])
        runner = Runner(suite, [mark.command("MiniAdapter")], port=port)
        with pytest.raises(InputError, match=f"port {port}"):
            runner.run()


def test_two_runs_at_once_do_not_disturb_each_other(suite: Suite, mark: Mark) -> None:
    results: list[RunResult] = []
    runners = [Runner(suite, [mark.command("MiniAdapter")]) for _ in range(2)]
    threads = [threading.Thread(target=lambda r=runner: results.append(r.run())) for runner in runners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)

    assert [statuses(result.adapters[0]) for result in results] == [CORRECT, CORRECT]


# --- requests that are no polls -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("defect", "pattern", "seen"),
    [
        (
            "asks-first",
            "outcomes/completes-after-3-polls:polls-task-status-endpoint",
            r"GET /api/v2/app",
        ),
        (
            "ends-the-task",
            "polling/timeout-then-a-look:timeout-leaves-task-running",
            r"DELETE /api/v2/tasks/[0-9a-f-]+",
        ),
    ],
)
def test_a_request_beside_the_polls_is_the_scenarios_whatever_connection_it_came_on(
    defect: str, pattern: str, seen: str
) -> None:
    run = run_beside_the_polls(defect, pattern)

    (verdict,) = run.adapters[0].verdicts()
    assert verdict.status in {Status.FAIL, Status.WARN}
    assert re.fullmatch(seen, verdict.seen)
    assert run.strays == ()


def test_a_poll_after_the_end_of_its_scenario_is_named_after_it() -> None:
    run = run_beside_the_polls(
        "looks-later",
        "outcomes/already-completed:completed-returns-result",
        "overrides/both-shorter:override-timeout",
    )

    assert [verdict.status for verdict in run.adapters[0].verdicts()] == [Status.PASS] * 2
    assert {stray.late_for for stray in run.strays} == {"looks-later: outcomes/already-completed"}


def run_beside_the_polls(defect: str, *patterns: str) -> RunResult:
    stream = load_suite(bundled_suite())
    root = Path(__file__).parents[2]
    command = AdapterCommand(
        defect,
        (sys.executable, str(root / "tests" / "fake_adapters" / "asks_first.py"), defect),
        root,
        {"PYTHONPATH": os.pathsep.join([str(root), str(root / "adapters" / "kits" / "python")])},
    )
    return Runner(stream, [command], scenarios=select(stream.scenarios, patterns)).run()
