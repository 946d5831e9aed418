from __future__ import annotations

import pytest
from fakes import MINI, Mark
from waitproof.run import Runner, SilentListener, examine
from waitproof.suite import load_suite

SOON_S = 0.05


class Phases(SilentListener):
    def __init__(self) -> None:
        self.seen: list[str] = []

    def phase(self, adapter: str, text: str) -> None:
        self.seen.append(f"{adapter}: {text}")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("waitproof.run.slow_start.SLOW_START_S", SOON_S)
    monkeypatch.setattr("waitproof.run.doctor.START_LIMIT_S", 1.0)


def test_a_run_says_what_a_hung_start_is_waiting_for(mark: Mark) -> None:
    phases = Phases()

    Runner(load_suite(MINI), [mark.command("never_says_hello")], listener=phases, start_limit_s=1).run()

    waiting = "never_says_hello: started; waiting for its answer to hello for 0.05 s now, 1 s at most"
    assert phases.seen[:2] == ["never_says_hello: starting", waiting]


def test_the_doctor_says_what_a_hung_start_is_waiting_for(mark: Mark) -> None:
    lines: list[str] = []

    examine(mark.command("never_says_hello"), load_suite(MINI).contract, lines.append)

    assert lines[0] == "      start: started; waiting for its answer to hello for 0.05 s now, 1 s at most"


def test_an_adapter_that_has_answered_is_waited_for_no_longer(
    mark: Mark, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waitproof.run.slow_start.SLOW_START_S", 60.0)
    phases = Phases()
    scenario = load_suite(MINI).scenarios[0]

    Runner(load_suite(MINI), [mark.command("MiniAdapter")], scenarios=[scenario], listener=phases).run()

    assert not [each for each in phases.seen if "waiting" in each]
