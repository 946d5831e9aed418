"""The simulator against a client of twenty lines, with the contract of a vendor that is not Stream."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from fakes import MINI
from hypothesis import given, settings
from hypothesis import strategies as st
from waitproof.journal import Ended
from waitproof.judge import Status, judge
from waitproof.judge.observation import Observation, Poll, StillWaiting
from waitproof.protocol import Given, JsonObject, Raised, Returned, Unsupported
from waitproof.simulate import (
    Answer,
    Conditions,
    Machine,
    Request,
    SimulatedCancelError,
    SimulatedDropError,
    SimulatedTimeoutError,
    Simulator,
    Stop,
)
from waitproof.suite.contract import Contract
from waitproof.suite.crosscheck import parse_scenario
from waitproof.suite.document import Document
from waitproof.suite.files import CONTRACT, load_contract
from waitproof.suite.scenario import Scenario

EXACT = Conditions(up_s=0.01, down_s=0.02)
WORKING: dict[str, Any] = {"status": "working"}
FOREVER: dict[str, Any] = {"status": "working", "times": "forever"}
DONE: dict[str, Any] = {"status": "done", "result": 7}


class GaveUpError(Exception):
    pass


@dataclass
class Jobs:
    """A client: `period_s` says when the next poll comes, from when the last was sent and answered."""

    machine: Machine
    next_s: Callable[[float, float, float, float], float]
    headers: dict[str, str]
    blind: bool

    def request(self, job: Any, method: str = "GET") -> Request:
        return Request(method, f"/jobs/{job}/state", self.headers)

    def look(self, job: Any, timeout_s: float = 60.0) -> dict[str, Any]:
        answer = self.machine.send(self.request(job), max(timeout_s, 0.001), blind=self.blind)
        if answer.http != 200:
            raise RuntimeError(f"HTTP {answer.http}")
        body: dict[str, Any] = json.loads(answer.body)
        return body

    def wait(self, job: Any, poll_interval: float = 0.1, timeout: float = 0.6) -> Any:
        began_s = self.machine.now()
        deadline_s = began_s + timeout
        while True:
            sent_s = self.machine.now()
            try:
                job_state = self.look(job, deadline_s - sent_s)
            except SimulatedTimeoutError:
                raise GaveUpError from None
            if job_state["phase"] in ("done", "broken"):
                return job_state["output"]
            now_s = self.machine.now()
            due_s = self.next_s(began_s, sent_s, now_s, poll_interval)
            if due_s >= deadline_s:
                self.machine.sleep(deadline_s - now_s)
                raise GaveUpError
            self.machine.sleep(due_s - now_s)


def after_the_answer(_began_s: float, _sent_s: float, now_s: float, interval_s: float) -> float:
    return now_s + interval_s


def after_the_request(_began_s: float, sent_s: float, now_s: float, interval_s: float) -> float:
    return max(now_s, sent_s + interval_s)


def at_the_next_tick(began_s: float, _sent_s: float, now_s: float, interval_s: float) -> float:
    return began_s + (int((now_s - began_s) / interval_s + 1e-9) + 1) * interval_s


class Mini:
    """The client's adapter."""

    non_blocking = False

    def __init__(
        self,
        next_s: Callable[[float, float, float, float], float] = after_the_answer,
        *,
        headers: dict[str, str] | None = None,
        blind: bool = False,
        wait: Callable[[Jobs, Any], Any] | None = None,
        **capabilities: Any,
    ) -> None:
        self.next_s, self.headers, self.blind, self.other_wait = next_s, headers or {}, blind, wait
        self.capabilities = {
            "max_concurrency": 0,
            "operations": ["print_parcel_label"],
            "non_blocking": self.non_blocking,
            **capabilities,
        }

    def hello(self) -> JsonObject:
        sdk = {"name": "mini", "version": "1", "language": "python", "runtime": "simulated"}
        return {"sdk": sdk, "helper": "wait", "result_path": "", "capabilities": self.capabilities}

    def connect(self, machine: Machine) -> Jobs:
        return Jobs(machine, self.next_s, {"X-Mini-Key": "key", **self.headers}, self.blind)

    def call(self, client: Jobs, request: JsonObject) -> Any:
        if request["op"] == "wait":
            if self.other_wait is not None:
                return self.other_wait(client, request["task_id"])
            return client.wait(request["task_id"], **request["options"])
        if request["op"] == "get_task":
            return client.look(request["task_id"])
        body = json.dumps(request["arguments"]).encode()
        return json.loads(client.machine.send(Request("POST", "/parcels/labels", {}, body), 1.0).body)["job"]

    def returned(self, request: JsonObject, value: Any) -> JsonObject:
        name = {"wait": "result", "get_task": "task", "begin": "task_id"}[request["op"]]
        return {"outcome": "returned", name: value}

    def raised(self, request: JsonObject, error: BaseException) -> JsonObject:
        kind = "other" if isinstance(error, GaveUpError) else "transport"
        exception = {"kind": kind, "type": type(error).__name__, "message": str(error), "fields": {}}
        return {"outcome": "raised", "exception": exception}

    def elapsed_s(self, seconds: float) -> float | None:
        return seconds


CONTRACT_OF_MINI: Contract = load_contract(MINI / CONTRACT)


def scenario(
    *steps: dict[str, Any], calls: Any = None, proves: tuple[str, ...] = (), **more: Any
) -> Scenario:
    values = {
        "summary": "A test.",
        "proves": proves or ("first-look",),
        "task": steps,
        "calls": calls or [{"wait": {}}],
        **more,
    }
    return parse_scenario(Document(json.dumps(values), "test"), "test/it")


def play(sdk: Mini, played: Scenario, conditions: Conditions = EXACT, **more: Any) -> Observation:
    simulator = Simulator(CONTRACT_OF_MINI, conditions)
    return simulator.play(sdk, simulator.hello(sdk), played, **more)


def times(polls: tuple[Poll, ...]) -> list[tuple[float, float | None]]:
    return [(round(p.arrived_s, 6), None if p.answered_s is None else round(p.answered_s, 6)) for p in polls]


# --- time on the way ----------------------------------------------------------------------------------


def test_requests_and_answers_each_have_their_latency() -> None:
    seen = play(
        Mini(), scenario(WORKING, {**WORKING, "delay": "300ms"}, DONE, calls=[{"wait": {"timeout": "5s"}}])
    )

    assert times(seen.tasks[0].polls) == [(0.01, 0.01), (0.14, 0.44), (0.57, 0.57)]
    (call,) = seen.calls
    assert call.seen == Returned(Given.RESULT, result=7)
    assert call.sent_s == 0.0
    assert call.received_s == pytest.approx(0.59)
    assert call.elapsed_s == pytest.approx(0.59)


def test_polls_are_recorded_as_a_server_records_them() -> None:
    seen = play(Mini(), scenario(WORKING, DONE))

    first, second = seen.tasks[0].polls
    assert (first.n, first.step, first.status, first.http, first.ended) == (
        1,
        0,
        "working",
        200,
        Ended.ANSWERED,
    )
    assert (second.n, second.step, second.status) == (2, 1, "done")
    assert (first.method, first.target, first.headers) == ("GET", "/jobs/1/state", {"x-mini-key": "key"})
    assert seen.calls[0].request == {"op": "wait", "task_id": 1, "options": {}}


def test_sleeps_and_latencies_vary_at_random_and_the_same_seed_repeats_them() -> None:
    busy = Conditions(jitter_s=0.005, late_s=0.03, seed=4)
    played = scenario(*[WORKING] * 4, DONE)

    once, again, other = (play(Mini(), played, busy, seed=seed).tasks[0].polls for seed in (0, 0, 1))

    periods = [b - a for (a, _), (b, _) in zip(times(once), times(once)[1:], strict=False)]
    assert all(0.1 < period < 0.15 for period in periods)
    assert len(set(periods)) == len(periods)
    assert once == again
    assert once != other


def test_a_stopped_client_does_nothing_until_the_stop_is_over() -> None:
    stops = Conditions(0.0, 0.0, stops=(Stop(0.15, 0.3),))

    seen = play(Mini(), scenario(*[WORKING] * 3, DONE, calls=[{"wait": {"timeout": "5s"}}]), stops)

    assert times(seen.tasks[0].polls) == [(0.0, 0.0), (0.1, 0.1), (0.45, 0.45), (0.55, 0.55)]


def test_an_answer_that_came_during_a_stop_is_read_before_the_deadline_is_noticed() -> None:
    stops = Conditions(0.0, 0.0, stops=(Stop(0.2, 1.0),))

    seen = play(Mini(), scenario({**DONE, "delay": "300ms"}), stops)

    assert seen.calls[0].seen == Returned(Given.RESULT, result=7)
    assert seen.calls[0].received_s == pytest.approx(1.2)


# --- ends and faults ----------------------------------------------------------------------------------


def test_a_poll_that_is_cut_off_is_abandoned() -> None:
    seen = play(Mini(), scenario({**FOREVER, "delay": "4s"}))

    assert isinstance(seen.calls[0].seen, Raised)
    assert seen.calls[0].received_s == pytest.approx(0.6)
    seen = play(
        Mini(),
        scenario({**FOREVER, "delay": "4s"}, proves=("own-timeout",), calls=[{"wait": {}}, {"get_task": {}}]),
    )
    first, second = seen.tasks[0].polls
    assert (first.ended, first.http, round(first.answered_s or 0, 6)) == (Ended.ABANDONED, None, 0.61)
    assert second.ended is Ended.ANSWERED


@pytest.mark.parametrize(
    ("fault", "ended", "http", "kind"),
    [
        ({"drop": "before-response"}, Ended.DROPPED, None, "SimulatedDropError"),
        ({"drop": "reset"}, Ended.DROPPED, None, "SimulatedDropError"),
        ({"drop": "mid-body"}, Ended.DROPPED, 200, "SimulatedDropError"),
        ({"http": 503}, Ended.ANSWERED, 503, "RuntimeError"),
        ({"text": "<html>"}, Ended.ANSWERED, 200, "JSONDecodeError"),
    ],
)
def test_a_fault_reaches_the_client_as_it_would_on_a_wire(
    fault: dict[str, Any], ended: Ended, http: int | None, kind: str
) -> None:
    seen = play(Mini(), scenario({"fault": fault}, DONE))

    (poll,) = seen.tasks[0].polls
    assert (poll.ended, poll.http) == (ended, http)
    assert isinstance(seen.calls[0].seen, Raised)
    assert seen.calls[0].seen.type == kind


def test_a_poll_that_is_repeated_at_once_on_another_connection_is_a_repeat() -> None:
    def twice(client: Jobs, job: Any) -> Any:
        with pytest.raises(SimulatedDropError):
            client.look(job)
        return client.look(job)["output"]

    seen = play(Mini(wait=twice), scenario({"fault": {"drop": "reset"}}, DONE))

    assert [(p.n, p.repeat, p.connection) for p in seen.tasks[0].polls] == [(1, False, 1), (1, True, 2)]


@pytest.mark.parametrize(
    ("sdk", "step", "connections"),
    [
        (Mini(), WORKING, [1, 1, 1]),
        (Mini(headers={"Connection": "close"}), WORKING, [1, 2, 3]),
        (Mini(), {**WORKING, "close_after": "0ms"}, [1, 2, 3]),
        (Mini(), {**WORKING, "close_after": "5s"}, [1, 1, 1]),
    ],
)
def test_a_connection_is_used_again_while_it_is_open(
    sdk: Mini, step: dict[str, Any], connections: list[int]
) -> None:
    seen = play(sdk, scenario({**step, "times": 2}, DONE))

    assert [poll.connection for poll in seen.tasks[0].polls] == connections


def test_a_client_that_is_blind_to_a_close_meets_a_dropped_connection() -> None:
    seen = play(Mini(blind=True), scenario({**WORKING, "close_after": "50ms"}, DONE))

    assert len(seen.tasks[0].polls) == 1
    assert isinstance(seen.calls[0].seen, Raised)
    assert seen.calls[0].seen.type == "SimulatedDropError"


def test_the_first_request_of_a_cold_client_opens_a_connection_and_pays_for_it() -> None:
    slow = replace(EXACT, connect_s=0.2)

    warm = play(Mini(), scenario(DONE), slow).tasks[0].polls[0]
    cold = play(Mini(), scenario(DONE, cold=True), slow).tasks[0].polls[0]

    assert times((warm, cold)) == [(0.01, 0.01), (0.21, 0.21)]


# --- calls --------------------------------------------------------------------------------------------


def test_an_operation_begins_the_task_that_later_calls_are_about() -> None:
    calls = [
        {"begin": "print_parcel_label", "arguments": {"parcel": "${token}"}},
        {"get_task": {}},
        {"wait": {}},
    ]

    seen = play(Mini(), scenario(WORKING, DONE, calls=calls))

    begun, look, wait = (call.seen for call in seen.calls)
    assert begun == Returned(Given.TASK_ID, task_id=1)
    assert isinstance(look, Returned)
    assert look.task["phase"] == "working"
    assert wait == Returned(Given.RESULT, result=7)


def test_an_unsupported_call_is_not_made() -> None:
    seen = play(Mini(options=["timeout"]), scenario(DONE, calls=[{"wait": {"poll_interval": "1s"}}]))

    assert seen.calls[0].seen == Unsupported("the helper takes no poll_interval")
    assert seen.tasks[0].polls == ()


def test_a_request_that_is_not_a_poll_belongs_to_the_task_of_its_connection() -> None:
    def also_deletes(client: Jobs, job: Any) -> Any:
        job_state = client.look(job)
        client.machine.send(client.request(job, "DELETE"), 1.0)
        return job_state["output"]

    seen = play(Mini(wait=also_deletes), scenario(DONE))

    assert [(other.method, other.http) for other in seen.tasks[0].others] == [("DELETE", 404)]


def test_each_parallel_wait_has_its_own_task_and_outcome() -> None:
    played = scenario(WORKING, {"status": "done", "result": "${n}"}, calls=[{"wait": {}, "parallel": 25}])

    seen = play(Mini(), played)

    assert [call.seen for call in seen.calls] == [Returned(Given.RESULT, result=n) for n in range(1, 26)]
    assert all(len(task.polls) == 2 for task in seen.tasks)


@pytest.mark.parametrize("at_once", [1, 3])
def test_a_helper_that_never_ends_is_given_up_as_soon_as_a_live_one(at_once: int) -> None:
    def forever(client: Jobs, job: Any) -> Any:
        while True:
            client.look(job)
            client.machine.sleep(0.5)

    seen = play(Mini(wait=forever), scenario(FOREVER, calls=[{"wait": {}, "parallel": at_once}]))

    outcomes = [call.seen for call in seen.calls]
    assert [round(each.waited_s, 6) for each in outcomes if isinstance(each, StillWaiting)] == [
        10.7
    ] * at_once


def test_a_helper_that_polls_without_end_is_given_up_too() -> None:
    def busy(client: Jobs, job: Any) -> Any:
        while True:
            client.look(job)

    seen = play(Mini(wait=busy), scenario(FOREVER))

    assert isinstance(seen.calls[0].seen, StillWaiting)
    assert 50 < len(seen.tasks[0].polls) < 1000


def test_a_clients_background_work_goes_on_while_the_journal_is_watched() -> None:
    def and_once_more(client: Jobs, job: Any) -> Any:
        def later() -> None:
            client.machine.sleep(0.15)
            client.look(job)

        client.machine.start(later)
        return client.look(job)["output"]

    played = scenario(DONE, calls=[{"wait": {}}, {"get_task": {}}])
    played = played.model_copy(update={"calls": played.calls[:1]}).named("test/it")
    simulator = Simulator(load_contract_that_watches(), EXACT)
    sdk = Mini(wait=and_once_more)

    seen = simulator.play(sdk, simulator.hello(sdk), played)

    assert times(seen.tasks[0].polls) == [(0.01, 0.01), (0.16, 0.16)]
    assert seen.watched_s == pytest.approx(0.23)


def load_contract_that_watches() -> Contract:
    first = CONTRACT_OF_MINI.requirement("first-look").model_copy(update={"check": "no_poll_after_outcome"})
    others = [r for r in CONTRACT_OF_MINI.requirements if r.id != "first-look"]
    return CONTRACT_OF_MINI.model_copy(update={"requirements": (*others, first)})


# --- an event loop ------------------------------------------------------------------------------------


class Async(Mini):
    non_blocking = True

    def __init__(self, *, blocks: bool = False) -> None:
        super().__init__()
        self.blocks = blocks

    def call(self, client: Jobs, request: JsonObject) -> Any:
        return self.wait(client, request["task_id"])

    async def wait(self, client: Jobs, job: Any) -> Any:
        machine = client.machine
        while True:
            job_state = json.loads((await machine.send_async(client.request(job), 5.0)).body)
            if job_state["phase"] == "done":
                return job_state["output"]
            if self.blocks:
                machine.sleep(0.1)
            else:
                await machine.sleep_async(0.1)


@pytest.mark.parametrize(("blocks", "last_s"), [(False, 0.29), (True, 0.46)])
def test_coroutines_take_turns_on_one_loop_unless_one_blocks_it(*, blocks: bool, last_s: float) -> None:
    played = scenario(*[WORKING] * 2, DONE, calls=[{"wait": {}, "parallel": 2}])

    seen = play(Async(blocks=blocks), played)

    assert [call.seen for call in seen.calls] == [Returned(Given.RESULT, result=7)] * 2
    assert max(call.received_s or 0.0 for call in seen.calls) == pytest.approx(last_s)


def test_pythons_own_event_loop_is_not_needed() -> None:
    play(Async(), scenario(WORKING, DONE))

    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()


# --- laws of time -------------------------------------------------------------------------------------

HELPERS = [after_the_answer, after_the_request, at_the_next_tick]
INTERVALS = st.floats(0.1, 2.0).map(lambda seconds: round(seconds, 3))
STOPS = st.lists(st.builds(Stop, st.floats(0.0, 40.0), st.floats(0.0, 1.0)), max_size=5).map(tuple)
BUSY = st.builds(
    Conditions,
    up_s=st.floats(0.0, 0.05),
    down_s=st.floats(0.0, 0.05),
    jitter_s=st.floats(0.0, 0.3),
    connect_s=st.floats(0.0, 0.3),
    late_s=st.floats(0.0, 0.3),
    stops=STOPS,
    seed=st.integers(0, 1000),
)


def judged(sdk: Mini, played: Scenario, *worlds: Conditions) -> set[Status]:
    seen = [play(sdk, played, world, alone=n > 0, seed=n) for n, world in enumerate(worlds)]
    return {verdict.status for verdict in judge(CONTRACT_OF_MINI, played, seen)}


def polling(interval_s: float, polls: int) -> Scenario:
    wait = {"poll_interval": f"{round(interval_s * 1000)}ms", "timeout": "500s"}
    return scenario({**WORKING, "times": polls - 1}, DONE, calls=[{"wait": wait}], proves=("usual-interval",))


def timing_out(interval_s: float, intervals: int) -> Scenario:
    milliseconds = round(interval_s * 1000)
    wait = {"poll_interval": f"{milliseconds}ms", "timeout": f"{milliseconds * intervals}ms"}
    calls = [{"wait": wait, "expect": {"raises": {"kind": "other"}}}]
    return scenario(FOREVER, calls=calls, proves=("own-timeout", "gives-up"))


@settings(derandomize=True, deadline=None, max_examples=50)
@given(st.sampled_from(HELPERS), INTERVALS, st.integers(6, 40), BUSY)
def test_no_lateness_and_no_stop_finally_fails_a_helper_that_keeps_its_interval(
    next_s: Callable[[float, float, float, float], float], interval_s: float, polls: int, busy: Conditions
) -> None:
    played = polling(interval_s, polls)

    assert judged(Mini(next_s), played, busy) <= {Status.PASS, Status.INCONCLUSIVE}
    assert judged(Mini(next_s), played, busy, Conditions()) == {Status.PASS}


@settings(derandomize=True, deadline=None, max_examples=50)
@given(st.sampled_from(HELPERS), INTERVALS, st.integers(5, 20), BUSY)
def test_no_lateness_and_no_stop_finally_fails_a_helper_that_keeps_its_timeout(
    next_s: Callable[[float, float, float, float], float], interval_s: float, intervals: int, busy: Conditions
) -> None:
    played = timing_out(interval_s, intervals)

    assert judged(Mini(next_s), played, busy) <= {Status.PASS, Status.INCONCLUSIVE}
    assert judged(Mini(next_s), played, busy, Conditions()) == {Status.PASS}


def ten_percent_short(
    next_s: Callable[[float, float, float, float], float],
) -> Callable[[float, float, float, float], float]:
    return lambda began_s, sent_s, now_s, interval_s: next_s(began_s, sent_s, now_s, 0.9 * interval_s)


@settings(derandomize=True, deadline=None, max_examples=50)
@given(
    st.sampled_from(HELPERS),
    INTERVALS,
    st.integers(20, 40),
    st.floats(0.0, 0.01),
    st.floats(0.0, 0.03),
    st.integers(0, 1000),
)
def test_a_helper_whose_interval_is_ten_percent_short_is_always_caught(
    next_s: Callable[[float, float, float, float], float],
    interval_s: float,
    polls: int,
    way: float,
    late: float,
    seed: int,
) -> None:
    """What ways and lateness add is in parts of the interval, and less in all than the tenth that lacks."""
    busy = Conditions(way * interval_s, way * interval_s, late_s=late * interval_s, seed=seed)
    played = polling(interval_s, polls)

    assert judged(Mini(ten_percent_short(next_s)), played, busy, busy, busy) == {Status.FAIL}


# --- how answers travel -------------------------------------------------------------------------------


def answers_to(client: Jobs, job: Any, headers: dict[str, str], count: int) -> list[Answer]:
    request = Request("GET", f"/jobs/{job}/state", headers)
    return [client.machine.send(request, 1.0) for _ in range(count)]


def test_what_a_request_accepts_decides_how_its_answer_comes() -> None:
    answers: list[Answer] = []

    def wait(client: Jobs, job: Any) -> None:
        for headers in ({}, {"Accept-Encoding": "gzip"}, {"If-None-Match": '"1"'}, {}):
            answers.extend(answers_to(client, job, headers, 1))

    played = scenario({**FOREVER, "encoding": "gzip", "chunked": True, "headers": {"ETag": '"1"'}})
    play(Mini(wait=wait), played)

    assert [answer.http for answer in answers] == [200, 200, 304, 200]
    assert answers[0].body == gzip.decompress(answers[1].body) == answers[3].body
    assert b"".join(answers[1].pieces) == answers[1].body
    assert answers[2].body == b""


def test_a_connection_that_is_left_open_adds_up_and_one_that_is_closed_does_not() -> None:
    def leaving(client: Jobs, job: Any) -> None:
        for _ in range(3):
            client.machine.send(Request("GET", f"/jobs/{job}/state", {}, leaves_open=True), 1.0)

    def closing(client: Jobs, job: Any) -> None:
        answers_to(client, job, {"Connection": "close"}, 3)

    def using_again(client: Jobs, job: Any) -> None:
        answers_to(client, job, {}, 3)

    counts = [
        [poll.open for poll in play(Mini(wait=wait), scenario(FOREVER)).tasks[0].polls]
        for wait in (leaving, closing, using_again)
    ]

    assert counts == [[1, 2, 3], [1, 1, 1], [1, 1, 1]]


def test_a_connection_that_the_server_closed_counts_no_more() -> None:
    def wait(client: Jobs, job: Any) -> None:
        for _ in range(2):
            client.machine.send(Request("GET", f"/jobs/{job}/state", {}, leaves_open=True), 1.0)
            client.machine.sleep(1.0)

    seen = play(Mini(wait=wait), scenario({**FOREVER, "close_after": "100ms"}))

    assert [poll.open for poll in seen.tasks[0].polls] == [1, 1]


# --- cancellation -------------------------------------------------------------------------------------

CANCELLED = [{"wait": {"timeout": "5s"}, "cancel_after": "150ms", "expect": {"cancelled": True}}]


def test_a_sleep_is_cut_short_by_a_cancellation() -> None:
    seen = play(Mini(cancel=True), scenario(FOREVER, calls=CANCELLED))

    (call,) = seen.calls
    assert call.cancelled_s == 0.15
    assert call.received_s == pytest.approx(0.15)
    assert isinstance(call.seen, Raised)
    assert call.seen.type == "SimulatedCancelError"
    assert times(seen.tasks[0].polls) == [(0.01, 0.01), (0.14, 0.14)]


def test_a_poll_without_an_answer_is_abandoned_when_its_wait_is_cancelled() -> None:
    calls = [*CANCELLED, {"get_task": {}}]  # to go on until the server knows

    seen = play(Mini(cancel=True), scenario({**FOREVER, "delay": "1s"}, calls=calls))

    poll = seen.tasks[0].polls[0]
    assert seen.calls[0].received_s == pytest.approx(0.15)
    assert poll.answered_s == pytest.approx(0.16)
    assert poll.ended is Ended.ABANDONED


def test_what_is_deaf_to_a_cancellation_raises_it_at_its_end() -> None:
    def deaf(jobs: Jobs, _job: Any) -> None:
        jobs.machine.sleep(0.4, deaf=True)

    (call,) = play(Mini(wait=deaf, cancel=True), scenario(FOREVER, calls=CANCELLED)).calls

    assert call.received_s == pytest.approx(0.4)
    assert isinstance(call.seen, Raised)


def test_a_cancellation_ends_one_operation_and_no_other() -> None:
    def swallowing(jobs: Jobs, _job: Any) -> str:
        for _ in range(2):
            with contextlib.suppress(SimulatedCancelError):
                jobs.machine.sleep(0.2)
        return f"{jobs.machine.now():.2f}"

    (call,) = play(Mini(wait=swallowing, cancel=True), scenario(FOREVER, calls=CANCELLED)).calls

    assert call.seen == Returned(Given.RESULT, result="0.35")


def test_a_wait_that_has_ended_is_not_cancelled() -> None:
    (call,) = play(Mini(cancel=True), scenario(DONE, calls=CANCELLED)).calls

    assert (call.cancelled_s, call.seen) == (None, Returned(Given.RESULT, result=7))


def test_a_call_is_not_cancelled_where_the_sdk_cannot_do_it_and_none_follows() -> None:
    seen = play(Mini(), scenario(DONE, calls=[*CANCELLED, {"wait": {}}]))

    assert [call.seen for call in seen.calls] == [Unsupported("the helper's wait cannot be cancelled")]


def test_a_coroutine_is_cancelled_where_it_waits_while_others_go_on() -> None:
    class Coroutines(Mini):
        non_blocking = True

        async def call(self, client: Jobs, request: JsonObject) -> Any:
            if request["task_id"] == 1:
                await client.machine.sleep_async(0.5, deaf=True)
                return "deaf"
            await client.machine.sleep_async(0.5)
            return "slept"

    calls = [{**CANCELLED[0], "parallel": 2}]
    first, second = play(Coroutines(cancel=True), scenario(FOREVER, calls=calls)).calls

    assert first.received_s == pytest.approx(0.5)
    assert second.received_s == pytest.approx(0.15)
    assert isinstance(first.seen, Raised)
    assert isinstance(second.seen, Raised)
