"""Suites that extend another one, and loose scenario files that are added to a suite."""

from pathlib import Path

import pytest
from test_files import GOOD, PARCELS
from waitproof.errors import InputError
from waitproof.suite import Catalog, suite_folder
from waitproof.suite.files import CONTRACT, bundled_suite, lint_file, lint_suite, load_suite

OURS = """\
format: 1
name: ours
extends: ../parcels
requirements:
  - {id: tells-when, level: SHOULD, reason: We say so., check: outcome_expected}
"""
MORE = """\
  - {id: ends, level: MUST, quote: It gives up., check: timeout_kept, with: {option: passed}}
  - {id: lost-raises, level: MUST, quote: It raises., check: raises_kind, with: {kinds: [task]}}
"""
BOTH = """\
summary: The parcel comes, and nothing is lost.
proves: [returns-parcel, ends]
task: [{status: queued}]
calls: [{wait: {poll_interval: 200ms, timeout: 2s}, expect: {returns: 1}}]
"""
LOST = """\
summary: The parcel is lost.
proves: [lost-raises]
task: [{status: lost}]
calls: [{wait: {}, expect: {raises: {kind: task}}}]
"""
OWN = """\
summary: We say so.
proves: [tells-when]
task: [{status: done, result: 1}]
calls: [{wait: {}, expect: {returns: 1}}]
"""


@pytest.fixture
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A suite that extends another one, both right, in the current folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("parcels/a", "ours/b"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "parcels" / CONTRACT).write_text(PARCELS + MORE)
    (tmp_path / "parcels/a/good.yaml").write_text(GOOD)
    (tmp_path / "parcels/a/both.yaml").write_text(BOTH)
    (tmp_path / "parcels/a/lost.yaml").write_text(LOST)
    (tmp_path / "ours" / CONTRACT).write_text(OURS)
    (tmp_path / "ours/b/own.yaml").write_text(OWN)
    return Path("ours")


def rewrite(folder: Path, old: str, new: str) -> None:
    text = (folder / CONTRACT).read_text()
    assert old in text
    (folder / CONTRACT).write_text(text.replace(old, new))


def mistakes(folder: Path) -> list[str]:
    try:
        return [str(each) for each in lint_suite(folder)[1]]
    except InputError as error:
        return [str(each) for each in error.mistakes]


# --- what is inherited --------------------------------------------------------------------------------


def test_keys_requirements_and_scenarios_are_inherited_and_own_ones_added(ours: Path) -> None:
    suite = load_suite(ours)

    assert (suite.name, suite.contract.title) == ("ours", "A parcel service")
    ids = [each.id for each in suite.contract.requirements]
    assert ids == ["returns-parcel", "ends", "lost-raises", "tells-when"]
    assert [each.id for each in suite.scenarios] == ["a/both", "a/good", "a/lost", "b/own"]
    assert suite.place("a/good") == "parcels/a/good.yaml"


def test_a_key_that_is_written_replaces_the_inherited_one(ours: Path) -> None:
    rewrite(ours, "requirements:", "defaults: {poll_interval: 2s, timeout: 30s}\nrequirements:")

    assert load_suite(ours).contract.defaults.timeout == 30.0


def test_a_suite_may_be_in_a_folder_of_the_one_that_it_extends(ours: Path) -> None:
    Path("ours").rename("parcels/ours")
    rewrite(Path("parcels/ours"), "../parcels", "..")

    ids = [each.id for each in load_suite(Path("parcels/ours")).scenarios]

    assert ids == ["a/both", "a/good", "a/lost", "b/own"]
    assert [each.id for each in load_suite(Path("parcels")).scenarios] == ["a/both", "a/good", "a/lost"]


def test_a_bundled_suite_is_extended_by_its_name(ours: Path) -> None:
    rewrite(ours, "../parcels", "stream")
    (ours / "b/own.yaml").write_text(OWN.replace("done", "completed"))

    suite = load_suite(ours)

    assert len(suite.scenarios) == len(load_suite(bundled_suite()).scenarios) + 1


def test_a_suite_extends_one_that_extends_another(ours: Path) -> None:
    (ours.parent / "theirs").mkdir()
    (ours.parent / "theirs" / CONTRACT).write_text(
        "format: 1\nname: theirs\nextends: ../ours\nwithout: [tells-when, lost-raises]\n"
    )

    suite = load_suite(Path("theirs"))

    assert [each.id for each in suite.scenarios] == ["a/both", "a/good"]
    assert suite.left_out == ("a/lost", "b/own")


# --- what is left out ---------------------------------------------------------------------------------


def test_what_a_scenario_proves_is_less_what_is_left_out(ours: Path) -> None:
    rewrite(ours, "requirements:", "without: [ends]\nrequirements:")

    suite = load_suite(ours)

    assert {each.id: each.proves for each in suite.scenarios}["a/both"] == ("returns-parcel",)
    assert suite.left_out == ()


def test_a_scenario_that_proves_nothing_more_is_left_out(ours: Path) -> None:
    rewrite(ours, "requirements:", "without: [lost-raises]\nrequirements:")

    suite = load_suite(ours)

    assert suite.left_out == ("a/lost",)
    assert "a/lost" not in suite.files


def test_a_scenario_is_left_out_by_its_id_and_may_be_replaced(ours: Path) -> None:
    rewrite(ours, "requirements:", "without: [a/good]\nrequirements:")
    (ours / "a").mkdir()
    (ours / "a/good.yaml").write_text(OWN)

    suite = load_suite(ours)

    assert suite.place("a/good") == "ours/a/good.yaml"


def test_a_requirement_is_replaced_and_its_scenarios_stay(ours: Path) -> None:
    more = "  - {id: lost-raises, level: SHOULD, reason: Ours., check: raises_kind, with: {kinds: [api]}}\n"
    rewrite(ours, "requirements:\n", f"without: [lost-raises]\nrequirements:\n{more}")

    suite = load_suite(ours)

    assert suite.contract.requirement("lost-raises").with_ == {"kinds": ["api"]}
    assert suite.left_out == ()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "end",
            "'end' is neither a requirement nor a scenario of 'parcels'|  fix:      did you mean 'ends'?",
        ),
        (
            "a/god",
            "'a/god' is neither a requirement nor a scenario of 'parcels'|  fix:      did you mean 'a/good'?",
        ),
        (
            "xyz",
            "'xyz' is neither a requirement nor a scenario of 'parcels'|"
            "  fix:      'waitproof explain --suite parcels' lists its promises",
        ),
        ("ends, ends", "'ends' appears twice|  fix:      remove one of them"),
    ],
)
def test_what_is_left_out_must_be_in_the_other_suite(ours: Path, name: str, message: str) -> None:
    rewrite(ours, "requirements:", f"without: [{name}]\nrequirements:")
    column = 17 if "," in name else 11
    fact, fix = message.split("|")

    assert mistakes(ours) == [f"ours/contract.yaml:4:{column}: {fact}\n  found:    without: [{name}]\n{fix}"]


def test_only_a_contract_that_extends_can_leave_something_out(ours: Path) -> None:
    rewrite(Path("parcels"), "title:", "without: [ends]\ntitle:")

    assert mistakes(Path("parcels"))[0] == (
        "parcels/contract.yaml:3:1: only a contract that extends another suite can leave something out\n"
        "  found:    without: [ends]\n"
        "  fix:      add 'extends', or remove 'without'"
    )


# --- mistakes -----------------------------------------------------------------------------------------


def test_an_unknown_suite_is_reported_where_it_is_named(ours: Path) -> None:
    rewrite(ours, "../parcels", "steam")

    (found,) = mistakes(ours)

    assert found.startswith(
        'ours/contract.yaml:3:1: no suite is called "steam"\n  found:    extends: steam\n'
    )
    assert found.endswith("did you mean 'stream'?")


def test_a_name_that_is_too_long_for_the_system_is_that_of_no_suite(ours: Path) -> None:
    rewrite(ours, "../parcels", "a" * 300)

    (found,) = mistakes(ours)

    assert found.startswith("ours/contract.yaml:3:1: no suite is called ")
    with pytest.raises(InputError, match=r"^--suite: no suite is called 'a+'"):
        suite_folder("a" * 300)
    with pytest.raises(InputError, match=r"^a+: this is not a suite"):
        load_suite(Path("a" * 300))


@pytest.mark.parametrize("value", ["[a]", "7", "true"])
def test_what_is_extended_must_be_named_as_text(ours: Path, value: str) -> None:
    rewrite(ours, "../parcels", value)

    (found,) = mistakes(ours)

    assert found.startswith("ours/contract.yaml:3:1: no suite is called ")


def test_suites_that_extend_each_other_are_a_mistake(ours: Path) -> None:
    rewrite(Path("parcels"), "title:", "extends: ../ours\ntitle:")

    assert mistakes(ours)[0].splitlines()[0] == (
        "parcels/contract.yaml:3:1: suites cannot extend each other in a circle: "
        "ours/contract.yaml extends parcels/contract.yaml extends ours/contract.yaml"
    )


def test_a_mistake_of_the_other_suite_is_reported_in_its_own_file(ours: Path) -> None:
    rewrite(Path("parcels"), "check: returns_result", "check: returns_resul")
    (Path("parcels/a/lost.yaml")).write_text(LOST.replace("status", "state"))

    assert mistakes(ours)[0].startswith("parcels/contract.yaml:13:59: no check is called 'returns_resul'")

    rewrite(Path("parcels"), "check: returns_resul", "check: returns_result")
    assert mistakes(ours)[0].startswith("parcels/a/lost.yaml:3:")


def test_an_own_mistake_is_reported_at_its_own_line(ours: Path) -> None:
    rewrite(ours, "check: outcome_expected", "check: outcome_expcted")
    rewrite(ours, "name: ours", "name: Our suite")

    places = [each.split(": ")[0] for each in mistakes(ours)]

    assert places == ["ours/contract.yaml:2:1", "ours/contract.yaml:5:57"]


def test_a_requirement_of_the_same_id_is_a_mistake(ours: Path) -> None:
    rewrite(ours, "tells-when", "ends")

    assert mistakes(ours)[0] == (
        "ours/contract.yaml:5:6: requirement ends appears twice\n"
        "  found:    - {id: ends, level: SHOULD, reason: We say so., check: outcome_expected}\n"
        "  fix:      give each promise its own id, or put 'ends' under 'without' to replace the inherited one"
    )


def test_a_scenario_of_the_same_id_is_a_mistake(ours: Path) -> None:
    (ours / "a").mkdir()
    (ours / "a/good.yaml").write_text(OWN)

    assert mistakes(ours) == [
        "ours/a/good.yaml: 'parcels' has a scenario of the same id\n"
        "  fix:      rename it, or put 'a/good' under 'without' of ours/contract.yaml to replace it"
    ]


def test_an_own_scenario_cannot_prove_what_is_left_out(ours: Path) -> None:
    rewrite(ours, "requirements:", "without: [ends]\nrequirements:")
    (ours / "b/own.yaml").write_text(OWN.replace("[tells-when]", "[tells-when, ends]"))

    assert mistakes(ours) == [
        "ours/b/own.yaml:2:22: the requirement 'ends' is left out of this suite, "
        "under 'without' of its contract\n"
        "  found:    proves: [tells-when, ends]\n"
        "  fix:      remove it here or there"
    ]


def test_an_inherited_scenario_that_does_not_fit_is_the_contracts_mistake(ours: Path) -> None:
    rewrite(ours, "requirements:", "answer: {body: {job: '${task_id}', state: '${status}'}}\nrequirements:")
    Path("parcels/a/good.yaml").write_text(GOOD.replace("status: done", "status: done, omit: [parcel]"))

    assert mistakes(ours) == [
        "ours/contract.yaml:3:1: the inherited scenario a/good does not fit this contract: "
        "an answer has no field 'parcel' to leave out\n"
        "  found:    parcels/a/good.yaml:3:30: task: [{status: done, omit: [parcel], result: 1}]\n"
        "  expected: job, state\n"
        "  fix:      put 'a/good' under 'without', or change what this contract writes itself"
    ]


def test_an_inherited_requirement_that_nothing_proves_can_be_left_out(ours: Path) -> None:
    rewrite(ours, "requirements:", "without: [a/lost]\nrequirements:")

    assert mistakes(ours) == [
        "ours/contract.yaml:3:1: no scenario proves the requirement 'lost-raises'\n"
        "  found:    extends: ../parcels\n"
        "  fix:      add 'lost-raises' under 'proves' of a scenario that shows it, or under 'without'"
    ]


# --- loose scenarios ----------------------------------------------------------------------------------


def test_loose_scenarios_are_added_to_any_suite(ours: Path) -> None:
    Path("loose/c").mkdir(parents=True)
    Path("loose/c/more.yaml").write_text(GOOD)
    Path("single.yaml").write_text(OWN)

    suite = load_suite(ours, [Path("loose"), Path("single.yaml")])

    assert {"c/more", "single", "a/good", "b/own"} <= {each.id for each in suite.scenarios}


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("a" * 300 + ".yaml", "--scenarios: there is no folder or scenario file a"),
        ("nowhere", "--scenarios: there is no folder or scenario file nowhere"),
        ("empty", "--scenarios: empty has no scenario"),
        ("parcels", "--scenarios: parcels is a suite itself: it has a contract.yaml"),
        ("ours/b/own.yaml", "ours/b/own.yaml"),
    ],
)
def test_what_is_not_a_folder_of_scenarios_is_refused(ours: Path, path: str, message: str) -> None:
    Path("empty").mkdir()
    Path("own.yaml").write_text(OWN)
    suite = Path("parcels") if path.endswith("own.yaml") else ours

    with pytest.raises(InputError) as caught:
        load_suite(suite, [Path(path)])

    assert str(caught.value).startswith(message)


def test_a_loose_scenario_of_a_known_id_is_a_mistake(ours: Path) -> None:
    Path("loose/b").mkdir(parents=True)
    Path("loose/b/own.yaml").write_text(OWN)

    with pytest.raises(InputError) as caught:
        load_suite(ours, [Path("loose")])

    assert str(caught.value) == ("loose/b/own.yaml: ours/b/own.yaml has the same id\n  fix:      rename it")


def test_one_file_is_linted_for_the_suite_that_is_named(ours: Path) -> None:
    Path("alone.yaml").write_text(LOST)

    assert [each.id for each in lint_file(Path("alone.yaml"), ours).scenarios] == ["alone"]
    with pytest.raises(InputError, match=r"there is no contract\.yaml above this file"):
        lint_file(Path("alone.yaml"))


# --- the server's catalog -----------------------------------------------------------------------------


def test_a_catalog_serves_inherited_and_loose_scenarios_and_sees_new_ones(ours: Path) -> None:
    rewrite(ours, "requirements:", "without: [lost-raises]\nrequirements:")
    Path("loose").mkdir()
    Path("loose/more.yaml").write_text(GOOD)
    catalog = Catalog(ours, [Path("loose")])

    assert catalog.ids() == ["a/both", "a/good", "a/lost", "b/own", "more"]
    assert catalog.get("a/lost").proves == ()  # it can still be served
    Path("loose/later.yaml").write_text(GOOD)
    Path("parcels/a/newest.yaml").write_text(GOOD)
    assert [each.id for each in catalog.refresh()] == ["a/newest", "later"]


# --- what an author is told ---------------------------------------------------------------------------


def test_a_field_that_is_deeper_in_the_answer_is_named_in_full(ours: Path) -> None:
    deep = (
        "answer: {body: {job: {id: '${task_id}', state: '${status}', parcel: '${result}', why: '${error}'}}}"
    )
    rewrite(
        ours,
        "requirements:\n",
        f"{deep}\nexception_fields: {{reason: why}}\nrequirements:\n"
        "  - {id: why, level: MUST, quote: Why., check: exception_field, with: {field: reason, from: why}}\n",
    )
    (ours / "b/why.yaml").write_text(
        "summary: It is lost.\nproves: [why]\ntask: [{status: lost, error: mud}]\n"
        "calls: [{wait: {}, expect: {raises: {kind: task}}}]\n"
    )

    assert mistakes(ours) == [
        "ours/b/why.yaml:2:10: 'why' is proved by an answer that has no 'why'\n"
        "  found:    proves: [why]\n"
        "  expected: 'why' in the step that says 'lost', or 'reason' under 'raises: fields'\n"
        "  fix:      did the contract mean 'job.why'?"
    ]
