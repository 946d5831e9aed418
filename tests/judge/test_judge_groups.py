"""What suspicions of one requirement in several scenarios come to, with observations typed by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from observations import FOREVER, HELLO, TIMED_OUT, TIMEOUT, Play, contract, observe, raised, scenario
from waitproof.judge import Observation, Round, RoundKind, Status, Trial, TrialState, rounds
from waitproof.suite import WaitOptions

OF = contract("timeout_not_late")
(IT,) = OF.requirements
OF = OF.model_copy(update={"requirements": (IT, IT.model_copy(update={"id": "that"}))})
WAIT = scenario(FOREVER, wait={"timeout": "2s"}, expect=TIMEOUT)
EARLIER = (scenario(FOREVER, wait={"timeout": "5s"}).wait_options,)
RIGHT, LATE = 2.1, 2.9  # 2.2 s is the most that is right


@dataclass
class Plan:
    """What each scenario shows from run to run: when its wait timed out, and how late the server was then.

    Attributes:
        runs: The first run and the isolated re-runs.
        after_waits: The re-runs after other waits in the same process.
        length_s: How long a run takes.
        proves: The requirement that it proves; both have the same check.
    """

    runs: Sequence[float]
    after_waits: Sequence[float] = ()
    length_s: float = 3.0
    lag_s: float = 0.0
    earlier_waits: tuple[WaitOptions, ...] = ()
    proves: str = "it"

    def seen(self, took_s: float) -> Observation:
        observed = observe(
            WAIT, Play(TIMED_OUT, [0.0], received_s=took_s), watched_s=self.length_s, lag_s=self.lag_s
        )
        return replace(observed, earlier_waits=self.earlier_waits)


def play(plans: dict[str, Plan]) -> tuple[list[Round], dict[str, Trial]]:
    """Drive the policy, and return its rounds and its trials by name."""
    trials = {
        name: Trial(OF, WAIT.model_copy(update={"proves": (plan.proves,)}).named(name))
        for name, plan in plans.items()
    }
    runs = {name: iter(plan.runs) for name, plan in plans.items()}
    after_waits = {name: iter(plan.after_waits) for name, plan in plans.items()}
    played = []
    for each in rounds(OF, list(trials.values()), HELLO):
        played.append(each)
        for trial in each.trials:
            plan = plans[trial.scenario.id]
            if each.kind is RoundKind.AFTER_WAITS:
                again = after_waits[trial.scenario.id]
                trial.add_after_waits(*(plan.seen(next(again)) for _ in range(each.copies)))
            else:
                trial.add(*(plan.seen(next(runs[trial.scenario.id])) for _ in range(each.copies)))
    assert {trial.state for trial in trials.values()} == {TrialState.SETTLED}
    return played, trials


def names(played: Sequence[Round]) -> list[tuple[RoundKind, list[str]]]:
    return [(each.kind, [trial.scenario.id for trial in each.trials]) for each in played[1:]]


def told(trial: Trial) -> tuple[Status, str, int]:
    (verdict,) = trial.verdicts
    return verdict.status, verdict.explanation, verdict.alone_runs


def test_two_suspicions_are_both_re_run_and_at_the_same_time() -> None:
    played, trials = play({"a": Plan([LATE, RIGHT]), "b": Plan([LATE, LATE, LATE])})

    assert names(played) == [(RoundKind.ISOLATED, ["a", "b"]), (RoundKind.ISOLATED, ["b"])]
    assert [told(each)[0] for each in trials.values()] == [Status.PASS, Status.FAIL]


def test_of_many_suspicions_the_two_shortest_are_re_run_and_confirm_the_others() -> None:
    plans = {
        "minute": Plan([LATE], length_s=60.0),
        "long": Plan([LATE], length_s=9.0),
        "short": Plan([LATE] * 3, length_s=3.0),
        "shorter": Plan([LATE] * 3, length_s=2.0),
        "right": Plan([RIGHT]),
    }

    played, trials = play(plans)

    assert names(played) == [(RoundKind.ISOLATED, ["shorter", "short"])] * 2
    note = "suspicious in 4 scenarios, and reproduced in isolated re-runs of shorter and short"
    assert told(trials["minute"]) == told(trials["long"]) == (Status.FAIL, note, 0)
    assert told(trials["short"]) == (Status.FAIL, "reproduced in 2 isolated re-runs", 2)
    assert told(trials["right"])[0] is Status.PASS


def test_where_one_of_the_shortest_passes_the_next_one_is_re_run_in_its_place() -> None:
    plans = {
        "a": Plan([LATE, RIGHT], length_s=1.0),
        "b": Plan([LATE] * 3, length_s=2.0),
        "c": Plan([LATE] * 3, length_s=3.0),
        "d": Plan([LATE], length_s=4.0),
    }

    played, trials = play(plans)

    assert names(played) == [
        (RoundKind.ISOLATED, ["a", "b"]),
        (RoundKind.ISOLATED, ["b", "c"]),
        (RoundKind.ISOLATED, ["c"]),
    ]
    assert [told(each)[0] for each in trials.values()] == [Status.PASS, *[Status.FAIL] * 3]


def test_a_long_scenario_is_re_run_twice_at_the_same_time() -> None:
    played, trials = play({"minute": Plan([LATE] * 3, length_s=60.0)})

    assert [each.copies for each in played] == [1, 2]
    assert told(trials["minute"])[0] is Status.FAIL


def test_suspicious_together_but_right_in_isolation_is_not_a_pass() -> None:
    plans = {name: Plan([LATE, RIGHT]) for name in ("a", "b", "c")}

    _, trials = play(plans)

    note = (
        "suspicious in 3 scenarios of one run, but isolated re-runs of a, b and c passed: "
        "a busy machine explains that, and so does state that the SDK keeps from wait to wait; "
        "worst scheduling delay: 0 ms"
    )
    assert [told(each) for each in trials.values()] == [(Status.INCONCLUSIVE, note, 1)] * 3


def test_once_three_have_passed_in_isolation_the_minute_is_not_re_run_for_it() -> None:
    plans = {name: Plan([LATE, RIGHT], length_s=2.0) for name in "abcd"} | {
        "minute": Plan([LATE], length_s=60.0)
    }

    played, trials = play(plans)

    assert names(played) == [(RoundKind.ISOLATED, ["a", "b"]), (RoundKind.ISOLATED, ["c", "d"])]
    assert [told(each)[0] for each in trials.values()] == [Status.INCONCLUSIVE] * 5
    assert told(trials["minute"])[2] == 0


def test_a_scenario_in_which_it_is_reproduced_fails_though_it_passed_in_others() -> None:
    plans = {name: Plan([LATE, RIGHT], length_s=2.0) for name in "abc"} | {
        "d": Plan([LATE, LATE, LATE], length_s=5.0),
        "e": Plan([LATE, RIGHT], length_s=6.0),
        "minute": Plan([LATE, RIGHT, RIGHT], length_s=60.0),
    }

    played, trials = play(plans)

    assert names(played)[:2] == [
        (RoundKind.ISOLATED, ["a", "b"]),
        (RoundKind.ISOLATED, ["c", "d", "e"]),
    ]
    assert told(trials["d"]) == (Status.FAIL, "reproduced in 2 isolated re-runs", 2)
    assert {told(each)[0] for name, each in trials.items() if name != "d"} == {Status.INCONCLUSIVE}


def test_what_the_machine_was_measured_to_be_late_by_passes_in_isolation() -> None:
    plans = {name: Plan([LATE, RIGHT], lag_s=0.8, earlier_waits=EARLIER) for name in ("a", "b", "c")}

    played, trials = play(plans)

    assert {kind for kind, _ in names(played)} == {RoundKind.ISOLATED}
    assert [told(each)[0] for each in trials.values()] == [Status.PASS] * 3


def test_what_only_earlier_waits_in_the_process_reproduce_is_state_that_the_sdk_keeps() -> None:
    again = Plan([LATE, RIGHT], [LATE, LATE], earlier_waits=EARLIER)
    plans = {"a": again, "b": replace(again, length_s=4.0), "c": Plan([LATE], length_s=5.0)}

    played, trials = play(plans)

    assert names(played) == [
        (RoundKind.ISOLATED, ["a", "b"]),
        (RoundKind.AFTER_WAITS, ["a", "b"]),
        (RoundKind.AFTER_WAITS, ["a", "b"]),
    ]
    note = (
        "suspicious in 3 scenarios; re-runs of a and b passed in a fresh process, and reproduced it "
        "after other waits in one process: the SDK keeps state from wait to wait"
    )
    assert [told(each)[:2] for each in trials.values()] == [(Status.FAIL, note)] * 3


def test_long_scenarios_are_re_run_twice_at_once_after_their_earlier_waits_too() -> None:
    again = Plan([LATE, RIGHT, RIGHT], [LATE, LATE], length_s=20.0, earlier_waits=EARLIER)

    played, trials = play({"a": again, "b": again, "c": Plan([LATE], length_s=60.0)})

    assert [(each.kind, each.copies) for each in played[1:]] == [
        (RoundKind.ISOLATED, 2),
        (RoundKind.AFTER_WAITS, 2),
    ]
    assert [told(each)[0] for each in trials.values()] == [Status.FAIL] * 3


def test_what_earlier_waits_do_not_reproduce_stays_open() -> None:
    again = Plan([LATE, RIGHT], [RIGHT], earlier_waits=EARLIER)
    plans = {"a": again, "b": replace(again, after_waits=[LATE, RIGHT]), "c": again, "d": again}

    played, trials = play(plans)

    assert names(played)[:2] == [(RoundKind.ISOLATED, ["a", "b"]), (RoundKind.AFTER_WAITS, ["a", "b"])]
    assert [told(each)[0] for each in trials.values()] == [Status.INCONCLUSIVE] * 4


def test_one_scenario_that_earlier_waits_reproduce_accuses_nobody() -> None:
    again = Plan([LATE, RIGHT], [RIGHT], earlier_waits=EARLIER)
    plans = {"a": again, "b": replace(again, after_waits=[LATE, LATE]), "c": again, "d": again}

    _, trials = play(plans)

    assert [told(each)[0] for each in trials.values()] == [Status.INCONCLUSIVE] * 4


def test_a_trial_that_cannot_be_re_run_decides_nothing() -> None:
    trials = [Trial(OF, WAIT.named(name)) for name in "abc"]
    late = Plan([])
    kinds = []
    for each in rounds(OF, trials, HELLO):
        kinds.append(each.kind)
        for trial in each.trials:
            if each.kind is RoundKind.ISOLATED:
                trial.close(trial.verdicts)
            else:
                trial.add(late.seen(LATE))

    assert kinds == [RoundKind.SCHEDULED, RoundKind.ISOLATED, RoundKind.ISOLATED]
    assert [told(trial)[0] for trial in trials] == [Status.INCONCLUSIVE] * 3


def test_the_only_short_scenario_confirms_the_long_ones() -> None:
    plans = {
        "short": Plan([LATE] * 3),
        "minute": Plan([LATE], length_s=60.0),
    }

    played, trials = play(plans)

    assert names(played) == [(RoundKind.ISOLATED, ["short"])] * 2
    note = "suspicious in 2 scenarios, and reproduced in isolated re-runs of short"
    assert told(trials["minute"]) == (Status.FAIL, note, 0)


def test_a_long_scenario_is_re_run_where_the_short_one_passes() -> None:
    plans = {
        "short": Plan([LATE, RIGHT]),
        "minute": Plan([LATE, RIGHT, RIGHT], length_s=60.0),
    }

    played, trials = play(plans)

    assert names(played) == [(RoundKind.ISOLATED, ["short"]), (RoundKind.ISOLATED, ["minute"])]
    assert [told(each)[0] for each in trials.values()] == [Status.PASS] * 2


def test_a_long_scenario_is_believed_where_the_same_check_is_reproduced_in_a_short_one() -> None:
    plans = {"short": Plan([LATE] * 3), "minute": Plan([LATE], length_s=60.0, proves="that")}

    played, trials = play(plans)

    assert names(played) == [(RoundKind.ISOLATED, ["short"])] * 2
    note = (
        "not re-run in isolation, because it is judged in the same way, and was reproduced in shorter "
        "re-runs of short"
    )
    assert told(trials["minute"]) == (Status.FAIL, note, 0)


def test_a_long_scenario_is_re_run_where_the_same_check_passes_in_the_short_one() -> None:
    plans = {"short": Plan([LATE, RIGHT]), "minute": Plan([LATE] * 3, length_s=60.0, proves="that")}

    played, trials = play(plans)

    assert names(played) == [(RoundKind.ISOLATED, ["short"]), (RoundKind.ISOLATED, ["minute"])]
    assert [told(each)[0] for each in trials.values()] == [Status.PASS, Status.FAIL]


def test_a_long_scenario_is_re_run_where_the_machine_was_measured_to_be_as_late() -> None:
    plans = {
        "short": Plan([LATE] * 3),
        "minute": Plan([LATE, RIGHT, RIGHT], length_s=60.0, lag_s=0.8, proves="that"),
    }

    _, trials = play(plans)

    assert [told(each)[0] for each in trials.values()] == [Status.FAIL, Status.PASS]


def test_a_short_scenario_is_re_run_whatever_the_same_check_came_to_elsewhere() -> None:
    plans = {"short": Plan([LATE] * 3), "other": Plan([LATE, RIGHT], proves="that")}

    _, trials = play(plans)

    assert [told(each)[0] for each in trials.values()] == [Status.FAIL, Status.PASS]


def test_a_scenario_that_any_machine_explains_is_re_run_whatever_is_reproduced_elsewhere() -> None:
    hammered = contract("fault_not_hammered")
    wait = scenario(
        {"fault": {"http": 503}, "times": "forever"},
        wait={"poll_interval": "1s", "timeout": "9s"},
        expect={"raises": {"kind": "api"}},
    )
    pauses_s = {"a": 0.01, "b": 0.01, "half": 0.5}
    trials = {name: Trial(hammered, wait.named(name)) for name in pauses_s}
    re_run = []
    for each in rounds(hammered, list(trials.values()), HELLO):
        is_alone = each.kind is RoundKind.ISOLATED
        re_run += [[trial.scenario.id for trial in each.trials]] if is_alone else []
        for trial in each.trials:
            polls = [n * pauses_s[trial.scenario.id] for n in range(9)]
            trial.add(*[observe(wait, Play(raised("api"), polls), alone=is_alone)] * each.copies)

    assert re_run == [["a", "b"], ["a", "b"], ["half"]]
    assert [trial.verdicts[0].status for trial in trials.values()] == [Status.FAIL, Status.FAIL, Status.PASS]
