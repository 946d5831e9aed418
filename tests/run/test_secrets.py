"""No report of a run shows a secret, wherever an SDK and its adapter show it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fakes import MINI, Mark, waitproof


@pytest.mark.parametrize(
    ("mode", "shown"),
    [
        ("Leaks", ("signing with ***", "gave up with ***", "signed with ***")),
        ("LeaksAndFails", ("ValueError: what is ***?",)),
    ],
)
def test_no_report_shows_what_an_adapter_was_given_to_sign_with(
    mark: Mark, tmp_path: Path, mode: str, shown: tuple[str, ...]
) -> None:
    folder = mark.folder(tmp_path, mode, str(tmp_path / "secret"))
    names = ("json", "html", "junit", "markdown")
    files = {name: tmp_path / f"report.{name}" for name in names}
    options = [text for name, file in files.items() for text in (f"--{name}", str(file))]

    _, out, err = waitproof("run", str(folder), "--suite", str(MINI), "-v", *options)

    secret = (tmp_path / "secret").read_text(encoding="utf-8")
    written = {"out": out, "err": err, **{n: file.read_text(encoding="utf-8") for n, file in files.items()}}
    assert len(secret) >= 32
    assert [name for name, text in written.items() if secret in text] == []
    report = json.dumps(json.loads(written["json"]), ensure_ascii=False)
    assert [text for text in shown if text not in report] == []
