"""The configuration file: where it is found, what it changes, and what is said of its mistakes."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
from fakes import MINI, Mark
from waitproof.cli import main
from waitproof.cli.configuration import configure
from waitproof.errors import InputError


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project with one adapter, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conformance" / "my-sdk").mkdir(parents=True)
    (tmp_path / "conformance" / "my-sdk" / "adapter.yaml").touch()
    return tmp_path


def configured(command: str = "run", **typed: Any) -> dict[str, Any]:
    """Return the options of a command once the configuration has filled them in."""
    options = argparse.Namespace(
        **{
            "adapters": [],
            "adapter": [],
            "suite": None,
            "scenarios": [],
            "exclude": [],
            "fail_on": None,
            "json": None,
            "html": None,
            **typed,
        }
    )
    configure(command, options)
    left_out = {"configuration", "configured"}
    return {key: value for key, value in vars(options).items() if key not in left_out and value}


def mistakes(text: str) -> str:
    Path("waitproof.toml").write_text(text)
    with pytest.raises(InputError) as caught:
        configured()
    return str(caught.value)


def test_without_a_file_nothing_changes(project: Path) -> None:
    (project / "pyproject.toml").write_text("[tool.ruff]\n")

    assert configured() == {}


@pytest.mark.parametrize(
    ("file", "table"), [("waitproof.toml", ""), ("pyproject.toml", "[tool.waitproof]\n")]
)
def test_what_is_not_typed_comes_from_the_file(project: Path, file: str, table: str) -> None:
    (project / "more").mkdir()
    text = (
        'adapters = ["conformance/my-sdk"]\nsuite = "stream"\nscenarios = ["more"]\nexclude = ["slow"]\n'
        'fail-on = "should"\nreports = {json = "out/report.json"}\n'
    )
    (project / file).write_text(table + text)

    assert configured() == {
        "adapters": ["conformance/my-sdk"],
        "suite": "stream",
        "scenarios": [Path("more")],
        "exclude": ["slow"],
        "fail_on": "should",
        "json": Path("out/report.json"),
    }
    assert configured("serve", adapters=None) == {"suite": "stream", "scenarios": [Path("more")]}
    assert configured("report") == {}


def test_the_command_line_wins(project: Path) -> None:
    (project / "waitproof.toml").write_text(
        'adapters = ["conformance/my-sdk"]\nsuite = "stream"\nexclude = ["slow"]\nfail-on = "should"\n'
    )

    typed: dict[str, Any] = {"adapters": ["x"], "suite": "algolia", "exclude": ["faults"], "fail_on": "must"}

    assert configured(**typed) == typed
    assert configured(adapter=["ruby x.rb"], suite="x")["adapter"] == ["ruby x.rb"]
    assert "adapters" not in configured(adapter=["ruby x.rb"], suite="x")


def test_the_nearest_file_counts_and_its_paths_are_relative_to_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "waitproof.toml").write_text('adapters = ["conformance/*"]\nreports = {html = "r.html"}\n')
    (project / "src" / "deep").mkdir(parents=True)
    (project / "src" / "pyproject.toml").write_text("[tool.other]\nname = 'waitproof'\n")

    monkeypatch.chdir(project / "src" / "deep")
    above = configured()
    (project / "src" / "waitproof.toml").write_text('exclude = ["x"]\n')
    nearer = configured()

    assert above == {"adapters": ["../../conformance/my-sdk"], "html": Path("../../r.html")}
    assert nearer == {"exclude": ["x"]}


def test_pyproject_toml_comes_before_waitproof_toml(project: Path) -> None:
    (project / "waitproof.toml").write_text('exclude = ["own"]\n')
    (project / "pyproject.toml").write_text('[tool.waitproof]\nexclude = ["project"]\n')

    assert configured() == {"exclude": ["project"]}


def test_all_mistakes_are_reported_with_place_found_expected_and_near_miss(project: Path) -> None:
    assert mistakes(
        'adaptors = ["x"]\nsuite = 3\nexclude = "slow"\nfail-on = "shoud"\n\n[reports]\njsn = "x"\nhtml = 1\n'
    ) == (
        "waitproof.toml:1:1: the configuration has no key 'adaptors'\n"
        '  found:    adaptors = ["x"]\n'
        "  expected: adapters, suite, scenarios, exclude, fail-on, baseline, reports\n"
        "  fix:      did you mean 'adapters'?\n\n"
        "waitproof.toml:2:1: 'suite' is 3\n  found:    suite = 3\n  expected: a text\n\n"
        "waitproof.toml:3:1: 'exclude' is \"slow\"\n"
        '  found:    exclude = "slow"\n  expected: a list of texts\n  fix:      exclude = ["slow"]\n\n'
        "waitproof.toml:4:1: 'fail-on' is \"shoud\"\n"
        '  found:    fail-on = "shoud"\n  expected: "must" or "should"\n'
        "  fix:      did you mean 'should'?\n\n"
        "waitproof.toml:7:1: the configuration has no key 'jsn'\n"
        '  found:    jsn = "x"\n  expected: json, html, markdown, junit, badge\n'
        "  fix:      did you mean 'json'?\n\n"
        "waitproof.toml:8:1: 'html' is 1\n  found:    html = 1\n  expected: a text"
    )


def test_what_is_named_must_be_there(project: Path) -> None:
    (project / "more").mkdir()

    assert mistakes('adapters = ["conformance/my-sdc"]\nsuite = "strem"\nscenarios = ["moer"]\n') == (
        "waitproof.toml:1:1: 'conformance/my-sdc' is not a folder with an adapter.yaml\n"
        '  found:    adapters = ["conformance/my-sdc"]\n'
        "  expected: folders, relative to this file\n  fix:      did you mean 'conformance/my-sdk'?\n\n"
        "waitproof.toml:2:1: no suite is called 'strem'\n"
        '  found:    suite = "strem"\n'
        "  expected: a suite's folder, relative to this file, or a bundled suite's name\n"
        "  fix:      did you mean 'stream'?\n\n"
        "waitproof.toml:3:1: there is no 'moer'\n"
        '  found:    scenarios = ["moer"]\n'
        "  expected: a path relative to this file\n  fix:      did you mean 'more'?"
    )


def test_a_baseline_is_for_one_adapter(project: Path) -> None:
    assert mistakes('baseline = "known.yaml"\n') == (
        "waitproof.toml:1:1: 'baseline' needs 'adapters' with exactly one\n"
        '  found:    baseline = "known.yaml"\n'
        "  fix:      put each adapter's known deviations into deviations.yaml in its folder"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"a = [\n", "waitproof.toml: this is not TOML: "),
        (b"a = 1\nb == 2\n", "waitproof.toml:2:4: this is not TOML: invalid value"),
        (b"\xff", "waitproof.toml: byte 0xff is not UTF-8"),
        (b"reports = 1\n", "waitproof.toml:1:1: 'reports' is 1\n"),
        (b"suite = 1979-05-27\n", "waitproof.toml:1:1: 'suite' is \"1979-05-27\"\n"),
        (b"adapters = [[[]]]\n", "waitproof.toml:1:1: 'adapters' is [[[]]]\n"),
        (b"a = " + b"[" * 5000 + b"]" * 5000, "waitproof.toml: this is not TOML: "),
    ],
)
def test_a_file_that_is_no_configuration_is_an_input_error(project: Path, text: bytes, message: str) -> None:
    (project / "waitproof.toml").write_bytes(text)

    with pytest.raises(InputError) as caught:
        configured()

    assert str(caught.value).startswith(message)


def test_a_table_that_is_none_is_an_input_error(project: Path) -> None:
    (project / "pyproject.toml").write_text("[tool]\nwaitproof = 3\n")

    with pytest.raises(InputError) as caught:
        configured()

    assert str(caught.value) == "pyproject.toml: 'waitproof' is 3\n  expected: a table"


def test_a_run_needs_nothing_but_the_file(
    mark: Mark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mark.folder(tmp_path, "HalfTheTime")
    (tmp_path / "known.yaml").write_text(
        "format: 1\ndeviations:\n- {deviation: timing/gives-up-when-told:own-timeout, reason: issue 7}\n"
    )
    (tmp_path / "waitproof.toml").write_text(
        f'adapters = ["HalfTheTime"]\nsuite = "{MINI}"\nbaseline = "known.yaml"\n'
        'exclude = ["not own-timeout"]\n[reports]\njson = "out/report.json"\n'
    )
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")

    code = main(["run"])

    out = capsys.readouterr().out
    assert code == 0
    assert "excused in timing/gives-up-when-told: issue 7" in out
    written = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (written["whole"], len(written["adapters"][0]["verdicts"])) == (False, 1)


def test_a_mistake_ends_only_commands_that_read_the_file(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "waitproof.toml").write_text('suit = "stream"\n')

    codes = {command: main([command]) for command in ("run", "list", "doctor", "schema")}

    assert codes == {"run": 2, "list": 2, "doctor": 2, "schema": 0}
    assert "did you mean 'suite'?" in capsys.readouterr().err


def test_a_scenario_of_no_suite_is_checked_for_the_configurations(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "waitproof.toml").write_text(f'suite = "{MINI}"\n')
    (project / "own.yaml").write_bytes((MINI / "outcomes" / "completes.yaml").read_bytes())

    assert main(["lint", "own.yaml"]) == 0
    assert capsys.readouterr().out == "own.yaml: fine\n"


def test_an_adapter_is_needed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert [main(["run"]), main(["doctor"]), main(["baseline", "update"])] == [2, 2, 2]
    assert capsys.readouterr().err.splitlines()[0] == "waitproof run: no adapter is named"
