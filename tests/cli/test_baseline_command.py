"""`waitproof baseline update`, by what it prints."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_reports import hand_made
from waitproof.cli import main

WIDE = "  --wide adds one entry for a requirement that fails in all of its scenarios"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "adapter.yaml").write_text("format: 1\nname: x\nsummary: S.\ncommand: [x]\n")
    return tmp_path


@pytest.mark.parametrize(
    ("count", "is_whole", "options", "last"),
    [
        (3, True, [], WIDE),
        (2, True, [], "  + a/1:late"),
        (3, True, ["--wide"], "  + late"),
        (3, False, ["--wide"], "  --wide had no effect: the run left scenarios out, which may pass"),
    ],
)
def test_many_entries_for_one_requirement_say_how_to_have_one(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    count: int,
    is_whole: bool,
    options: list[str],
    last: str,
) -> None:
    failures = [(f"a/{n}:late", "FAIL", "2 s") for n in range(count)]
    hand_made(folder / "r.json", *failures, whole=is_whole)

    assert main(["baseline", "update", "x", "--report", "r.json", *options]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == last
