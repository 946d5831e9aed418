"""A suite's scenarios by name, read when asked for, and again when their files change."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from waitproof.errors import InputError
from waitproof.suite.catalog import Catalog
from waitproof.suite.files import CONTRACT, bundled_suite
from waitproof.suite.operation import BeginRequest

ONE = """
format: 1
summary: One.
proves: [completed-returns-result]
task:
  - {status: completed, result: {channels: 2}}
calls:
  - wait: {}
    expect: {returns: {channels: 2}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    suite = tmp_path / "suite"
    suite.mkdir()
    text = (bundled_suite() / CONTRACT).read_text().replace("example: outcomes/completes-after-3-polls", "")
    (suite / CONTRACT).write_text(text)
    return suite


def write(folder: Path, scenario_id: str, text: str = ONE) -> Path:
    """Write a scenario's file, and let its time differ from whatever it was before."""
    path = folder / f"{scenario_id}.yaml"
    path.parent.mkdir(exist_ok=True)
    before_ns = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text)
    os.utime(path, ns=(before_ns + 10**9, before_ns + 10**9))
    return path


def test_a_scenario_is_found_by_its_id_and_by_the_last_part_of_it(folder: Path) -> None:
    write(folder, "topic/one")
    catalog = Catalog(folder)

    assert catalog.get("topic/one").summary == catalog.get("one").summary == "One."


@pytest.mark.parametrize("task_id", ["one", "one~", "one~7", "one~a~b", "topic.one~x"])
def test_a_task_id_names_its_scenario_before_the_tilde(folder: Path, task_id: str) -> None:
    write(folder, "topic/one")

    assert Catalog(folder).named_by(task_id).id == "topic/one"


def test_a_name_that_two_scenarios_have_is_refused_with_both(folder: Path) -> None:
    write(folder, "a/one")
    write(folder, "b/one")
    catalog = Catalog(folder)

    with pytest.raises(InputError, match=r"2 scenarios are called 'one'\n  fix: .* a/one or b/one"):
        catalog.get("one")
    assert catalog.named_by("b.one~3").id == "b/one"


def test_an_unknown_name_is_refused_with_the_nearest(folder: Path) -> None:
    write(folder, "topic/completes-late")
    catalog = Catalog(folder)

    with pytest.raises(InputError, match=r"no scenario is called 'completes-lte'\n  fix: .* completes-late"):
        catalog.get("completes-lte")


def test_an_id_that_is_like_no_name_is_reported_as_that_of_no_task(folder: Path) -> None:
    write(folder, "topic/completes-late")
    task_id = "7f1c2a9e-3b44-4c0d-9a55-0d6f3c1b2e77"

    with pytest.raises(InputError) as caught:
        Catalog(folder).named_by(task_id)

    assert str(caught.value) == f"no task has the id '{task_id}', and no scenario has that name"


def begun_by(catalog: Catalog, user_id: str) -> str:
    """Return the summary of the scenario that a body begins which has that user id."""
    body = json.dumps({"user_ids": [user_id]}).encode()
    request = BeginRequest("delete_users", catalog.contract.operations["delete_users"])
    return catalog.begun_by(request, {}, body, "usual").summary


@pytest.mark.parametrize(("user_id", "summary"), [("one", "One."), ("one~7", "One."), ("anna", "Usual.")])
def test_a_body_begins_the_scenario_that_it_names_else_the_default(
    folder: Path, user_id: str, summary: str
) -> None:
    write(folder, "topic/one")
    write(folder, "topic/usual", ONE.replace("One.", "Usual."))

    assert begun_by(Catalog(folder), user_id) == summary


def test_a_body_that_names_a_broken_or_one_of_several_scenarios_begins_no_other(folder: Path) -> None:
    write(folder, "topic/usual", ONE.replace("One.", "Usual."))
    write(folder, "topic/broken", "summary: 7\n")
    write(folder, "a/twice")
    write(folder, "b/twice")
    catalog = Catalog(folder)

    with pytest.raises(InputError, match=r"broken\.yaml:1:1: "):
        begun_by(catalog, "broken")
    with pytest.raises(InputError, match="2 scenarios are called 'twice'"):
        begun_by(catalog, "twice")
    assert begun_by(catalog, "b.twice") == "One."


def test_a_changed_file_takes_effect_at_the_next_look(folder: Path) -> None:
    write(folder, "topic/one")
    catalog = Catalog(folder)
    before = catalog.get("one").summary

    write(folder, "topic/one", ONE.replace("One.", "Another."))

    assert (before, catalog.get("one").summary) == ("One.", "Another.")


def test_a_broken_file_is_reported_once_and_its_last_good_version_stays(folder: Path) -> None:
    write(folder, "topic/one")
    catalog = Catalog(folder)
    catalog.get("one")
    assert catalog.refresh() == []

    write(folder, "topic/one", ONE.replace("status: completed", "stauts: completed"))

    (change,) = catalog.refresh()
    assert change.entry is not None
    assert [mistake.fact for mistake in change.entry.mistakes] == ["a step has no key 'stauts'"]
    assert catalog.get("one").task[0].status == "completed"
    assert catalog.refresh() == []

    write(folder, "topic/one", ONE)

    (change,) = catalog.refresh()
    assert change.entry is not None
    assert change.entry.mistakes == ()


def test_a_change_that_a_question_has_found_is_reported_all_the_same(folder: Path) -> None:
    write(folder, "topic/one")
    write(folder, "topic/two")
    catalog = Catalog(folder)
    catalog.entries()
    write(folder, "topic/one", ONE.replace("status: completed", "stauts: completed"))
    write(folder, "topic/two", ONE.replace("One.", "Two."))
    catalog.get("one")
    catalog.entries()

    reported = [(change.id, len(change.entry.mistakes)) for change in catalog.refresh() if change.entry]

    assert reported == [("topic/one", 1), ("topic/two", 0)]
    assert catalog.refresh() == []


@pytest.mark.parametrize(("is_asked_between", "reported"), [(False, []), (True, ["topic/one"])])
def test_a_renamed_file_is_the_same_scenario_at_its_new_place(
    folder: Path, is_asked_between: bool, reported: list[str]
) -> None:
    path = write(folder, "topic/one")
    catalog = Catalog(folder)
    catalog.entries()

    renamed = path.rename(path.with_suffix(".yml"))
    if is_asked_between:
        assert catalog.get("one").summary == "One."

    assert [change.id for change in catalog.refresh()] == reported
    assert [(entry.path, entry.mistakes) for entry in catalog.known()] == [(renamed, ())]


def test_the_mistakes_of_a_renamed_file_have_its_new_place(folder: Path) -> None:
    path = write(folder, "topic/one", "summary: 7\n")
    catalog = Catalog(folder)
    catalog.entries()

    path.rename(path.with_suffix(".yml"))

    (change,) = catalog.refresh()
    assert change.entry is not None
    assert all("one.yml:" in mistake.place for mistake in change.entry.mistakes)


def test_a_file_that_was_never_right_makes_no_task(folder: Path) -> None:
    write(folder, "topic/one", "summary: 7\n")
    catalog = Catalog(folder)

    with pytest.raises(InputError, match=r"one\.yaml:1:1: "):
        catalog.get("one")


def test_files_that_come_and_go_are_seen(folder: Path) -> None:
    first = write(folder, "topic/one")
    catalog = Catalog(folder)
    catalog.entries()

    write(folder, "topic/two")
    first.unlink()

    assert [(change.id, change.entry is None) for change in catalog.refresh()] == [
        ("topic/one", True),
        ("topic/two", False),
    ]
    assert catalog.ids() == ["topic/two"]


def test_a_file_that_was_not_asked_for_yet_is_no_change(folder: Path) -> None:
    write(folder, "topic/one")

    assert Catalog(folder).refresh() == []


def test_a_suite_without_a_scenario_has_no_example(folder: Path) -> None:
    catalog = Catalog(folder)

    with pytest.raises(InputError) as caught:
        catalog.example_id()

    assert str(caught.value) == f"{folder}: the suite has no scenario\n  fix:      add a YAML file"


def test_a_folder_without_a_contract_is_not_a_suite(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="this is not a suite"):
        Catalog(tmp_path)


def test_a_text_is_a_scenario_or_its_task_alone(folder: Path) -> None:
    write(folder, "topic/one")
    catalog = Catalog(folder)

    whole = catalog.inline(ONE)
    alone = catalog.inline("task:\n  - {status: pending}\n  - {status: completed}\n")

    assert (whole.summary, whole.proves) == ("One.", ("completed-returns-result",))
    assert [step.label for step in alone.task] == ["pending", "completed"]


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("task:\n  - {stauts: pending}\n", "inline:2:6: a step has no key 'stauts'"),
        ("task: []\n", "inline:1:1: 'task' cannot be []"),
        ("task:\n  - {status: pending, omit: [nope]}\n", "inline:2:"),
        ("- 1\n", "inline:1:1: "),
        ("task: &a [*a]\n", "inline:1:7: "),
        ("", "inline:1:1: "),
    ],
)
def test_a_text_that_is_wrong_is_reported_by_line_and_column(folder: Path, text: str, reported: str) -> None:
    write(folder, "topic/one")
    catalog = Catalog(folder)

    with pytest.raises(InputError) as caught:
        catalog.inline(text)
    assert str(caught.value).startswith(reported)


def test_every_scenario_that_comes_with_waitproof_can_be_named_by_the_last_part_of_its_id() -> None:
    catalog = Catalog()

    assert [catalog.get(each.rpartition("/")[2]).id for each in catalog.ids()] == catalog.ids()


def test_calls_to_paste_have_an_id_of_their_own_after_each_start() -> None:
    first, second = Catalog(), Catalog()

    assert first.example_id() == first.example_id() != second.example_id()
    reported = first.calls("http://h", first.example_id())["curl"].split()[-1]
    assert first.named_by(reported.rpartition("/")[2]).id == first.contract.example


def test_the_folder_can_be_anywhere(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(bundled_suite(), copy)

    assert Catalog(copy).ids() == Catalog().ids()
