"""A run while a system call of ours fails; `benchmarks/faults.py` plays hundreds, at random."""

from __future__ import annotations

import errno

import pytest
from faults import draw, play

COUNTS = {"MiniAdapter": [("main", "os.write", 40)], "HalfTheTime": [("mock", "send", 5)]}


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (f"main os.write 6 {errno.ENOSPC} lasting", 4),  # nothing reaches the mock server or the adapter
        (f"main fork_exec 2 {errno.EAGAIN} once", 3),  # the adapter cannot be started
        (f"main thread 12 {errno.EAGAIN} lasting", 4),
        (f"main os.replace 1 {errno.ENOSPC} once", 2),  # the report
        (f"mock send 4 {errno.ENOBUFS} once", 4),  # an answer to the SDK, which saw a dropped connection
        (f"mock recv 3 {errno.ENOMEM} once", 4),
    ],
)
def test_a_machine_that_fails_us_never_makes_a_wrong_verdict(fault: str, code: int) -> None:
    ended = play("MiniAdapter", fault)

    assert (ended.wrong, ended.code) == ("", code), ended.text


@pytest.mark.parametrize("fault", ["main os.read 9 -1 once", "mock epoll 5 -1 once"])
def test_a_signal_that_interrupts_a_call_changes_nothing(fault: str) -> None:
    ended = play("HalfTheTime", fault)

    assert (ended.wrong, ended.code) == ("", 1), ended.text


def test_a_fault_is_drawn_from_the_calls_that_a_run_makes_and_the_same_each_time() -> None:
    drawn = {draw(seed, COUNTS) for seed in range(50)}

    assert drawn == {draw(seed, COUNTS) for seed in range(50)}
    assert {mode for mode, _ in drawn} == set(COUNTS)
    assert {fault.split()[0] for _, fault in drawn} == {"main", "mock"}
    assert max(int(fault.split()[2]) for mode, fault in drawn if mode == "HalfTheTime") <= 5
