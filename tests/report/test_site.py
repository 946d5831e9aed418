from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from made_reports import hand_made
from waitproof.cli import main
from waitproof.report.site.history import Sdk, suites_of
from waitproof.report.site.names import slug
from waitproof.report.site.reading import read_runs

PASSES, FAILS = ("a/b:r", "PASS", ""), ("a/b:r", "FAIL", "too early")
OTHER = ("a/b:other", "PASS", "")


def day(number: int) -> str:
    return f"2026-11-{number:02}T03:00:00+00:00"


def runs(folder: Path, *days: tuple[tuple[str, str, str], ...], **more: Any) -> Path:
    """Write a report for each day, with that day's verdicts."""
    folder.mkdir(exist_ok=True)
    for number, verdicts in enumerate(days, 1):
        hand_made(folder / f"{number}.json", *verdicts, **{"started": day(number), "whole": True, **more})
    return folder


def history(folder: Path) -> Sdk:
    found, notes = read_runs([folder], folder / "no-site")
    assert notes == []
    (suite,) = suites_of(found)
    (sdk,) = suite.sdks
    return sdk


def site(*argv: Path | str) -> int:
    return main(["report", *map(str, argv)])


def everything(out: Path) -> dict[str, bytes]:
    return {str(each.relative_to(out)): each.read_bytes() for each in out.rglob("*") if each.is_file()}


# --- history ------------------------------------------------------------------------------------------


def test_a_failure_begins_and_ends_with_the_runs_that_showed_it(tmp_path: Path) -> None:
    sdk = history(runs(tmp_path, (PASSES,), (FAILS,), (FAILS,), (PASSES,)))

    spans = [(span.cell and span.cell.text, span.begins.day, span.count) for span in sdk.spans("r")]
    assert spans == [("PASS", "2026-11-01", 1), ("FAIL", "2026-11-02", 2), ("PASS", "2026-11-04", 1)]
    assert [(run.day, run.event and run.event.tally) for run in sdk.events] == [
        ("2026-11-04", "1 fixed"),
        ("2026-11-02", "1 new failure"),
    ]


def test_a_requirement_that_a_run_did_not_have_is_new_and_no_failure(tmp_path: Path) -> None:
    sdk = history(runs(tmp_path, (PASSES,), (PASSES, OTHER)))

    (run,) = sdk.events
    assert run.event is not None
    assert run.event.new_requirements == {"other"}
    assert (run.event.tally, run.event.suite) == ("1 other change", "1 new requirement")


@pytest.mark.parametrize("more", [{"whole": False}, {"interrupted": True}])
def test_a_part_is_no_history_and_does_not_become_the_newest_result(
    tmp_path: Path, more: dict[str, bool]
) -> None:
    runs(tmp_path, (PASSES, OTHER))
    hand_made(tmp_path / "2.json", FAILS, started=day(2), **{"whole": True, **more})
    hand_made(tmp_path / "3.json", PASSES, OTHER, started=day(3), whole=True)
    hand_made(tmp_path / "4.json", FAILS, started=day(4), **{"whole": True, **more})

    sdk = history(tmp_path)

    assert sdk.events == []
    assert sdk.newest.day == "2026-11-03"
    assert [run.day for run in sdk.wholes] == ["2026-11-01", "2026-11-03"]
    assert sdk.runs[-1].incomplete in {"part of the suite", "ended early"}


def test_another_adapters_failure_is_not_in_an_sdks_exit_code(tmp_path: Path) -> None:
    def adapter(name: str, status: str) -> dict[str, Any]:
        verdict = {"scenario": "a/b", "requirement": "r", "level": "MUST", "status": status, "seen": ""}
        return {"name": name, "verdicts": [verdict]}

    adapters = [adapter("good", "PASS"), adapter("open", "ERROR")]
    hand_made(tmp_path / "1.json", PASSES, whole=True, exit_code=3, adapters=adapters)

    assert site(tmp_path, "--site", tmp_path / "out") == 0

    badges = {
        name: json.loads((tmp_path / f"out/badge/s/{name}.json").read_text()) for name in ("good", "open")
    }
    assert [badges["good"]["message"], badges["open"]["message"]] == ["1 of 1 MUST", "not verified"]


# --- names --------------------------------------------------------------------------------------------


def test_a_plain_name_is_its_own_file_and_no_two_names_share_one() -> None:
    names = ["a", "A", "a/b", "a-b", "../a", "", ".", "con", "é", "a" * 99, "a.b", slug("A"), "\x00"]
    slugs = [slug(name) for name in names]

    assert [slug("getstream-python"), slug("a_1")] == ["getstream-python", "a_1"]
    assert len(set(slugs)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,68}", each) for each in slugs)


# --- the folder ---------------------------------------------------------------------------------------


def test_the_same_reports_make_the_same_bytes_wherever_and_whenever(tmp_path: Path) -> None:
    folder = runs(tmp_path / "runs", (PASSES,), (FAILS,))

    assert site(folder, "--site", tmp_path / "one") == 0
    assert site(folder, "--site", tmp_path / "two") == 0
    first = everything(tmp_path / "one")
    assert site(folder, "--site", tmp_path / "one") == 0

    assert first == everything(tmp_path / "two") == everything(tmp_path / "one")
    assert {name for name in first if not name.startswith("runs/")} == {
        ".waitproof-site.json",
        "index.html",
        "badge/s.json",
        "badge/s.svg",
        "badge/s/x.json",
        "badge/s/x.svg",
        "requirement/s/r.html",
        "sdk/s/x.html",
    }
    assert len([name for name in first if name.startswith("runs/")]) == 2


def test_every_link_of_every_page_leads_to_a_file_of_the_site(tmp_path: Path) -> None:
    folder = runs(tmp_path / "runs", (PASSES,), (FAILS, OTHER))
    site(folder, "--site", tmp_path / "out")

    links = [
        (page.parent / link).resolve()
        for page in (tmp_path / "out").rglob("*.html")
        if page.parent.name != "runs"
        for link in re.findall(r'href="([^"]+)"', page.read_text(encoding="utf-8"))
    ]

    assert len(links) > 10
    assert [link for link in links if not link.is_file()] == []


def test_pages_that_the_reports_no_longer_have_are_removed_and_a_strangers_file_stays(tmp_path: Path) -> None:
    folder, out = runs(tmp_path / "runs", (PASSES, OTHER)), tmp_path / "out"
    site(folder, "--site", out)
    (out / "CNAME").write_text("x.test")
    (out / "sdk" / "note.txt").write_text("mine")
    runs(folder, (PASSES,))

    assert site(folder, "--site", out) == 0

    assert not (out / "requirement/s/other.html").exists()
    assert (out / "requirement/s/r.html").exists()
    assert ((out / "CNAME").read_text(), (out / "sdk" / "note.txt").read_text()) == ("x.test", "mine")


def test_a_folder_that_is_not_a_site_is_left_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = runs(tmp_path / "runs", (PASSES,)), tmp_path / "out"
    out.mkdir()
    (out / "index.html").write_text("mine")

    assert site(folder, "--site", out) == 2

    assert capsys.readouterr().err == (
        f"--site: {out} holds files, and is not a site that waitproof has made\n"
        "  fix:      name a new or an empty folder\n"
    )
    assert everything(out) == {"index.html": b"mine"}


@pytest.mark.parametrize("listed", ["../victim", "/victim", "a/../../victim", ".git/x", "a\\b"])
def test_a_list_of_files_that_leads_out_of_the_site_removes_nothing(tmp_path: Path, listed: str) -> None:
    folder, out = runs(tmp_path / "runs", (PASSES,)), tmp_path / "out"
    (tmp_path / "victim").write_text("mine")
    site(folder, "--site", out)
    (out / ".waitproof-site.json").write_text(json.dumps({"waitproof-site": 1, "files": [listed]}))

    assert site(folder, "--site", out) == 2
    assert (tmp_path / "victim").read_text() == "mine"


def test_a_strangers_file_in_the_place_of_a_page_is_not_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = runs(tmp_path / "runs", (PASSES,)), tmp_path / "out"
    site(folder, "--site", out)
    (out / "requirement/s/other.html").write_text("mine")
    runs(folder, (PASSES, OTHER))

    assert site(folder, "--site", out) == 2

    assert capsys.readouterr().err.startswith(f"{out}/requirement/s/other.html: this file is in the way")
    assert (out / "requirement/s/other.html").read_text() == "mine"


def test_a_symbolic_link_does_not_lead_pages_out_of_the_site(tmp_path: Path) -> None:
    folder, out = runs(tmp_path / "runs", (PASSES,)), tmp_path / "out"
    site(folder, "--site", out)
    (tmp_path / "elsewhere").mkdir()
    (out / "sdk").rename(tmp_path / "old")
    (out / "sdk").symlink_to(tmp_path / "elsewhere")

    assert site(folder, "--site", out) == 2
    assert list((tmp_path / "elsewhere").iterdir()) == []


# --- what is read -------------------------------------------------------------------------------------


def test_a_folder_without_reports_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "badge.json").write_text('{"schemaVersion": 1}')

    assert site(tmp_path, "--site", tmp_path / "out") == 2

    assert capsys.readouterr().err == (
        f"{tmp_path}: there is no report of a run here\n"
        "  expected: report.json files\n"
        "  fix:      waitproof run ADAPTER --json runs/DATE.json\n"
    )
    assert not (tmp_path / "out").exists()


def test_in_a_folder_other_json_is_left_out_with_a_note_and_the_site_itself_is_not_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs(tmp_path, (PASSES,))
    (tmp_path / "badge.json").write_text('{"schemaVersion": 1}')
    (tmp_path / "copy.json").write_bytes((tmp_path / "1.json").read_bytes())

    for _ in range(2):
        assert site(tmp_path, "--site", tmp_path / "out") == 0
        read = capsys.readouterr()
        assert read.err == (
            f"left out: 1 file that isn't a report ({tmp_path}/badge.json)\n"
            f"left out: 1 file that is a copy of another ({tmp_path}/copy.json)\n"
        )
        assert read.out == f"{tmp_path}/out/index.html: 1 run of 1 SDK, 8 files\n"


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ('{"schema": 2', "this isn't JSON: Expecting"),
        ("[]", "this isn't a report that this version of waitproof can read"),
        ('{"schema": 3}', "this isn't a report that this version of waitproof can read"),
        ('{"schema": 2}', "waitproof: field required"),
    ],
)
def test_a_file_that_is_not_a_report_is_refused_where_it_was_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, fact: str
) -> None:
    file = tmp_path / "r.json"
    file.write_text(text)

    assert site(file, "--site", tmp_path / "out") == 2
    assert capsys.readouterr().err.startswith(f"{file}: {fact}")


def test_a_half_written_report_in_a_folder_is_not_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs(tmp_path, (PASSES,))
    (tmp_path / "2.json").write_text('{"schema')

    assert site(tmp_path, "--site", tmp_path / "out") == 2
    assert capsys.readouterr().err.startswith(f"{tmp_path}/2.json: this isn't JSON")


def test_two_runs_of_an_sdk_in_the_same_second_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hand_made(tmp_path / "1.json", PASSES, started=day(1))
    hand_made(tmp_path / "2.json", FAILS, started=day(1))

    assert site(tmp_path, "--site", tmp_path / "out") == 2
    assert capsys.readouterr().err == (
        f"{tmp_path}/2.json: a run of 'x' began in the same second as that in {tmp_path}/1.json\n"
        "  found:    2026-11-01T03:00:00+00:00\n"
        "  fix:      remove one of the two\n"
    )


def test_reports_of_two_suites_and_of_schema_1_are_shown_together(tmp_path: Path) -> None:
    runs(tmp_path, (PASSES,))
    old = json.loads((Path(__file__).parent / "schema-1.json").read_text())
    (tmp_path / "old.json").write_text(json.dumps(old))

    assert site(tmp_path, "--site", tmp_path / "out") == 0
    assert {each.name for each in (tmp_path / "out" / "sdk").iterdir()} == {"s", slug(old["suite"])}


def test_the_site_is_made_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = runs(tmp_path / "runs", (PASSES,))

    assert site(folder, "--site", tmp_path / "out", "--html", tmp_path / "r.html") == 2
    assert capsys.readouterr().err.startswith("--site: --site takes no other option")


def test_a_folder_needs_the_option_that_reads_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert site(tmp_path, "--html", tmp_path / "r.html") == 2
    assert "is a directory" in capsys.readouterr().err
