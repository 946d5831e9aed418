"""Suites of one's own and loose scenarios in commands and pytest; adapters that name their suite."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from fakes import ENV, MINI, Mark, running, waitproof

OURS = """\
format: 1
name: ours
extends: ../mini
without: [gives-up, usual-interval, usual-timeout]
requirements:
  - {id: own-promise, level: MUST, quote: We say so., check: returns_result}
"""
OWN = """\
summary: We say so.
proves: [own-promise]
task: [{status: done, result: {sheets: 1}}]
calls: [{wait: {}, expect: {returns: {sheets: 1}}}]
"""
MORE = OWN.replace("own-promise", "returns-output")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with a copy of the mini suite, a suite that extends it, and a loose scenario."""
    shutil.copytree(MINI, tmp_path / "mini")
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "contract.yaml").write_text(OURS)
    (tmp_path / "ours" / "own.yaml").write_text(OWN)
    (tmp_path / "loose").mkdir()
    (tmp_path / "loose" / "more.yaml").write_text(MORE)
    return tmp_path


def adapter(mark: Mark, home: Path, name: str, suite: str | None) -> Path:
    """Write the folder of a correct adapter that names a suite, and return it."""
    folder = home / name
    folder.mkdir()
    spec = {"format": 1, "name": name, "command": mark.argv("MiniAdapter"), "env": ENV}
    spec |= {} if suite is None else {"suite": suite}
    (folder / "adapter.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
    return folder


def played(file: Path) -> set[str]:
    report = json.loads(file.read_text())
    return {each["scenario"] for adapter in report["adapters"] for each in adapter["verdicts"]}


# --- commands -----------------------------------------------------------------------------------------


def test_a_run_plays_what_is_inherited_with_what_is_added(mark: Mark, home: Path) -> None:
    adapter(mark, home, "sdk", "../ours")

    code, out, err = waitproof("run", "sdk", "--scenarios", "loose", "--json", "r.json", cwd=home)

    assert (code, err) == (0, "")
    assert "ours: 7 scenarios in " in out
    assert {"own", "more", "outcomes/completes"} <= played(home / "r.json")
    report = json.loads((home / "r.json").read_text())
    assert (report["suite_argument"], report["scenarios_arguments"]) == ("", ["loose"])
    files = {each["id"]: each["file"] for each in report["scenarios"]}
    assert files["outcomes/completes"] == "mini/outcomes/completes.yaml"


def test_each_adapter_of_a_run_is_judged_by_its_own_suite(mark: Mark, home: Path) -> None:
    one, two = adapter(mark, home, "one", "../ours"), adapter(mark, home, "two", "../mini")

    code, out, err = waitproof("run", one.name, two.name, "--json", "r.json", "-k", "completes", cwd=home)

    assert (code, err) == (0, "")
    assert [line for line in out.splitlines() if line.startswith(("ours", "mini", "2 suites"))] == [
        "ours: one",
        next(line for line in out.splitlines() if line.startswith("ours: 1 of ")),
        "mini: two",
        next(line for line in out.splitlines() if line.startswith("mini: 1 of 6 scenarios in ")),
        next(line for line in out.splitlines() if line.startswith("2 suites with 2 adapters in ")),
    ]
    assert not (home / "r.json").exists()
    assert json.loads((home / "r-ours.json").read_text())["suite"] == "ours"
    assert json.loads((home / "r-mini.json").read_text())["adapters"][0]["name"] == "two"

    arguments = ("baseline", "update", "one", "two", "--report", "r-ours.json", "--report", "r-mini.json")
    code, out, err = waitproof(*arguments, cwd=home)
    assert (code, err) == (0, "")
    assert out.count("nothing to change") == 2


def test_a_pattern_may_match_in_one_suite_alone(mark: Mark, home: Path) -> None:
    adapter(mark, home, "one", "../ours"), adapter(mark, home, "two", "../mini")

    code, out, _ = waitproof("run", "one", "two", "-k", "own-promise", "--json", "r.json", cwd=home)

    assert (code, "mini:" in out) == (0, False)
    assert played(home / "r.json") == {"own"}
    code, _, err = waitproof("run", "one", "two", "-k", "nothing-like-it", cwd=home)
    assert (code, err.splitlines()[0]) == (2, "-k: no scenario and no requirement matches 'nothing-like-it'")


def test_a_suite_that_is_named_is_every_adapters(mark: Mark, home: Path) -> None:
    adapter(mark, home, "one", "../ours"), adapter(mark, home, "two", None)

    code, out, err = waitproof("run", "one", "two", "--suite", "mini", "-k", "completes", cwd=home)

    assert (code, err) == (0, "")
    assert "mini: 1 of 6 scenarios with 2 adapters in " in out


def test_loose_scenarios_need_one_suite(mark: Mark, home: Path) -> None:
    adapter(mark, home, "one", "../ours"), adapter(mark, home, "two", "../mini")

    assert waitproof("run", "one", "two", "--scenarios", "loose", cwd=home) == (
        2,
        "",
        "--scenarios: these adapters are judged by several suites, "
        "and it is not clear which one this is for\n"
        "  fix:      run the adapters of one suite, or name it: --suite\n",
    )


def test_two_suites_of_a_run_need_two_names(mark: Mark, home: Path) -> None:
    shutil.copytree(home / "mini", home / "copy")
    adapter(mark, home, "one", "../copy"), adapter(mark, home, "two", "../mini")

    code, _, err = waitproof("run", "one", "two", cwd=home)

    assert (code, err.splitlines()[1]) == (2, "  fix:      give one of them another 'name'")


@pytest.mark.parametrize("command", ["run", "doctor"])
def test_a_suite_that_an_adapter_names_must_exist(mark: Mark, home: Path, command: str) -> None:
    adapter(mark, home, "sdk", "strem")

    code, _, err = waitproof(command, "sdk", cwd=home)

    assert code == 2
    line = (home / "sdk/adapter.yaml").read_text().splitlines().index("suite: strem") + 1
    assert err == (
        f"sdk/adapter.yaml:{line}:1: no suite is called 'strem'\n"
        "  found:    suite: strem\n"
        "  expected: a suite's folder, relative to this file, or a bundled suite's name\n"
        "  fix:      did you mean 'stream'?\n"
    )


def test_doctor_uses_the_suite_that_the_adapter_names(mark: Mark, home: Path) -> None:
    adapter(mark, home, "sdk", "../ours")

    _, out, err = waitproof("doctor", "sdk", cwd=home)

    assert ("print_parcel_label" in out, err) == (True, "")


def test_lint_list_and_explain_take_both(home: Path) -> None:
    both = ("--suite", "ours", "--scenarios", "loose")

    lint, listed, explained = (
        waitproof(*each, *both, cwd=home) for each in (["lint"], ["list"], ["explain", "own"])
    )

    assert lint == (0, "ours: 7 scenarios, 9 requirements, 1 inherited scenario left out\n", "")
    assert listed[1].splitlines()[-2:] == [
        "left out: timing/gives-up, because this suite promises nothing that it proves",
        "7 scenarios prove 9 requirements",
    ]
    assert explained[1].startswith("own (ours/own.yaml)\n")


def test_a_loose_file_is_linted_for_the_suite_that_is_named(home: Path) -> None:
    assert waitproof("lint", "loose/more.yaml", "--suite", "mini", cwd=home)[0] == 0
    assert waitproof("lint", "loose/more.yaml", "--suite", "stream", cwd=home)[0] == 2


@pytest.mark.parametrize(
    "arguments", [["--suite", "ours", "--scenarios", "loose"], ["--scenarios", "ours"]], ids=["new", "old"]
)
def test_serve_takes_both_and_scenarios_alone_may_still_be_a_suite(home: Path, arguments: list[str]) -> None:
    with running("serve", "--port", "0", *arguments, cwd=home) as process:
        assert process.stdout is not None
        line = next(line for line in process.stdout if "scenarios of " in line)

    assert line.startswith("8 scenarios of " if "loose" in arguments else "7 scenarios of ")


# --- pytest -------------------------------------------------------------------------------------------


@pytest.fixture
def project(pytester: pytest.Pytester, home: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    for each in ("mini", "ours", "loose"):
        shutil.copytree(home / each, pytester.path / "suites" / each)
    pytester.makepyfile(test_mine="def test_mine(): pass")
    pytester.makeini("[pytest]")
    return pytester


def collected(project: pytest.Pytester, *argv: str | Path) -> list[str]:
    done = project.runpytest_inprocess("-p", "waitproof.pytest_plugin", "--collect-only", "-q", *argv)
    return [line for line in done.outlines if "::" in line]


def test_a_suite_that_is_named_is_collected_alone(mark: Mark, project: pytest.Pytester) -> None:
    sdk = adapter(mark, project.path, "sdk", None)

    items = collected(project, "--waitproof-suite", "stream", "--adapter", sdk)

    assert len(items) > 300
    assert all(".yaml::" in item for item in items)


def test_with_a_path_a_suite_is_collected_besides(mark: Mark, project: pytest.Pytester) -> None:
    sdk = adapter(mark, project.path, "sdk", None)

    items = collected(project, "test_mine.py", "--waitproof-suite", "suites/mini", "--adapter", sdk)

    assert items[0] == "test_mine.py::test_mine"
    assert "suites/mini/outcomes/completes.yaml::returns-output[sdk]" in items


def test_a_suite_is_collected_with_what_it_inherits(mark: Mark, project: pytest.Pytester) -> None:
    sdk = adapter(mark, project.path, "sdk", None)

    items = collected(project, "suites/ours", "--adapter", sdk)

    assert "suites/ours/own.yaml::own-promise[sdk]" in items
    assert "suites/ours/contract.yaml::outcomes/completes:returns-output[sdk]" in items
    assert not any("usual-timeout" in item for item in items)


def test_an_adapter_is_judged_by_the_suite_that_it_names(mark: Mark, project: pytest.Pytester) -> None:
    sdk = adapter(mark, project.path, "sdk", "../suites/ours")

    in_ours = collected(project, "suites/ours", "--adapter", sdk)
    in_mini = collected(project, "suites/mini", "--adapter", sdk)
    alone = collected(project, "--adapter", sdk)

    assert in_ours
    assert in_mini == []
    assert {*in_ours, "test_mine.py::test_mine"} == {*alone}


def test_loose_scenarios_are_items_of_the_suite(mark: Mark, project: pytest.Pytester) -> None:
    sdk = adapter(mark, project.path, "sdk", None)
    argv: list[str | Path] = [
        "--waitproof-suite",
        "suites/mini",
        "--waitproof-scenarios",
        "suites/loose",
        "--adapter",
        sdk,
    ]

    done = project.runpytest_inprocess("-p", "waitproof.pytest_plugin", *argv, "-k", "more or completes")

    assert done.ret == 0
    assert "suites/loose/more.yaml::returns-output[sdk]" in collected(project, *argv)


def test_inherited_scenarios_are_run_and_reported(mark: Mark, project: pytest.Pytester) -> None:
    folder = project.path / "sdk"
    folder.mkdir()
    spec = {"format": 1, "name": "sdk", "command": mark.argv("NoKey"), "env": ENV}
    (folder / "adapter.yaml").write_text(yaml.safe_dump(spec))

    argv: list[str | Path] = ["suites/ours", "--adapter", folder, "-k", "sends-its-key", "-v"]
    done = project.runpytest_inprocess("-p", "waitproof.pytest_plugin", *argv)

    done.stdout.re_match_lines(
        [r"suites/ours/contract.yaml::outcomes/completes:sends-its-key\[sdk\] PASSED.*"]
    )
    done.stdout.fnmatch_lines(["*WARN outcomes/completes (sdk): poll 1 came without X-Mini-Key"])


def test_an_inherited_scenario_that_does_not_fit_is_an_error_of_collection(
    mark: Mark, project: pytest.Pytester
) -> None:
    sdk = adapter(mark, project.path, "sdk", None)
    contract = project.path / "suites" / "ours" / "contract.yaml"
    contract.write_text(
        OURS + "answer: {body: {job: '${task_id}', phase: '${status}', output: '${result}'}}\n"
    )
    omits = MORE.replace("status: done", "status: done, omit: [trouble]")
    (project.path / "suites" / "mini" / "omits.yaml").write_text(omits)

    argv: list[str | Path] = ["--collect-only", "-q", "suites/ours", "--adapter", sdk]
    argv += ["-p", "waitproof.pytest_plugin", "--continue-on-collection-errors"]
    done = project.runpytest_inprocess(*argv)

    assert "suites/ours/own.yaml::own-promise[sdk]" in done.outlines
    done.stdout.fnmatch_lines(["*the inherited scenario * does not fit this contract*"])
    assert "INTERNALERROR" not in "\n".join([*done.outlines, *done.errlines])


@pytest.mark.parametrize("option", ["--waitproof-suite", "--waitproof-scenarios"])
def test_a_suite_without_an_adapter_is_wrong_use(project: pytest.Pytester, option: str) -> None:
    done = project.runpytest_inprocess("-p", "waitproof.pytest_plugin", option, "suites/mini")

    assert done.ret == pytest.ExitCode.USAGE_ERROR
    assert done.errlines[0] == (
        f"ERROR: {option}: no adapter is named: add --waitproof-adapter with its folder or its command"
    )
