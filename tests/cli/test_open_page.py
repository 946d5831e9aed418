"""`waitproof report --open`: where the page is, what the browser gets, and what is said without one."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_reports import hand_made
from waitproof.cli import main

FAILURE = ("a/b:c", "FAIL", "that")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the browser was asked to open."""
    asked: list[str] = []

    def note(address: str) -> bool:
        asked.append(address)
        return True

    monkeypatch.setattr("webbrowser.open", note)
    return asked


def test_the_page_is_written_beside_the_report_and_opened(
    tmp_path: Path, opened: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    file = hand_made(tmp_path / "my run.json", FAILURE)

    assert main(["report", str(file), "--open"]) == 0
    assert main(["report", str(file), "--open"]) == 0  # over its own page of before

    page = tmp_path / "my run.html"
    assert "Failures by requirement" in page.read_text(encoding="utf-8")
    assert opened == [page.as_uri()] * 2
    assert capsys.readouterr().out.splitlines() == [f"report: {page}"] * 2


def test_a_named_page_is_opened_by_its_whole_path(
    tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = hand_made(tmp_path / "r.json", FAILURE)
    monkeypatch.chdir(tmp_path)

    assert main(["report", str(file), "--html", "page.html", "--open"]) == 0

    assert opened == [(tmp_path / "page.html").as_uri()]
    assert not (tmp_path / "r.html").exists()


def test_somebody_elses_page_is_left_alone(
    tmp_path: Path, opened: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    file = hand_made(tmp_path / "r.json", FAILURE)
    page = tmp_path / "r.html"
    page.write_text("<!doctype html><title>mine</title>")

    assert main(["report", str(file), "--open"]) == 2

    assert "mine" in page.read_text()
    assert opened == []
    assert capsys.readouterr().err.splitlines() == [
        f"--open: {page} exists, and isn't a page of waitproof's",
        "  fix:      name another file with --html",
    ]


@pytest.mark.parametrize("arguments", [["{report}", "--html", "-"], ["/dev/stdin"]])
def test_a_stream_cannot_be_opened(
    tmp_path: Path, opened: list[str], capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    file = str(hand_made(tmp_path / "r.json", FAILURE))

    assert main(["report", *(each.format(report=file) for each in arguments), "--open"]) == 2

    assert "is a stream, so there is no file to open" in capsys.readouterr().err
    assert opened == []


def test_without_a_browser_the_page_is_still_written_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webbrowser.open", lambda _address: False)
    file = hand_made(tmp_path / "r.json", FAILURE)

    assert main(["report", str(file), "--open"]) == 0

    assert capsys.readouterr().out.splitlines() == [
        f"report: {tmp_path / 'r.html'}",
        "There is no browser here: open that file in one.",
    ]
    assert (tmp_path / "r.html").exists()
