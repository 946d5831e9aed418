from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Callable

import pytest
from waitproof.journal import Ended, JournalEntry
from waitproof.mock import journal as mock_journal
from waitproof.mock.http1 import Head, Request
from waitproof.mock.journal import Journal

LIMIT_S = 5.0  # for a lock that is free
LIMIT_BYTES = 1024 * 1024


def head(*lines: str, target: str = "/v1/jobs/7/state") -> Head:
    return Head("GET", target, target, 1, dict(line.split(": ") for line in lines), keeps_alive=True)


def arrived(journal: Journal, head: Head, task_id: str | None = "7") -> Request:
    request = Request(head, 1, task_id=task_id, kind="poll", connection=1)
    journal.add(request)
    return request


def ended(journal: Journal, head: Head, task_id: str | None = "7") -> Request:
    request = arrived(journal, head, task_id)
    journal.end(request, Ended.ANSWERED, 200)
    return request


def serials(entries: tuple[JournalEntry, ...]) -> list[int]:
    return [entry.serial for entry in entries]


def test_the_newest_can_be_asked_for_alone() -> None:
    journal = Journal(100, LIMIT_BYTES)
    for number in range(6):
        ended(journal, head(), str(number % 2))

    assert serials(journal.all()) == [1, 2, 3, 4, 5, 6]
    assert [serials(journal.all(newest)) for newest in (0, 2, 9)] == [[], [5, 6], [1, 2, 3, 4, 5, 6]]
    assert [serials(journal.entries("1", newest)) for newest in (None, 2)] == [[2, 4, 6], [4, 6]]
    assert journal.entries("2", 1) == ()


@pytest.mark.parametrize(
    "look", [lambda journal: journal.all(), lambda journal: journal.entries("7")], ids=["all", "of a task"]
)
def test_requests_are_put_on_record_while_entries_are_made(
    monkeypatch: pytest.MonkeyPatch, look: Callable[[Journal], tuple[JournalEntry, ...]]
) -> None:
    journal, made = Journal(100, LIMIT_BYTES), mock_journal._entry
    for _ in range(3):
        ended(journal, head())

    def entry(request: Request) -> JournalEntry:
        other = threading.Thread(target=lambda: ended(journal, head()), daemon=True)
        other.start()
        other.join(LIMIT_S)
        assert not other.is_alive(), "who makes entries holds the lock that a new request needs"
        return made(request)

    monkeypatch.setattr(mock_journal, "_entry", entry)

    assert serials(look(journal)) == [1, 2, 3]
    monkeypatch.undo()
    assert serials(look(journal)) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    "lines",
    [
        lambda number: [f"X: {number:060000}"],
        lambda number: [f"A{number}-{each}: {each:05}" for each in range(400)],
        lambda number: ["Host: here:8080", "Accept: */*", "User-Agent: a client", f"X-Request-Id: {number}"],
        lambda _: [],
    ],
    ids=["one large header", "many small ones", "a poll's", "none"],
)
def test_a_journal_takes_the_memory_that_it_may_and_no_more(lines: Callable[[int], list[str]]) -> None:
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        journal, number = Journal(100_000, LIMIT_BYTES), 0
        while len(journal.all()) == number:  # until the first have gone
            for _ in range(100):
                number += 1
                ended(journal, head(*lines(number)))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert LIMIT_BYTES * 0.6 < after - before < LIMIT_BYTES * 1.1


def test_a_head_that_many_requests_share_counts_once() -> None:
    shared, journal = head(f"X: {'x' * 1900}"), Journal(1000, 200_000)
    for _ in range(300):
        ended(journal, shared)
    assert len(journal.all()) == 300

    for number in range(300):
        ended(journal, head(f"X: {number:01900}"))

    kept = serials(journal.all())
    assert len(kept) < 80
    assert kept == list(range(601 - len(kept), 601))


def test_what_is_in_flight_stays_however_much_memory_it_takes() -> None:
    journal = Journal(100, 50_000)
    waiting = [arrived(journal, head(f"X: {number:040000}")) for number in range(3)]
    ended(journal, head())
    ended(journal, head())
    assert serials(journal.all()) == [1, 2, 3, 5]

    for request in waiting:
        journal.end(request, Ended.ABANDONED)
    ended(journal, head())

    assert serials(journal.all()) == [3, 6]
