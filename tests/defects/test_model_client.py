"""The model client keeps every promise of any contract, and reads nothing but the contract."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fakes import MINI
from waitproof.defects import CLEAN, CLEAN_ASYNC, Bench, Defect
from waitproof.defects.client import Hooks, Instead, ModelClient, Options, Reaction, Send, Sleep
from waitproof.defects.wire import Cause, ModelError, Wire, set_at
from waitproof.errors import InputError
from waitproof.judge import Status
from waitproof.protocol import ExceptionKind
from waitproof.simulate import Answer, SimulatedDropError, SimulatedTimeoutError
from waitproof.suite.contract import Contract, StatusMeaning
from waitproof.suite.files import CONTRACT, bundled_suite, load_contract, load_suite
from waitproof.suite.shape import TimeoutPromise

SUITES = [*sorted(bundled_suite().parent.glob(f"*/{CONTRACT}")), MINI / CONTRACT]
PASSED = {Status.PASS, Status.INFO, Status.NOT_APPLICABLE}
LACKS = "the helper cannot wait without a timeout"  # the one thing that the model client can't do


@pytest.mark.parametrize("defect", [CLEAN, CLEAN_ASYNC], ids=lambda defect: defect.name)
@pytest.mark.parametrize("file", SUITES, ids=lambda file: file.parent.name)
def test_the_model_client_passes_every_scenario_of_every_suite(file: Path, defect: Defect) -> None:
    suite = load_suite(file.parent)

    verdicts = Bench(suite).simulate(defect)

    assert len(verdicts) == sum(len(scenario.proves) for scenario in suite.scenarios)
    others = [verdict for verdict in verdicts if verdict.status not in PASSED]
    assert [verdict for verdict in others if not verdict.seen.startswith(LACKS)] == []


# --- requests and answers ------------------------------------------------------------------------------


@pytest.fixture
def stream() -> Contract:
    return load_contract(bundled_suite() / CONTRACT)


@pytest.fixture
def mini() -> Contract:
    return load_contract(MINI / CONTRACT)


def answer(body: Any, http: int = 200) -> Answer:
    return Answer(http, {}, json.dumps(body).encode())


def test_a_poll_has_the_escaped_id_and_every_credential(stream: Contract) -> None:
    request = Wire(stream, "k").poll("a/b c")
    other = Wire(stream, "k", "another secret").poll("a/b c")

    assert (request.method, request.target) == ("GET", "/api/v2/tasks/a%2Fb%20c?api_key=k")
    assert request.headers.keys() == {"Authorization", "Stream-Auth-Type", "Accept-Encoding"}
    assert request.headers["Stream-Auth-Type"] == "k"
    assert request.headers["Accept-Encoding"] == "gzip"
    assert request.headers["Authorization"] != other.headers["Authorization"]


def test_an_api_without_credentials_in_the_query_has_none_there(mini: Contract) -> None:
    assert Wire(mini).poll(17).target == "/jobs/17/state"


def test_an_operation_sends_its_arguments_and_the_token_where_the_server_looks(stream: Contract) -> None:
    request = Wire(stream).begin(stream.operations["export_channels"], {"cids": ["messaging:t"]})

    assert request.target == "/api/v2/chat/export_channels?api_key=key"
    assert json.loads(request.body or b"") == {"cids": ["messaging:t"], "channels": [{"cid": "messaging:t"}]}


def test_a_value_is_set_at_a_path_that_is_not_there() -> None:
    assert set_at({"a": [1]}, ["a", "2", "b"], "x") == {"a": [1, None, {"b": "x"}]}


def test_an_answer_is_read_where_the_contract_has_its_placeholders(mini: Contract) -> None:
    body = {"job": 7, "phase": "broken", "output": 5, "trouble": {"reason": "x"}}

    task = Wire(mini).read_task(1, answer(body))

    assert (task.task_id, task.status, task.result, task.error) == (7, "broken", 5, {"reason": "x"})
    assert task.ends_the_wait


@pytest.mark.parametrize(
    ("given", "kind", "cause"),
    [
        (answer({"message": "no"}, 500), "api", Cause.HTTP),
        (answer({"task_id": "1"}), "transport", Cause.MALFORMED),
        (answer([{"status": "completed"}]), "transport", Cause.MALFORMED),
        (Answer(200, {}, b'{"status": NaN}'), "transport", Cause.MALFORMED),
        (Answer(200, {}, b'{"status": "\xff"}'), "transport", Cause.MALFORMED),
        (Answer(200, {}, b"[" * 100_000), "transport", Cause.MALFORMED),
    ],
    ids=["http-500", "no-status", "list", "nan", "not-utf-8", "too-deep"],
)
def test_an_answer_that_is_not_a_task_raises(
    stream: Contract, given: Answer, kind: str, cause: Cause
) -> None:
    with pytest.raises(ModelError) as raised:
        Wire(stream).read_task("1", given)

    assert (raised.value.kind.value, raised.value.cause) == (kind, cause)


def test_a_failed_poll_raises_a_kind_that_the_contract_accepts(stream: Contract) -> None:
    others = [each for each in stream.requirements if each.check != "fault_surfaces"]
    faults = [each for each in stream.requirements if each.check == "fault_surfaces"]
    only_other = [each.model_copy(update={"with_": {"kinds": ["other"]}}) for each in faults]
    contract = stream.model_copy(update={"requirements": (*others, *only_other)})

    assert Wire(contract).failure(Cause.DROPPED, "").kind is ExceptionKind.OTHER
    assert Wire(stream).failure(Cause.DROPPED, "").kind is ExceptionKind.TRANSPORT


def test_a_contract_whose_answer_has_no_status_cannot_be_waited_for(mini: Contract) -> None:
    body = mini.answer.model_copy(update={"body": {"job": "${task_id}"}})

    with pytest.raises(InputError) as raised:
        Wire(mini.model_copy(update={"answer": body}))

    assert str(raised.value).startswith("contract.yaml: answer.body has no ${status}")


# --- the rule of waiting -------------------------------------------------------------------------------


class World:
    """A clock that sleeps and requests move, and a server that gives one answer after another."""

    def __init__(self, contract: Contract, hooks: Hooks | None = None, takes_s: float = 0.0) -> None:
        self.now_s = 100.0
        self.client = ModelClient(Wire(contract), lambda: self.now_s, hooks)
        self.takes_s = takes_s
        self.steps: list[str] = []

    def wait(self, *answers: Answer | Exception, **options: float) -> Any:
        steps, given = self.client.wait("t", options), iter(answers)
        last: Answer | Exception | None = None
        try:
            while True:
                step = steps.throw(last) if isinstance(last, Exception) else steps.send(last)
                last = None
                if isinstance(step, Sleep):
                    self.steps.append(f"sleep {step.seconds:g}")
                    self.now_s += step.seconds
                elif isinstance(step, Send):
                    self.steps.append(f"poll within {step.timeout_s:g}")
                    self.now_s += self.takes_s
                    last = next(given)
        except StopIteration as end:
            return end.value


def stream_answer(status: str, **more: Any) -> Answer:
    return answer({"task_id": "t", "status": status, "result": None, "error": None, **more})


RUNNING = stream_answer("running")


def test_a_wait_polls_at_once_and_sleeps_an_interval_after_each_answer(stream: Contract) -> None:
    world = World(stream)

    result = world.wait(RUNNING, RUNNING, stream_answer("completed", result={"channels": 2}))

    assert result == {"channels": 2}
    assert world.steps == ["poll within 60", "sleep 1", "poll within 59", "sleep 1", "poll within 58"]


def test_the_last_sleep_ends_at_the_deadline_and_one_last_poll_comes_there(stream: Contract) -> None:
    world = World(stream)

    with pytest.raises(ModelError) as raised:
        world.wait(RUNNING, RUNNING, RUNNING, poll_interval=2, timeout=3)

    assert world.steps == ["poll within 3", "sleep 2", "poll within 1", "sleep 1", "poll within 0.15"]
    assert (raised.value.kind, raised.value.cause) == (ExceptionKind.TRANSPORT, Cause.DEADLINE)
    assert raised.value.fields == {"error_type": "timeout"}


def test_a_poll_that_is_cut_off_at_the_deadline_is_the_timeout(stream: Contract) -> None:
    with pytest.raises(ModelError) as raised:
        World(stream).wait(SimulatedTimeoutError("no answer"), timeout=1)

    assert raised.value.cause is Cause.DEADLINE


def test_a_timeout_is_of_the_kind_that_the_contract_promises(stream: Contract) -> None:
    promise = TimeoutPromise(kind="other", fields={"late": True})
    world = World(stream.model_copy(update={"timeout": promise}), takes_s=2)

    with pytest.raises(ModelError) as raised:
        world.wait(RUNNING, timeout=1)

    assert (raised.value.kind, raised.value.fields) == (ExceptionKind.OTHER, {"late": True})


def test_a_dropped_connection_surfaces_at_that_poll(stream: Contract) -> None:
    world = World(stream)

    with pytest.raises(ModelError) as raised:
        world.wait(RUNNING, SimulatedDropError("reset"))

    assert raised.value.cause is Cause.DROPPED
    assert world.steps == ["poll within 60", "sleep 1", "poll within 59"]


def test_a_failed_task_raises_every_documented_field_and_null_for_what_is_not_there(
    stream: Contract,
) -> None:
    error = {"type": "export_failed", "description": "No.", "stacktrace": None}

    with pytest.raises(ModelError) as raised:
        World(stream).wait(stream_answer("failed", error=error))

    assert raised.value.kind is ExceptionKind.TASK
    assert raised.value.fields == {
        "task_id": "t",
        "error_type": "export_failed",
        "description": "No.",
        "stack_trace": None,
        "version": None,
    }


def test_an_unknown_status_means_what_the_contract_says(stream: Contract) -> None:
    contract = stream.model_copy(update={"unknown_status": StatusMeaning.RETURN_RESULT})

    assert World(contract).wait(stream_answer("paused", result=1)) == 1


# --- hooks ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("reaction", "steps"), [(Reaction.POLL_ON, 3), (Reaction.REPEAT, 2)])
def test_a_hook_can_swallow_or_repeat_a_failed_poll(stream: Contract, reaction: Reaction, steps: int) -> None:
    world = World(stream, Hooks(on_poll_error=lambda _wait, _error: reaction))

    assert world.wait(SimulatedDropError("reset"), stream_answer("completed", result=5)) == 5
    assert len(world.steps) == steps


def test_a_hook_can_return_in_place_of_raising(stream: Contract) -> None:
    hooks = Hooks(on_failure=lambda _wait, error: Instead(error.cause))

    assert World(stream, hooks).wait(stream_answer("failed")) is Cause.TASK_FAILED


def test_hooks_see_the_options_that_the_caller_passed_and_no_defaults(stream: Contract) -> None:
    seen: list[Mapping[str, float]] = []

    def on_options(_contract: Contract, options: Options) -> Options:
        seen.append(options)
        return options

    World(stream, Hooks(on_options=on_options)).wait(stream_answer("completed"), timeout=5)

    assert seen == [{"timeout": 5}]
