from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_reports import hand_made
from waitproof.cli import main
from waitproof.errors import InputError
from waitproof.judge import Status, Verdict
from waitproof.run import Run, Update, parse_baseline, update
from waitproof.run.baseline_update import quoted
from waitproof.suite.contract import Level

TODAY = date(2026, 11, 24)
HEAD = """\
# Known deviations of sdk 7.0.0 from what waitproof expects. Each entry excuses what it names and
# says why; it can have a link and a last day (expires). One that no longer occurs fails the run.
format: 1
deviations:
"""
KEPT_BY_HAND = """\
# A head comment.
format: 1

deviations:   # of 7.0.0
  # --- faults ---
  - deviation: faults/a:surfaces  # seen
    reason: >-
      The first line,
      # and no comment
    link: 'https://example.com/1'
    # about its link

  # --- time ---
  - {deviation: late, reason: "It sleeps \\
      long.", expires: "2027-01-01"}
  -
    deviation: gone
    reason: It is not there.
# The end.
"""


def verdict(name: str, status: Status = Status.FAIL, seen: str = "it returned 1") -> Verdict:
    scenario, _, requirement = name.rpartition(":")
    return Verdict(scenario, requirement, Level.MUST, status, seen=seen)


def updated(text: str | None, *verdicts: Verdict, complete: bool = True, wide: bool = False) -> Update:
    known = ["surfaces", "late", "kept"]
    run = Run("2026-11-24", "sdk 7.0.0", verdicts, complete, known)
    return update(text, "deviations.yaml", run, TODAY, wide=wide)


def names(text: str | None) -> list[str]:
    assert text is not None
    return [entry.known.deviation for entry in parse_baseline(text, "d.yaml", TODAY).entries]


# --- what comes and what goes -------------------------------------------------------------------------


def test_a_file_that_is_not_there_is_made_with_all_that_is_not_kept() -> None:
    new = updated(
        None,
        verdict("faults/a:surfaces"),
        verdict("faults/b:late", Status.WARN),
        verdict("faults/c:late", Status.PASS),
        verdict("faults/d:late", Status.ERROR),
        verdict("faults/e:late", Status.INCONCLUSIVE),
        verdict("faults/f:late", Status.UNSUPPORTED),
    )

    assert new.text == HEAD + (
        "  - deviation: faults/a:surfaces\n"
        '    reason: "seen 2026-11-24 with sdk 7.0.0: it returned 1; say why"\n'
        "  - deviation: faults/b:late\n"
        '    reason: "seen 2026-11-24 with sdk 7.0.0: it returned 1; say why"\n'
    )


def test_nothing_is_made_where_all_is_kept() -> None:
    assert updated(None, verdict("a/b:kept", Status.PASS)) == Update(None)


def test_what_is_kept_or_matches_nothing_goes_and_every_other_byte_stays() -> None:
    new = updated(
        KEPT_BY_HAND,
        verdict("faults/a:surfaces", Status.PASS),
        verdict("faults/b:late"),
        verdict("faults/b:surfaces", Status.FAIL, "it hung"),
    )

    assert new.text == (
        "# A head comment.\n"
        "format: 1\n"
        "\n"
        "deviations:   # of 7.0.0\n"
        "  # --- faults ---\n"
        "\n"
        "  # --- time ---\n"
        '  - {deviation: late, reason: "It sleeps \\\n'
        '      long.", expires: "2027-01-01"}\n'
        "  - deviation: faults/b:surfaces\n"
        '    reason: "seen 2026-11-24 with sdk 7.0.0: it hung; say why"\n'
        "# The end.\n"
    )
    assert [(each.entry.known.deviation, each.problem.value) for each in new.removed] == [
        ("faults/a:surfaces", "passes"),
        ("gone", "no_match"),
    ]
    assert [each.deviation for each in new.added] == ["faults/b:surfaces"]


def test_an_update_twice_is_an_update_once() -> None:
    seen = [verdict("faults/a:surfaces"), verdict("faults/b:late"), verdict("faults/b:surfaces")]
    once = updated(KEPT_BY_HAND, *seen)

    assert once.changes
    assert updated(once.text, *seen) == Update(once.text)


def test_what_was_not_played_is_left_alone() -> None:
    new = updated(KEPT_BY_HAND, verdict("faults/b:late", Status.PASS), complete=False)

    assert new == Update(KEPT_BY_HAND)


def test_what_has_expired_and_still_shows_stays_for_a_person_and_is_not_written_twice() -> None:
    text = "format: 1\ndeviations:\n- deviation: late\n  reason: x\n  expires: '2020-01-01'\n"

    new = updated(text, verdict("a/b:late"), verdict("a/c:late", Status.PASS))

    assert (new.text, new.changes) == (text, False)
    assert [each.known.deviation for each in new.expired] == ["late"]


def test_one_entry_for_a_requirement_is_written_only_when_asked_and_nowhere_kept() -> None:
    every = [verdict("a/b:late"), verdict("a/c:late", Status.WARN)]
    some = [verdict("a/b:surfaces"), verdict("a/c:surfaces", Status.UNSUPPORTED)]

    assert names(updated(None, *every, *some).text) == ["a/b:late", "a/c:late", "a/b:surfaces"]
    wide = updated(None, *every, *some, wide=True).text
    assert names(wide) == ["late", "a/b:surfaces"]
    assert 'reason: "seen 2026-11-24 with sdk 7.0.0 in all 2 scenarios, in a/b: it returned 1; say why"' in (
        wide or ""
    )
    assert names(updated(None, *every, complete=False, wide=True).text) == ["a/b:late", "a/c:late"]


def test_a_report_of_another_suite_empties_no_baseline() -> None:
    text = "format: 1\ndeviations:\n  - {deviation: x, reason: a}\n  - {deviation: 'y:z', reason: a}\n"

    with pytest.raises(InputError, match="none of its entries matches anything in the report"):
        updated(text, verdict("a/b:late"))


# --- how the file is written --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("format: 1\ndeviations: []\n", 'format: 1\ndeviations:\n  - deviation: "a:late"\n'),
        (
            "format: 1\ndeviations: []  # none\n# end\n",
            'format: 1\ndeviations:  # none\n  - deviation: "a:late"\n',
        ),
        ("deviations: []\nformat: 1", 'deviations:\n  - deviation: "a:late"\n'),
        (
            "deviations:\n- deviation: late2\n  reason: x\nformat: 1\n",
            'deviations:\n- deviation: late2\n  reason: x\n- deviation: "a:late"\n',
        ),
        (
            "format: 1\r\ndeviations:\r\n  - {deviation: late2, reason: x}",
            'format: 1\r\ndeviations:\r\n  - {deviation: late2, reason: x}\r\n  - deviation: "a:late"\r\n',
        ),
    ],
)
def test_new_entries_stand_behind_the_last_as_its_file_is_written(before: str, after: str) -> None:
    new = updated(before, verdict("a:late"), complete=False)

    assert new.text is not None
    assert new.text.startswith(after)
    assert names(new.text)[-1] == "a:late"


def test_a_list_whose_last_entry_goes_is_written_as_empty() -> None:
    text = "format: 1\ndeviations: # known\n  # of old\n  - deviation: a:kept\n    reason: x\n"

    new = updated(text, verdict("a:kept", Status.PASS))

    assert new.text == "format: 1\ndeviations: [] # known\n  # of old\n"


@pytest.mark.parametrize(
    "text",
    [
        "format: 1\ndeviations: [{deviation: late2, reason: x}]\n",
        "format: 1\ndeviations: [\n]\n",
        "{format: 1, deviations: []}\n",
        'format: 1\ndeviations:\n  - deviation: gone\n    reason: "a\nb"\n  - {deviation: late2, reason: x}',
    ],
)
def test_a_file_that_cannot_be_edited_by_lines_is_left_alone(text: str) -> None:
    with pytest.raises(InputError, match="the entries are not on separate lines"):
        updated(text, verdict("a:late"), verdict("b:late2"))


@settings(deadline=None)  # on a busy machine one example can take a while
@given(st.text(st.characters(codec="utf-8")))
def test_any_text_is_read_back_as_it_was_quoted(text: str) -> None:
    file = f"format: 1\ndeviations:\n  - deviation: d\n    reason: {quoted('x' + text)}\n"

    (entry,) = parse_baseline(file, "d.yaml", TODAY).entries

    assert entry.known.reason == f"x{text}"


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1), st.text()), min_size=1))
def test_whatever_a_run_has_seen_makes_a_file_that_can_be_read(seen: Sequence[tuple[str, str, str]]) -> None:
    verdicts = [Verdict(a, b, Level.MUST, Status.FAIL, seen=c) for a, b, c in seen]

    new = updated(None, *verdicts, complete=False)
    again = updated(new.text, *verdicts[:1], complete=False)

    assert [each.deviation for each in new.added] == names(new.text)
    assert names(again.text)[: len(new.added)] == names(new.text)


# --- the command --------------------------------------------------------------------------------------


def written(path: Path, **more: Any) -> Path:
    seen = [("a/b:late", "FAIL", "\x1b[1m\ud800"), ("a/b:kept", "PASS", "")]
    return hand_made(path, *seen, **{"whole": True, **more})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "adapter.yaml").write_text("format: 1\nname: x\ncommand: [nothing]\n")
    return tmp_path / "x"


def test_the_command_writes_the_file_and_says_what_it_did(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = written(tmp_path / "report.json")
    argv = ["baseline", "update", str(folder), "--report", str(report)]
    file = folder / "deviations.yaml"

    assert main([*argv, "--check"]) == 1
    assert not file.exists()
    assert main(argv) == 0
    file.write_text(file.read_text() + "  - {deviation: 'a/b:kept', reason: x}\n")
    assert main(argv) == 0
    assert main([*argv, "--check"]) == 0

    assert capsys.readouterr().out.splitlines() == [
        f"{file}: 1 would be added",
        "  + a/b:late",
        f"{file}: 1 added",
        "  + a/b:late",
        f"{file}: 1 removed",
        "  - a/b:kept: passes now",
        f"{file}: nothing to change",
    ]
    (entry,) = parse_baseline(file.read_text(), "d.yaml", TODAY).entries
    assert entry.known.reason == r"seen 2026-11-24 with sdk 1: \x1b[1m\ud800; say why"


def test_without_a_report_the_command_says_how_to_make_one(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["baseline", "update", str(folder)]) == 2

    assert f"fix:      waitproof run {folder} --json report.json; then the same command with" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("more", "fact"),
    [
        ({"adapters": []}, "the report has nothing about the adapter 'x'"),
        ({"adapters": [1]}, "adapters.0: input should be an object"),
        ({"adapters": [{"name": "x", "verdicts": [{}]}]}, "adapters.0.verdicts.0.scenario: field required"),
        ({"adapters": 1}, "adapters: input should be a list"),
        ({"whole": "perhaps"}, "whole: input should be a valid boolean, unable to interpret input"),
    ],
)
def test_a_report_that_does_not_fit_is_wrong_use(
    more: dict[str, Any], fact: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = written(tmp_path / "report.json", **more)

    assert main(["baseline", "update", str(folder), "--report", str(report)]) == 2

    assert capsys.readouterr().err.splitlines()[0] == f"{report}: {fact}"


def test_a_folder_that_is_none_is_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = written(tmp_path / "report.json")

    assert main(["baseline", "update", "python x.py", "--report", str(report)]) == 2
    assert main(["baseline", "update", str(tmp_path), "--report", str(report)]) == 2

    told = capsys.readouterr().err
    assert "python x.py: no such folder; a baseline is in an adapter's folder" in told
    assert "the folder has no adapter.yaml" in told


def named(name: str, argument: Path, status: str) -> dict[str, Any]:
    verdict = {"scenario": "a/b", "requirement": "late", "level": "MUST", "status": status}
    return {"name": name, "argument": str(argument), "verdicts": [verdict]}


def test_no_baseline_gets_the_deviations_of_another_adapter_of_its_name(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "adapter.yaml").write_text("format: 1\nname: x\ncommand: [nothing]\n")
    file = tmp_path / "report.json"
    argv = ["baseline", "update", str(folder), "--report", str(file)]

    written(file, adapters=[named("x", other, "FAIL"), named("x#2", folder, "PASS")])
    assert main(argv) == 0
    assert not (folder / "deviations.yaml").exists()

    written(file, adapters=[named("x", other, "FAIL")])
    assert main(argv) == 2
    assert f"{file}: the report has nothing about the adapter 'x'" in capsys.readouterr().err

    written(file, adapters=[named("x", Path("gone"), "FAIL"), named("x#2", Path("gone, too"), "PASS")])
    assert main(argv) == 2
    assert f"{file}: 2 adapters of the report are called 'x'" in capsys.readouterr().err
