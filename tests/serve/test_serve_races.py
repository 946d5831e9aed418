"""What several threads do to one task at once: the server that starts, clients that poll, people who look and reset."""

from __future__ import annotations

import httpx
import pytest
from waitproof.mock.server import TaskServer
from waitproof.serve.server import ServeOptions, serving
from waitproof.suite.files import bundled_suite

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
