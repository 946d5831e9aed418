"""No report of a run shows a secret, wherever an SDK and its adapter show it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fakes import LIMIT_S, MINI, Mark, running, waitproof
from waitproof.run.confidential import environment_secrets


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


def test_no_report_shows_a_token_of_the_environment_or_the_key_of_hello(mark: Mark, tmp_path: Path) -> None:
    plain, quoted = "s3cr3t-of-the-job", 'it"s <b>/quoted & % ü'
    folder = mark.folder(tmp_path, "leaks_environment")
    names = ("json", "html", "junit", "markdown")
    files = {name: tmp_path / f"report.{name}" for name in names}
    options = [text for name, file in files.items() for text in (f"--{name}", str(file))]

    argv = ("run", str(folder), "--suite", str(MINI), "-k", "outcomes/", "-v", *options)
    with running(*argv, SOME_TOKEN=plain, OTHER_SECRET=quoted) as process:
        out, err = process.communicate(timeout=LIMIT_S)

    written = {"out": out, "err": err, **{n: file.read_text(encoding="utf-8") for n, file in files.items()}}
    report = json.dumps(json.loads(written["json"]), ensure_ascii=False)
    for hidden in (plain, plain[:12], quoted, quoted[:12], json.dumps(quoted)[1:-1], "waitproof-key"):
        assert [name for name, text in {**written, "read": report}.items() if hidden in text] == []
    assert "warning: *** *** *** ***" in report


def test_neither_doctor_nor_prepare_prints_a_token_of_the_environment(mark: Mark, tmp_path: Path) -> None:
    token = "s3cr3t-of-the-job"
    folder = mark.folder(tmp_path, "leaks_environment")
    fails = tmp_path / "fails"
    fails.mkdir()
    command = json.dumps(["sh", "-c", "echo with $SOME_TOKEN; exit 1"])
    text = f'format: 1\nname: fails\ncommand: ["true"]\nprepare: [{command}]\n'
    (fails / "adapter.yaml").write_text(text, encoding="utf-8")

    printed = []
    for argv in (("doctor", str(folder), "--suite", str(MINI)), ("run", str(fails), "--suite", str(MINI))):
        with running(*argv, SOME_TOKEN=token) as process:
            printed.append("".join(process.communicate(timeout=LIMIT_S)))

    assert [text for text in printed if token in text] == []
    assert "with ***" in printed[1]


def test_what_is_secret_is_told_by_the_names_of_variables_and_by_the_length_of_values(tmp_path: Path) -> None:
    file = str(tmp_path)
    secret = {"GITHUB_TOKEN", "DB_PASSWORD", "client_secret", "SIGNING_KEY", "API_KEYS", "npm_config__auth"}
    plain = {"PATH", "KEYBOARD", "MONKEY", "AUTHOR", "TOKENS_FILE", "SHORT_KEY", "YEAR_KEY"}
    values = {name: f"value-of-{name}" for name in secret | plain}
    values |= {"TOKENS_FILE": file, "SHORT_KEY": "1234567", "YEAR_KEY": "20261128"}

    assert environment_secrets(values) == {values[name] for name in secret}


def test_each_line_of_a_secret_is_one_and_so_is_the_way_it_looks_in_json_and_in_an_address() -> None:
    found = environment_secrets({"PRIVATE_KEY": "-----BEGIN-----\nMIIEvQ+/IBAD\n"})

    assert {"-----BEGIN-----", "MIIEvQ+/IBAD", "MIIEvQ%2B%2FIBAD", "-----BEGIN-----\\nMIIEvQ+/IBAD"} <= found
