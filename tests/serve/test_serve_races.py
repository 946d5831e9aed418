"""What several threads do to one task at once: clients poll it while people look at it and reset it."""

from __future__ import annotations

import threading

import httpx
import pytest
from waitproof.mock.server import TaskServer
from waitproof.serve.server import ServeOptions, serving
from waitproof.suite.files import bundled_suite
from waitproof.suite.task import TaskState

OPTIONS = ServeOptions(folder=bundled_suite("stream"))


def test_a_poll_that_comes_as_soon_as_the_server_listens_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[httpx.Response] = []
    start = TaskServer.start

    def start_and_poll(server: TaskServer) -> None:
        start(server)
        answers.append(httpx.get(f"{server.base_url}/api/v2/tasks/already-completed~1"))

    monkeypatch.setattr(TaskServer, "start", start_and_poll)
    with serving(OPTIONS):
        pass

    assert [(each.status_code, each.json()["status"]) for each in answers] == [(200, "completed")]


def test_a_reset_while_somebody_looks_at_the_task_harms_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(OPTIONS) as service, httpx.Client(base_url=service.base_url) as client:
        tasks, state = "/_waitproof/tasks", service.server.state
        client.post(tasks, json={"scenario": "never-ends", "task_id": "t"})
        client.post(f"{tasks}/t/actions/complete")  # adds a step, which a reset takes away
        client.get("/api/v2/tasks/t")
        resets: list[int] = []

        def reset_and_read(task_id: str | int) -> TaskState | None:
            """Read the state as somebody does who has read the journal just before the reset."""
            if threading.current_thread() is not service.server.server_thread and not resets:
                resets.append(0)
                resets[0] = httpx.post(f"{service.base_url}{tasks}/t/actions/reset").status_code
            return state(task_id)

        monkeypatch.setattr(service.server, "state", reset_and_read)
        task = client.get(f"{tasks}/t")

    assert resets == [200]
    assert (task.status_code, task.json().get("count"), task.json().get("progress")) == (200, 0, "idle")
