"""The suite catches every mutant for the reason that it is named after, and accuses no correct client.

Everything but the last tests is played in the simulator, each mutant against what proves its requirement.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import pytest
from waitproof.defects import proof
from waitproof.defects.proof import Bench, Line, Outcome
from waitproof.errors import InputError
from waitproof.judge import Status, Verdict, checks
from waitproof.run import Runner
from waitproof.suite.contract import Level
from waitproof.suite.files import Suite, bundled_suite, load_suite
from waitproof.suite.select import select

from reference_client.mutants import EQUIVALENTS, MUTANTS, Ending

ROOT = Path(__file__).parents[2]
KEPT = {Status.PASS, Status.INFO, Status.NOT_APPLICABLE}


@pytest.fixture(scope="module")
def suite() -> Suite:
    return load_suite(bundled_suite())


@pytest.fixture(scope="module")
def lines(suite: Suite) -> dict[str, Line]:
    proved = proof.prove_simulated(suite, [*MUTANTS.values(), *EQUIVALENTS.values()], is_short=True)
    return {line.name: line for line in proved}


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_the_reference_client_keeps_every_promise_in_virtual_time(suite: Suite, *, is_async: bool) -> None:
    verdicts = Bench(suite).simulate(proof.reference(is_async=is_async))

    assert len(verdicts) == sum(len(scenario.proves) for scenario in suite.scenarios)
    assert [verdict for verdict in verdicts if verdict.status not in KEPT] == []


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_killed_by_the_requirement_that_it_is_named_after(
    lines: dict[str, Line], name: str
) -> None:
    assert lines[name].outcome is Outcome.KILLED
    assert lines[name].unsettled == ()


@pytest.mark.parametrize("name", EQUIVALENTS)
def test_nothing_is_held_against_a_correct_client(lines: dict[str, Line], name: str) -> None:
    line = lines[name]

    assert (line.outcome, line.also_by, line.unsettled) == (Outcome.CORRECT, (), ())


def test_every_must_and_every_should_has_two_mutants_and_every_info_has_one(suite: Suite) -> None:
    caught = Counter(m.requirement for m in MUTANTS.values() if m.ending is Ending.CAUGHT)
    recorded = Counter(m.requirement for m in MUTANTS.values() if m.ending is Ending.RECORDED)

    for requirement in suite.contract.requirements:
        if requirement.level is Level.INFO:
            assert recorded[requirement.id] >= 1, requirement.id
        else:
            assert caught[requirement.id] >= 2, requirement.id


def test_no_check_is_dead(lines: dict[str, Line]) -> None:
    alive = {kind for line in lines.values() if line.outcome is Outcome.KILLED for kind in line.checks}

    assert set(checks()) - alive == set()


def test_every_mutant_names_a_requirement_and_says_what_is_wrong_with_it(suite: Suite) -> None:
    known = {requirement.id for requirement in suite.contract.requirements}

    for name, variant in {**MUTANTS, **EQUIVALENTS}.items():
        assert variant.summary.endswith("."), name
        assert variant.requirement in known or name in EQUIVALENTS, name


def test_the_page_of_the_kill_matrix_has_every_variant() -> None:
    page = (ROOT / "docs" / "proof.md").read_text(encoding="utf-8")

    for variant in {**MUTANTS, **EQUIVALENTS}.values():
        assert f"| {variant.name.partition('.')[2]} | {variant.summary} |" in page, variant.name


# --- what lines say -----------------------------------------------------------------------------------


def verdict(suite: Suite, requirement: str, status: Status, seen: str = "") -> Verdict:
    return Verdict("a/b", requirement, suite.contract.requirement(requirement).level, status, seen=seen)


@pytest.mark.parametrize(
    ("name", "found", "outcome"),
    [
        ("default-timeout.half-a-minute", [("default-timeout", Status.FAIL)], Outcome.KILLED),
        ("default-timeout.half-a-minute", [("timeout-not-early", Status.WARN)], Outcome.OTHER_REASON),
        ("default-timeout.half-a-minute", [("default-timeout", Status.PASS)], Outcome.SURVIVED),
        ("default-timeout.half-a-minute", [("default-timeout", Status.INCONCLUSIVE)], Outcome.SURVIVED),
        ("completed-returns-result.guesses", [("completed-returns-result", Status.ERROR)], Outcome.KILLED),
        ("completed-returns-result.guesses", [("default-timeout", Status.ERROR)], Outcome.SURVIVED),
        ("equivalent.ticker", [("default-timeout", Status.PASS)], Outcome.CORRECT),
        ("equivalent.ticker", [("default-timeout", Status.FAIL)], Outcome.ACCUSED),
    ],
)
def test_a_variant_is_weighed_by_its_verdicts(
    suite: Suite, name: str, found: list[tuple[str, Status]], outcome: Outcome
) -> None:
    verdicts = [verdict(suite, requirement, status) for requirement, status in found]

    assert proof.weigh(suite, proof.variant_named(name), verdicts, {}).outcome is outcome


def test_a_behaviour_on_record_is_compared_by_its_words_alone(suite: Suite) -> None:
    mutant = proof.variant_named("first-poll-is-immediate.after-an-interval")
    usual = {("a/b", mutant.requirement): "at once"}

    def weighed(seen: str) -> Outcome:
        found = [verdict(suite, mutant.requirement, Status.INFO, seen)]
        return proof.weigh(suite, mutant, found, usual).outcome

    assert weighed("at once: 3 ms after the call") is Outcome.SURVIVED
    assert weighed("after an interval: 0.50 s after the call") is Outcome.KILLED


# --- the command --------------------------------------------------------------------------------------


def options(*argv: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    proof.add_options(parser)
    return parser.parse_args(argv)


def test_the_command_prints_a_line_for_each_variant_and_writes_the_page(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    page = tmp_path / "proof.md"

    code = proof.main(options("-k", "java", "--markdown", str(page)))

    out = capsys.readouterr().out.splitlines()
    assert code == 0
    assert out[:3] == [
        "killed    java-stack-trace-accessor.overrides-the-runtimes  in 1 scenario",
        "killed    java-stack-trace-accessor.is-the-runtimes  in 1 scenario; also by exception-stack-trace",
        "correct   equivalent.java-accessor",
    ]
    assert out[3].endswith(" s: 2 killed, 1 correct")
    assert "## java-stack-trace-accessor (MUST)" in page.read_text(encoding="utf-8")


def test_a_pattern_that_means_nothing_is_wrong_use() -> None:
    with pytest.raises(InputError) as raised:
        proof.main(options("-k", "no-such-mutant"))

    assert str(raised.value).startswith("-k: no mutant and no equivalent matches no-such-mutant")


# --- over real sockets --------------------------------------------------------------------------------


def test_a_mutant_and_an_equivalent_run_live_too(suite: Suite) -> None:
    names = ["java-stack-trace-accessor.overrides-the-runtimes", "java-stack-trace-accessor.is-the-runtimes"]

    lines = proof.prove_live(suite, [proof.variant_named(name) for name in names])

    assert [(line.name, line.outcome) for line in lines] == [(name, Outcome.KILLED) for name in names]


def test_what_lies_about_its_time_lies_live_too(suite: Suite) -> None:
    command = proof.live_command(proof.variant_named("timeout-not-early.lies-about-elapsed"))
    scenarios = select(suite.scenarios, ["overrides/timeout-below-a-second"])

    adapter = Runner(suite, [command], scenarios=scenarios).run().adapters[0]

    assert {verdict.status for verdict in adapter.verdicts()} == {Status.ERROR}
