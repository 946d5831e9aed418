"""What a server of tasks does at the edges: odd ids, long times, waits of one poll, many tasks."""

from __future__ import annotations

import json
import queue
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from waitproof.serve.server import ServeOptions, Service, serving
from waitproof.serve.task import TaskView
from waitproof.suite.files import bundled_suite

TASKS = "/_waitproof/tasks"
OPTIONS = ServeOptions(folder=bundled_suite("stream"))


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(OPTIONS) as served:
        yield served


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.base_url) as client:
        yield client


def make(client: httpx.Client, task_id: str, **more: object) -> httpx.Response:
    body = json.dumps({"scenario": "never-ends", "task_id": task_id, **more})  # httpx sends no half of a pair
    return client.post(TASKS, content=body, headers={"Content-Type": "application/json"})


def events(service: Service, query: str = "") -> Iterator[dict[str, Any]]:
    """Yield what the stream tells of tasks."""
    with httpx.stream("GET", f"{service.base_url}/_waitproof/events{query}") as response:
        name = ""
        for line in response.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            if line.startswith("data: ") and name == "tasks":
                yield json.loads(line.removeprefix("data: "))


def test_a_wait_whose_only_poll_ends_it_is_judged(client: httpx.Client, service: Service) -> None:
    httpx.get(f"{service.base_url}/api/v2/tasks/completes-after-3-polls~1")

    answer = client.get(f"{TASKS}/completes-after-3-polls~1/verdicts")

    assert answer.status_code == 200
    assert answer.json()["verdicts"]


def test_trouble_with_one_wait_leaves_the_others_judged() -> None:
    told: queue.Queue[str] = queue.Queue()

    def on_over(view: TaskView) -> None:
        told.put(str(view.task_id))
        raise ValueError(view.task_id)

    with serving(OPTIONS, on_over=on_over) as service:
        for task_id in ("already-completed~1", "already-completed~2"):
            httpx.get(f"{service.base_url}/api/v2/tasks/{task_id}")
            assert told.get(timeout=20) == task_id


@pytest.mark.parametrize("task_id", ["\ud800", ".", ".."])
def test_an_id_that_nobody_could_poll_is_refused(client: httpx.Client, task_id: str) -> None:
    answer = make(client, task_id)

    assert (answer.status_code, answer.json()["message"]) == (
        422,
        "task_id: a task with this id could not be polled",
    )


@pytest.mark.parametrize("task_id", ["x\ny", "a/b", "/a", "a/", "__proto__"])
def test_whatever_can_be_polled_can_be_looked_at_and_deleted(client: httpx.Client, task_id: str) -> None:
    location = make(client, task_id).headers["Location"]

    assert client.get(location).json()["task_id"] == task_id
    assert client.get(f"{location}/journal").json()["requests"] == []
    assert client.delete(location).status_code == 204


def test_an_id_that_is_too_long_for_a_url_is_refused(client: httpx.Client) -> None:
    assert make(client, "€" * 223).status_code == 422
    assert make(client, "€" * 222).status_code == 201


@pytest.mark.parametrize("action", ["complete", "fail"])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (65 * "[" + 65 * "]", "nested more than 64 levels deep"),
        (900 * '{"a":' + "1" + 900 * "}", "nested more than 64 levels deep"),
        ('{"text": ["\\ud800"]}', "half of a surrogate pair"),
        ('{"\\udfff": 1}', "half of a surrogate pair"),
        ("[1e999]", "JSON has no such number"),
        ('"${nobody}"', "${nobody} is not a placeholder"),
    ],
)
def test_a_payload_that_could_not_be_sent_is_refused(
    client: httpx.Client, action: str, value: str, message: str
) -> None:
    make(client, "mine")
    name = {"complete": "result", "fail": "error"}[action]

    answer = client.post(
        f"{TASKS}/mine/actions/{action}",
        content=f'{{"{name}": {value}}}',
        headers={"Content-Type": "application/json"},
    )

    assert answer.status_code == 422
    assert answer.json()["message"].startswith(f"{name}: {message}")
    assert client.get("/api/v2/tasks/mine").json()["status"] == "pending"
    assert client.get(f"{TASKS}/mine/journal").status_code == 200


def test_a_payload_as_deep_as_a_file_may_have_is_sent(client: httpx.Client) -> None:
    make(client, "mine")
    deep = json.loads(64 * "[" + 64 * "]")

    assert client.post(f"{TASKS}/mine/actions/complete", json={"result": deep}).status_code == 200
    assert client.get("/api/v2/tasks/mine").json()["result"] == deep


@pytest.mark.parametrize(
    ("body", "http", "message"),
    [
        ('{"result": NaN}', 422, "result: JSON has no such number"),
        ('{"result": ' + 60_000 * "[", 400, "the body is nested too deep to be read"),
        (900 * "[" + 900 * "]", 422, "the body is not a JSON object"),
        ('{"nobody": ' + 900 * "[" + 900 * "]" + "}", 422, "nobody: there is no such member"),
    ],
)
def test_a_body_that_cannot_be_read_gets_its_message(
    client: httpx.Client, body: str, http: int, message: str
) -> None:
    make(client, "mine")

    answer = client.post(
        f"{TASKS}/mine/actions/complete", content=body, headers={"Content-Type": "application/json"}
    )

    assert (answer.status_code, answer.json()["message"]) == (http, message)


def test_a_line_end_in_an_id_begins_no_header(client: httpx.Client) -> None:
    task = 'task:\n  - {fault: {http: 302, headers: {Location: "/${task_id}"}, text: moved}}\n'
    made = client.post(TASKS, json={"yaml": task, "task_id": "x\r\nSet-Cookie: a=b"})

    answer = client.get("/api/v2/tasks/x%0D%0ASet-Cookie%3A%20a%3Db")

    assert made.status_code == 201
    assert answer.headers["Location"] == "/x%0D%0ASet-Cookie: a=b"
    assert "Set-Cookie" not in answer.headers


def test_a_scenario_whose_file_has_just_gone_is_told_as_such(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    shutil.copy(bundled_suite("stream") / "outcomes" / "never-ends.yaml", file)
    options = ServeOptions(folder=bundled_suite("stream"), scenarios=(file,))
    with serving(options) as service, httpx.Client(base_url=service.base_url) as client:
        assert client.get("/_waitproof/scenarios/mine").status_code == 200
        service.watcher.close()  # which would notice soon
        file.unlink()

        answer = client.get("/_waitproof/scenarios/mine")

        assert answer.status_code == 404
        assert answer.json()["message"] == "the file of mine cannot be read: no such file or directory"
        assert client.get("/api/v2/tasks/mine~1").json()["status"] == "pending"


def test_a_stall_and_a_wait_may_be_longer_than_a_scenario_may_say(
    client: httpx.Client, service: Service
) -> None:
    made = make(client, "mine", wait={"poll_interval_s": 0.25, "timeout_s": 7200})

    assert made.json()["wait"] == {"poll_interval_s": 0.25, "timeout_s": 7200.0, "max_polls": None}
    assert client.post(f"{TASKS}/mine/actions/stall").status_code == 200
    state = service.server.state("mine")
    assert state is not None
    assert state.steps[-1].delay == 3600.0  # as the description says
    assert client.post(f"{TASKS}/mine/actions/stall", json={"seconds": 86_400}).status_code == 200


def test_a_journal_can_be_asked_for_its_newest_requests(client: httpx.Client, service: Service) -> None:
    make(client, "mine")
    for _ in range(3):
        httpx.get(f"{service.base_url}/api/v2/tasks/mine")

    told = client.get(f"{TASKS}/mine/journal", params={"newest": 2}).json()

    assert (told["count"], [each["n"] for each in told["requests"]]) == (3, [2, 3])
    assert client.get(f"{TASKS}/mine/journal", params={"newest": "0"}).status_code == 422


def test_events_tell_the_newest_tasks_and_count_all(client: httpx.Client, service: Service) -> None:
    for number in range(210):
        make(client, f"number-{number}")

    told = next(events(service))

    assert [task["task_id"] for task in told["tasks"]] == [f"number-{n}" for n in range(209, 9, -1)]
    assert (told["all"], told["gone"], told["count"]) == (True, [], 210)
    assert told["progress"] == {"idle": 210, "polling": 0, "done": 0, "stopped": 0}


def test_events_tell_only_what_changed_among_the_tasks_that_fit(
    client: httpx.Client, service: Service
) -> None:
    for name in ("apple", "apricot", "pear"):
        make(client, name)
    stream = events(service, "?find=AP")
    first = next(stream)

    client.post(f"{TASKS}/apple/actions/complete")
    second = next(stream)
    client.delete(f"{TASKS}/apricot")
    third = next(stream)

    assert [task["task_id"] for task in first["tasks"]] == ["apricot", "apple"]
    assert [(task["task_id"], task["step"]) for task in second["tasks"]] == [("apple", 2)]
    assert (third["tasks"], third["gone"], third["count"]) == ([], ["apricot"], 2)


def test_the_status_has_what_it_takes_to_call_and_to_draw(client: httpx.Client, service: Service) -> None:
    status = client.get("/_waitproof/status").json()

    assert status["example"] == "outcomes/completes-after-3-polls"
    call = rf"curl {re.escape(service.base_url)}/api/v2/tasks/completes-after-3-polls~[a-z0-9]{{4}}"
    assert re.fullmatch(call, status["snippets"]["curl"])
    assert client.get("/_waitproof/status").json()["snippets"] == status["snippets"]
    assert status["statuses"]["completed"] == "return_result"


def test_control_requests_are_no_part_of_a_journal(client: httpx.Client) -> None:
    client.get("/api/v2/tasks/never-ends~1")
    client.get(f"{TASKS}/never-ends~1/verdicts")  # on the connection that carried the poll
    client.get("/")

    assert [each["kind"] for each in client.get("/_waitproof/journal").json()["requests"]] == ["poll"]
    assert client.get(f"{TASKS}/never-ends~1").json()["others"] == 0
