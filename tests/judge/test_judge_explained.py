"""Suspicions that another requirement of the same scenario explains, once that one has failed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from observations import COMPLETED, FOREVER, HELLO, STREAM, TIMED_OUT, TIMEOUT, Play, observe, scenario
from waitproof.judge import Observation, RoundKind, Status, Trial, TrialState, rounds
from waitproof.suite import Contract, Requirement, Scenario

RUNNING = {"status": "running", "times": 30}
RETURNS = {"returns": COMPLETED["result"]}
MUSTS = {
    "interval": ("interval_kept", {"option": "passed"}),
    "result": ("returns_result", {}),
    "timeout": ("timeout_kept", {"option": "passed"}),
}


def promises() -> Contract:
    """Return a contract with these promises."""
    told = [
        {"id": name, "level": "MUST", "quote": "It.", "check": check, "with": arguments}
        for name, (check, arguments) in MUSTS.items()
    ]
    requirements = tuple(Requirement.model_validate(each, strict=False) for each in told)
    return STREAM.model_copy(update={"requirements": requirements})


OF = promises()
LONG = scenario(
    RUNNING,
    COMPLETED,
    wait={"poll_interval": "1s", "timeout": "60s"},
    expect=RETURNS,
    proves=["interval", "result"],
).named("long")
GIVES_UP = scenario(
    FOREVER,
    wait={"poll_interval": "1s", "timeout": "60s"},
    expect=TIMEOUT,
    proves=["interval", "timeout"],
).named("long")
SHORT = scenario(
    RUNNING, COMPLETED, wait={"poll_interval": "1s", "timeout": "9s"}, expect=RETURNS, proves=["interval"]
)
SLOW = observe(LONG, Play(TIMED_OUT, [4.0 * n for n in range(15)], received_s=60.0), watched_s=60.0)
ON_TIME = observe(LONG, Play(TIMED_OUT, [1.0 * n for n in range(60)], received_s=60.0), watched_s=60.0)
STOPPED = observe(LONG, Play(TIMED_OUT, [1.0 * n for n in range(15)], received_s=60.0), watched_s=60.0)
SHORT_SLOW = observe(SHORT, Play(TIMED_OUT, [1.5 * n for n in range(6)], received_s=9.0))
SHORT_RIGHT = observe(SHORT, Play(TIMED_OUT, [1.0 * n for n in range(9)], received_s=9.0))


def play(
    long: Sequence[Observation],
    short: Sequence[Observation],
    known: Collection[str] = (),
    played: Scenario = LONG,
) -> tuple[list[list[str]], Trial]:
    """Play the long scenario and two short ones; return what was re-run, and the trial of the long one."""
    trials = [Trial(OF, played, known), *(Trial(OF, SHORT.named(name)) for name in ("a", "b"))]
    runs: dict[str, Iterator[Observation]] = {"long": iter(long), "a": iter(short), "b": iter(short)}
    re_run = []
    for each in rounds(OF, trials, HELLO):
        if each.kind is RoundKind.ISOLATED:
            re_run.append([trial.scenario.id for trial in each.trials])
        for trial in each.trials:
            trial.add(*(next(runs[trial.scenario.id]) for _ in range(each.copies)))
    assert all(trial.state is TrialState.SETTLED for trial in trials)
    return re_run, trials[0]


def told(trial: Trial) -> dict[str, tuple[Status, int]]:
    return {each.requirement: (each.status, each.alone_runs) for each in trial.verdicts}


def test_a_timeout_for_want_of_polls_is_explained_by_an_interval_that_is_reproduced() -> None:
    re_run, trial = play([SLOW], [SHORT_SLOW] * 3)

    assert re_run == [["a", "b"], ["a", "b"]]
    assert told(trial) == {"interval": (Status.FAIL, 0), "result": (Status.FAIL, 0)}
    note = "not re-run in isolation, because interval failed here and explains it"
    assert trial.verdicts[1].explanation.endswith(note)


def test_it_is_re_run_where_the_interval_turns_out_to_be_right() -> None:
    re_run, trial = play([SLOW, ON_TIME, ON_TIME], [SHORT_RIGHT])

    assert re_run == [["long"]]
    assert told(trial)["interval"] == (Status.PASS, 1)


def test_a_wait_that_stood_still_is_not_explained_by_an_interval_that_is_wrong_elsewhere() -> None:
    re_run, trial = play([STOPPED, STOPPED, STOPPED], [SHORT_SLOW] * 3)

    assert re_run[0] == ["a", "b", "long"]
    assert trial.verdicts[1].explanation.endswith("reproduced in 2 isolated re-runs")


def test_what_only_a_baseline_believes_explains_nothing() -> None:
    re_run, trial = play([SLOW] * 3, [SHORT_SLOW] * 3, known={"interval"})

    assert re_run[0] == ["a", "b", "long"]
    assert told(trial)["result"] == (Status.FAIL, 2)


def gave_up(polls: int, received_s: float) -> Observation:
    """Return a wait with a poll every 4 s."""
    play = Play(TIMED_OUT, [4.0 * n for n in range(polls)], received_s=received_s)
    return observe(GIVES_UP, play, watched_s=received_s)


def test_a_timeout_that_comes_after_the_last_long_pause_is_explained_by_the_interval() -> None:
    re_run, trial = play([gave_up(16, 63.9)], [SHORT_SLOW] * 3, played=GIVES_UP)

    assert re_run == [["a", "b"], ["a", "b"]]
    assert told(trial) == {"interval": (Status.FAIL, 0), "timeout": (Status.FAIL, 0)}


def test_a_wait_that_polls_on_after_its_deadline_is_late_by_itself() -> None:
    re_run, trial = play([gave_up(19, 73.9)] * 3, [SHORT_SLOW] * 3, played=GIVES_UP)

    assert re_run[0] == ["a", "b", "long"]
    assert told(trial)["timeout"] == (Status.FAIL, 2)
