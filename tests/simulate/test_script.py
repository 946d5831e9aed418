"""The script of a scenario, driven by a test that makes up what became of each call."""

from collections.abc import Sequence

import pytest
from fakes import MINI
from waitproof.judge.observation import NoAnswer, Seen, StillWaiting, TaskRecord
from waitproof.protocol import Capabilities, Given, Returned, Unsupported
from waitproof.simulate import PlannedCall, Send, Watch, drive, new_task, play_steps
from waitproof.suite.crosscheck import parse_scenario
from waitproof.suite.document import Document
from waitproof.suite.files import CONTRACT, load_contract
from waitproof.suite.scenario import Scenario

CONTRACT_OF_MINI = load_contract(MINI / CONTRACT)  # its defaults are 100 ms and 600 ms
ANYTHING = Capabilities(max_concurrency=0, operations=("print_parcel_label",))
ONE_AT_A_TIME = Capabilities(max_concurrency=1)
DONE = Returned(Given.RESULT, result=7)
STARTED = Returned(Given.TASK_ID, task_id=5)


def scenario(*calls: str, task: str = "{status: done}", proves: str = "returns-output") -> Scenario:
    lines = "".join(f"  - {call}\n" for call in calls)
    text = f"summary: It ends.\nproves: [{proves}]\ntask: [{task}]\ncalls:\n{lines}"
    return parse_scenario(Document(text, "s.yaml"), "test/s")


def steps_of(played: Scenario, *outcomes: Seen, capabilities: Capabilities = ANYTHING) -> list[Send | Watch]:
    """Return the steps when the calls come out like this, one after another; the last outcome repeats."""
    steps: list[Send | Watch] = []
    tasks = [TaskRecord(n, 30 + n, f"wp{n}") for n in range(1, played.parallel + 1)]

    def carry_out(step: Send | Watch) -> Sequence[Seen]:
        steps.append(step)
        if isinstance(step, Watch):
            return ()
        outcome = outcomes[min(len(steps), len(outcomes)) - 1]
        return [call.unsupported or outcome for call in step.calls]

    drive(play_steps(CONTRACT_OF_MINI, played, capabilities, tasks), carry_out)
    return steps


def requests(steps: Sequence[Send | Watch]) -> list[object]:
    return [call.request for step in steps if isinstance(step, Send) for call in step.calls]


def test_each_call_is_sent_in_turn_and_then_the_journal_is_watched() -> None:
    played = scenario("{get_task: {}}", "{wait: {timeout: 2s}}")

    steps = steps_of(played, DONE)

    look = PlannedCall(0, 1, played.calls[0], {"op": "get_task", "task_id": 31})
    wait = PlannedCall(1, 1, played.calls[1], {"op": "wait", "task_id": 31, "options": {"timeout": 2}})
    assert steps == [Send((look,), 0.0), Send((wait,), 2.1), Watch(0.0)]


@pytest.mark.parametrize(
    ("call", "task", "limit_s"),
    [
        ("{wait: {}}", "{status: done}", 10.7),
        ("{wait: {poll_interval: 1s, timeout: 5s}}", "{status: done}", 16.0),
        ("{wait: {}}", "{status: working, delay: 3s}, {status: done, delay: 1s}", 13.7),
        ("{get_task: {}}", "{status: done, delay: 3s}", 13.0),
        ("{wait: {timeout: 30d}}", "{status: working}, {status: done}", 10.29),
        ("{wait: {timeout: none}}", "{status: working}, {status: done}", 10.29),
        ("{wait: {timeout: 0s}}", "{status: working}, {status: done}", 10.7),
    ],
)
def test_a_call_may_take_its_own_time_and_ten_seconds_more(call: str, task: str, limit_s: float) -> None:
    send, _ = steps_of(scenario(call, task=task), DONE)

    assert isinstance(send, Send)
    assert send.limit_s == pytest.approx(limit_s)


def test_a_wait_without_a_timeout_passes_null() -> None:
    takes_none = Capabilities(no_timeout=True)
    each = scenario("{wait: {timeout: none}}", task="{status: done}")

    assert requests(steps_of(each, DONE, capabilities=takes_none)) == [
        {"op": "wait", "task_id": 31, "options": {"timeout": None}}
    ]


def test_parallel_copies_are_sent_together_each_about_its_own_task() -> None:
    steps = steps_of(scenario("{wait: {}, parallel: 3}"), DONE)

    assert [len(step.calls) for step in steps if isinstance(step, Send)] == [3]
    assert requests(steps) == [{"op": "wait", "task_id": n, "options": {}} for n in (31, 32, 33)]


def test_later_calls_are_about_the_task_that_the_sdk_says_it_started() -> None:
    started = "{begin: print_parcel_label, arguments: {parcel: '${token}'}}"

    steps = steps_of(scenario(started, "{get_task: {}}", "{wait: {}}"), STARTED, DONE)

    assert requests(steps) == [
        {"op": "begin", "operation": "print_parcel_label", "arguments": {"parcel": "wp1"}},
        {"op": "get_task", "task_id": 5},
        {"op": "wait", "task_id": 5, "options": {}},
    ]


@pytest.mark.parametrize(
    ("call", "capabilities", "reason"),
    [
        ("{wait: {}}", Capabilities(wait=False), "the SDK ships no wait helper"),
        ("{get_task: {}}", Capabilities(get_task=False), "the SDK cannot fetch a task's status"),
        (
            "{begin: print_parcel_label, arguments: {parcel: '${token}'}}",
            Capabilities(),
            "the SDK has no operation print_parcel_label",
        ),
        (
            "{wait: {}, parallel: 3}",
            Capabilities(max_concurrency=2),
            "3 calls at once, and it can have 2 in flight",
        ),
        ("{wait: {timeout: 1s}}", Capabilities(options=("poll_interval",)), "the helper takes no timeout"),
        ("{wait: {timeout: none}}", Capabilities(), "the helper cannot wait without a timeout"),
    ],
)
def test_an_unsupported_call_is_planned_without_a_request(
    call: str, capabilities: Capabilities, reason: str
) -> None:
    send, watch = steps_of(scenario(call), DONE, capabilities=capabilities)

    assert isinstance(send, Send)
    assert {(planned.unsupported, str(planned.request)) for planned in send.calls} == {
        (Unsupported(reason), "{}")
    }
    assert watch == Watch(0.0)


@pytest.mark.parametrize(
    ("outcome", "capabilities", "sent"),
    [
        (NoAnswer("it died"), ANYTHING, 1),
        (StillWaiting(10.7), ONE_AT_A_TIME, 1),
        (StillWaiting(10.7), ANYTHING, 2),
        (Unsupported("no"), ONE_AT_A_TIME, 2),
    ],
)
def test_no_call_follows_one_without_an_answer_or_one_that_takes_the_only_slot(
    outcome: Seen, capabilities: Capabilities, sent: int
) -> None:
    steps = steps_of(scenario("{wait: {}}", "{get_task: {}}"), outcome, capabilities=capabilities)

    assert len(requests(steps)) == sent
    assert steps[-1] == Watch(0.0)


@pytest.mark.parametrize(
    ("seconds", "written"), [("2s", "2"), ("1500ms", "1.5"), ("0.07s", "0.07"), ("1ms", "0.001")]
)
def test_whole_seconds_are_written_as_whole_numbers(seconds: str, written: str) -> None:
    (request,) = requests(steps_of(scenario(f"{{wait: {{timeout: {seconds}}}}}"), DONE))

    assert str(request) == f"{{'op': 'wait', 'task_id': 31, 'options': {{'timeout': {written}}}}}"


@pytest.mark.parametrize(
    ("call", "expected"),
    [("{wait: {}}", 31), ("{wait: {}, task_id: 'a/${token}'}", "a/wp1"), ("{wait: {}, task_id: 7}", 7)],
)
def test_a_task_has_the_id_that_the_scenario_asks_for_else_its_own(call: str, expected: str | int) -> None:
    assert new_task(scenario(call), 1, "wp1", 31) == TaskRecord(1, expected, "wp1")
