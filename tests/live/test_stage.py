"""Which processes a run starts, and what it makes of one that does not end.

The clients are those of the library of defects, as live adapters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from waitproof.defects import Defect, clean, library
from waitproof.run import AdapterResult, Runner, live_command
from waitproof.suite import Scenario, bundled_suite, load_suite, select

STREAM = load_suite(bundled_suite())
ENDINGS = select(STREAM.scenarios, ["endings/"])
REQUIREMENT = "nothing-outlives-a-wait"


def run(client: Defect, starts: Path, only: str, *, scenarios: Sequence[Scenario] = ()) -> AdapterResult:
    """Run some scenarios; the adapter adds a line to `starts` whenever a process of it starts."""
    command = live_command(STREAM, client)
    argv = ("sh", "-c", 'echo started >> "$0"; exec "$@"', str(starts), *command.argv)
    scenarios = select(scenarios or STREAM.scenarios, [only])
    (adapter,) = Runner(STREAM, [replace(command, argv=argv)], scenarios=scenarios).run().adapters
    return adapter


def test_scenarios_that_end_their_process_share_one(tmp_path: Path) -> None:
    starts = tmp_path / "starts"

    adapter = run(clean(is_async=False), starts, "endings/")

    assert len(ENDINGS) > 2
    assert {str(verdict.status) for verdict in adapter.verdicts()} == {"PASS"}
    assert len(starts.read_text().split()) == 2, "one said hello, one played them all"


@pytest.mark.parametrize(
    ("name", "guilty"),
    [
        ("process_ends.timer-after-the-first-poll", {"endings/after-the-first-poll"}),
        ("process_ends.sleep-of-the-interval", {"endings/after-a-timeout"}),
    ],
)
def test_who_keeps_a_process_alive_is_told_from_who_shared_it(
    tmp_path: Path, name: str, guilty: set[str]
) -> None:
    adapter = run(library(STREAM.contract).defects[name], tmp_path / "starts", "endings/")

    status = {verdict.scenario: str(verdict.status) for verdict in adapter.verdicts()}
    assert status == {each.id: "WARN" if each.id in guilty else "PASS" for each in ENDINGS}


def waiting(name: str, **options: float) -> Scenario:
    """Return a scenario with other options for its wait, in seconds."""
    (played,) = select(STREAM.scenarios, [name])
    (call,) = played.calls
    assert call.wait is not None
    wait = call.wait.model_copy(update=options)
    calls = (call.model_copy(update={"wait": wait}),)
    return played.model_copy(update={"calls": calls}).named(played.id)


def test_a_long_scenario_does_not_hide_what_a_short_one_leaves_behind(tmp_path: Path) -> None:
    leaks, lasts = "endings/after-the-first-poll", "endings/after-a-timeout"
    scenarios = [waiting(leaks, timeout=6.0), waiting(lasts, timeout=4.0, poll_interval=1.0)]
    client = library(STREAM.contract).defects["process_ends.timer-after-the-first-poll"]

    adapter = run(client, tmp_path / "starts", "endings/", scenarios=scenarios)

    assert {each.scenario: str(each.status) for each in adapter.verdicts()} == {leaks: "WARN", lasts: "PASS"}


def test_the_process_that_said_hello_plays_scenarios(tmp_path: Path) -> None:
    starts = tmp_path / "starts"

    adapter = run(clean(is_async=True), starts, "concurrency/two-waits-take-turns")

    assert {str(verdict.status) for verdict in adapter.verdicts()} == {"PASS"}
    assert starts.read_text().split() == ["started"]
