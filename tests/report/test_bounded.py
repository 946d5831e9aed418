"""A report is bounded whatever an adapter does, and counts what it leaves out."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from made_reports import SUITE, result, whole_run, written
from waitproof.journal import JournalEntry
from waitproof.judge.observation import Observation, Poll
from waitproof.report import bounded
from waitproof.report.bounded import Bounded
from waitproof.run import Death, RunResult, Stray

SECRET = "a-secret-value"


def played(**more: object) -> RunResult:
    """Return a run in which one scenario was played, with these members of its observation."""
    run = whole_run()
    scenario = run.adapters[0].scenarios[SUITE.scenarios[1].id]
    scenario.observations = [replace(scenario.observations[0], **more)]  # type: ignore[arg-type]
    return run


def observation() -> Observation:
    return whole_run().adapters[0].scenarios[SUITE.scenarios[1].id].observations[0]


def test_a_secret_is_masked_before_a_text_is_cut_in_it() -> None:
    assert Bounded([SECRET]).text(f"see {SECRET}", 6) == "see **… (7 characters)"
    assert Bounded([SECRET]).value({SECRET: [f"<{SECRET}>", 1]}) == {"***": ["<***>", 1]}


def test_answers_share_what_an_adapter_may_say_and_later_ones_are_short() -> None:
    bounded_ = Bounded(most=1_000)

    first, second = bounded_.value("a" * 900), bounded_.value("b" * 900)

    assert first == "a" * 900
    assert second == "b" * 400 + "… (900 characters)"
    assert bounded_.value(["c"] * 1_000)[-1] == "… 920 more"


def test_a_client_that_polls_without_a_pause_is_shown_by_its_first_and_last_polls() -> None:
    seen = observation()
    polls = tuple(Poll(n, n / 100, n / 100, "queued") for n in range(1, 3_001))
    report = written(played(tasks=(replace(seen.tasks[0], polls=polls),)))

    (play,) = report["adapters"][0]["scenarios"]
    assert [poll["n"] for poll in play["polls"]] == [*range(1, 1_001), *range(2_001, 3_001)]
    assert play["polls_left_out"] == 1_000


def test_polls_of_many_plays_share_what_an_adapter_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "MAX_ADAPTER_POLLS", 2_500)
    one = Bounded()

    assert [len(one.polls(range(3_000))) for _ in range(3)] == [2_000, 500, 100]


def test_heads_and_requests_that_all_differ_are_listed_up_to_a_number() -> None:
    seen = observation()
    polls = tuple(Poll(n, n, n, "queued", target=f"/{n}") for n in range(1, 151))
    others = tuple(Poll(0, n, n, method="POST", target="/x" * 1_000, http=None) for n in range(150))
    report = written(played(tasks=(replace(seen.tasks[0], polls=polls, others=others),)))

    (play,) = report["adapters"][0]["scenarios"]
    assert [poll["head"] for poll in play["polls"]] == [*range(100), *[None] * 50]
    assert (len(play["heads"]), len(play["requests"]), play["requests_left_out"]) == (100, 50, 100)
    assert play["requests"][0]["target"] == "/x" * 500 + "… (2000 characters)"


def test_strays_are_listed_up_to_a_number_and_deaths_have_short_tails() -> None:
    entry = JournalEntry(1, None, "other", "GET", "/y", {}, 0, 1, fresh=True, nearest="GET /z")
    run = result(deaths=(Death("exited with code 1", stderr_tail=("a", "b")),) * 11)
    run.strays, run.strays_left_out = (Stray(entry),) * 600, 7

    report = written(run)

    assert (len(report["strays"]), report["strays_left_out"]) == (500, 107)
    assert [each["stderr_tail"] for each in report["adapters"][0]["deaths"]] == [["a", "b"]] * 10 + [["b"]]
    assert len(json.dumps(report)) < 120_000
