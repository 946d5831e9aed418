"""Streams of events: how many there may be, and what they cost each other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from waitproof.serve import events
from waitproof.serve.request import Refused
from waitproof.serve.server import ServeOptions, Service, serving
from waitproof.serve.task import Limits, ServedTask, TaskView
from waitproof.suite.files import bundled_suite

OPTIONS = ServeOptions(folder=bundled_suite("stream"))


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(OPTIONS) as served:
        yield served


def data_of(chunk: bytes) -> dict[str, Any]:
    """Return what an event `tasks` says."""
    name, line = chunk.decode().splitlines()[:2]
    assert name == "event: tasks"
    told: dict[str, Any] = json.loads(line.removeprefix("data: "))
    return told


def add(service: Service, task_id: str) -> ServedTask:
    return service.manager.add(service.manager.catalog.get("never-ends"), task_id)


def test_a_stream_too_many_is_refused_until_another_one_is_closed(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "MAX_STREAMS", 2)
    streams = events.EventStreams(service.manager, service.waits, service.watcher.closing)
    opened = [streams.open(""), streams.open("mine")]
    for stream in opened:
        next(stream)

    with pytest.raises(Refused) as caught:
        streams.open("")
    opened[0].close()

    assert (caught.value.http, str(caught.value.mistakes[0]).splitlines()[0]) == (
        503,
        "2 pages and programs are watching already",
    )
    assert next(streams.open("")).startswith(b"retry")


def test_a_page_too_many_is_told_why(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAX_STREAMS", 0)

    answer = httpx.get(f"{service.base_url}/_waitproof/events")

    assert (answer.status_code, answer.json()["mistakes"][0]["fix"]) == (
        503,
        "close some of them, and try again",
    )


def test_what_all_streams_show_is_made_once(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    views: list[str | int] = []
    view = ServedTask.view

    def counted(task: ServedTask, newest: int | None = None) -> TaskView | None:
        views.append(task.task_id)
        return view(task, newest)

    streams = events.EventStreams(service.manager, service.waits, service.watcher.closing)
    for name in ("apple", "pear"):
        add(service, name)
    monkeypatch.setattr(ServedTask, "view", counted)
    opened = [streams.open("") for _ in range(20)] + [streams.open("APPLE")]
    told = []
    for stream in opened:
        next(stream)  # how soon to connect again
        told.append(data_of(next(stream)))

    assert sorted(views) == ["apple", "pear"]
    assert all(each == told[0] for each in told[:20])
    assert [task["task_id"] for task in told[0]["tasks"]] == ["pear", "apple"]
    assert [task["task_id"] for task in told[20]["tasks"]] == ["apple"]


def test_a_reader_that_takes_its_time_gets_one_event_for_all_changes(service: Service) -> None:
    streams = events.EventStreams(service.manager, service.waits, service.watcher.closing)
    add(service, "first")
    stream = streams.open("")
    next(stream)
    data_of(next(stream))
    next(stream)  # scenarios that cannot be read

    service.manager.delete("first")
    for number in range(50):
        add(service, f"task-{number % 5}")
        service.manager.touch()
    told = data_of(next(stream))

    assert [task["task_id"] for task in told["tasks"]] == [f"task-{n}" for n in (4, 3, 2, 1, 0)]
    assert (told["gone"], told["all"], told["count"]) == (["first"], False, 5)


def test_tasks_that_were_dropped_are_counted() -> None:
    with serving(replace(OPTIONS, limits=Limits(tasks=2, finished_s=0, idle_s=3600))) as service:
        streams = events.EventStreams(service.manager, service.waits, service.watcher.closing)
        for name in ("first", "second", "third"):
            add(service, name)
        service.manager.delete("second")  # by hand
        stream = streams.open("")
        next(stream)
        told = data_of(next(stream))

    assert ([task["task_id"] for task in told["tasks"]], told["forgotten"]) == (["third"], 1)


def test_searches_do_not_throw_away_each_others_rows(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    views: list[str | int] = []
    view = ServedTask.view

    def counted(task: ServedTask, newest: int | None = None) -> TaskView | None:
        views.append(task.task_id)
        return view(task, newest)

    monkeypatch.setattr(events, "MAX_LIVE", 1)
    monkeypatch.setattr(ServedTask, "view", counted)
    streams = events.EventStreams(service.manager, service.waits, service.watcher.closing)
    names = [f"task-{letter}" for letter in "abcdefgh"]
    opened = [streams.open(name) for name in names]
    for name in names:
        add(service, name)
    for stream in opened:
        next(stream)
        data_of(next(stream))
        next(stream)
    add(service, "another")
    for stream in opened:
        data_of(next(stream))

    assert sorted(map(str, views)) == names


def test_a_list_shows_the_newest_polls_and_counts_all(service: Service) -> None:
    task = add(service, "mine")
    with httpx.Client(base_url=service.base_url) as client:
        client.post("/api/v2/tasks/mine")
        for _ in range(70):
            client.get("/api/v2/tasks/mine")
    whole, part = task.view(), task.view(newest=60)

    assert whole is not None
    assert part is not None
    assert (len(whole.polls), whole.count, whole.other_count) == (70, 70, 1)
    assert [entry.n for entry in part.polls] == list(range(11, 71))
    assert (part.count, part.other_count, part.origin_ns) == (70, 1, whole.origin_ns)
