"""Errors of the harness itself: they end the run soon, and none of them hides another."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest
from fakes import LIMIT_S, MINI, Mark
from waitproof.errors import HarnessError
from waitproof.run import Runner, SilentListener
from waitproof.suite.files import load_suite
from waitproof.suite.scenario import Scenario
from waitproof.suite.selection import select

SOON_S = LIMIT_S  # the long wait takes three times as long
LONG = "timing/gives-up-when-told"  # with a timeout of a minute


class Saboteur(SilentListener):
    """Raises at the start of a scenario, once every adapter of `fails` has come to one and LONG runs."""

    def __init__(self, *fails: str, kills_server: bool = False) -> None:
        self._fails = fails
        self._kills_server = kills_server
        self._runs = threading.Event()
        self._ready = threading.Barrier(len(fails) or 1)

    def started(self, adapter: str, scenario: Scenario, forecast_s: float) -> None:
        if (adapter, scenario.id) == ("patient", LONG):
            if not self._fails:
                kill_server()
            self._runs.set()
        elif adapter in self._fails and scenario.id != LONG:
            assert self._runs.wait(LIMIT_S)
            self._ready.wait(LIMIT_S)
            if self._kills_server:
                kill_server()
            raise RuntimeError(f"{adapter} has no luck")


def kill_server() -> None:
    """Kill the mock server of this process."""
    listed = subprocess.run(
        ["ps", "-ww", "--ppid", str(os.getpid()), "-o", "pid=,args="],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    (pid,) = [line.split()[0] for line in listed.stdout.splitlines() if "waitproof.mock." in line]
    os.kill(int(pid), signal.SIGKILL)


def play(listener: Saboteur, mark: Mark, *adapters: str) -> None:
    """Run a short scenario and the long one with these adapters, and with one called `patient`."""
    suite = load_suite(MINI)
    short, long = select(suite.scenarios, ["outcomes/broken", f"{LONG}:"])
    wait = long.calls[0].wait
    assert wait is not None
    call = long.calls[0].model_copy(update={"wait": wait.model_copy(update={"timeout": 60.0})})
    scenarios = [short, long.model_copy(update={"calls": (call,)})]
    commands = [mark.command("MiniAdapter", name=name) for name in (*adapters, "patient")]
    Runner(suite, commands, scenarios=scenarios, listener=listener).run()


@pytest.fixture
def mark() -> Mark:
    return Mark()


@pytest.fixture(autouse=True)
def ends_soon(mark: Mark) -> Iterator[None]:
    began_s = time.monotonic()
    yield
    assert time.monotonic() - began_s < SOON_S
    mark.assert_gone()


def test_an_error_of_the_harness_ends_the_other_lanes(mark: Mark) -> None:
    with pytest.raises(RuntimeError, match="a has no luck"):
        play(Saboteur("a"), mark, "a")


def test_of_several_errors_all_are_raised(mark: Mark) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        play(Saboteur("a", "b"), mark, "a", "b")

    assert sorted(map(str, caught.value.exceptions)) == ["a has no luck", "b has no luck"]


def test_a_server_that_dies_ends_the_run_and_is_raised_once(mark: Mark) -> None:
    with pytest.raises(HarnessError, match=r"\Athe mock server was killed by SIGKILL"):
        play(Saboteur(), mark, "a", "b")


def test_a_dead_server_does_not_hide_the_first_error(mark: Mark) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        play(Saboteur("a", kills_server=True), mark, "a")

    first, second = map(str, caught.value.exceptions)
    assert first == "a has no luck"
    assert second.startswith("the mock server was killed by SIGKILL")
