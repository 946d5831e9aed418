from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fakes import LIMIT_S, MINI, ROOT, Mark, clean_env
from github_runner import commands_in
from waitproof import pytest_plugin as plugin
from waitproof.pytest_plugin.items import printable

BROKEN = "mini/outcomes/broken.yaml::broken-is-returned[{}]"


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with a copy of the mini suite in its folder `mini`."""
    for name in set(os.environ) - set(clean_env()):
        monkeypatch.delenv(name)
    shutil.copytree(MINI, pytester.path / "mini")
    return pytester


def run(project: pytest.Pytester, *argv: str | Path) -> pytest.RunResult:
    """Run pytest in this process, with our plugin alone: processes and other plugins take long to load."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        return project.runpytest_inprocess("-p", "waitproof.pytest_plugin", *argv)


def run_apart(project: pytest.Pytester, *argv: str | Path) -> pytest.RunResult:
    """Run pytest as `run` does, but in a process, where no module of ours has been imported before."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        return project.runpytest_subprocess("-p", "waitproof.pytest_plugin", *argv, timeout=LIMIT_S)


def run_as_installed(project: pytest.Pytester, *argv: str | Path) -> pytest.RunResult:
    """Run pytest as it is: with every plugin of this environment, ours by its entry point."""
    return project.runpytest_subprocess(*argv, timeout=LIMIT_S)


def lines(result: pytest.RunResult) -> str:
    return "\n".join(result.outlines)


# --- collection ---------------------------------------------------------------------------------------


def test_each_requirement_of_each_scenario_is_an_item_for_each_adapter(
    project: pytest.Pytester, mark: Mark
) -> None:
    one, two = mark.folder(project.path, "MiniAdapter"), mark.folder(project.path, "NoKey")

    result = run(project, "mini", "--adapter", one, "--adapter", two, "--collect-only", "-q", "-k", "broken")

    assert result.ret == 0
    assert result.outlines[:2] == [BROKEN.format("MiniAdapter"), BROKEN.format("NoKey")]
    assert "2/28 tests collected" in lines(result)


def test_without_an_adapter_nothing_is_collected(project: pytest.Pytester) -> None:
    result = run_as_installed(project, "mini")

    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_the_adapter_option_has_a_short_name_too(project: pytest.Pytester, mark: Mark) -> None:
    folder = mark.folder(project.path, "MiniAdapter")
    argv = ("mini", "--collect-only", "-q", "-k", "broken")

    results = [
        run(project, *words, *argv)
        for words in (("--waitproof-adapter", folder), ("--adapter", folder), (f"--adapter={folder}",))
    ]

    assert [each.outlines[0] for each in results] == [BROKEN.format("MiniAdapter")] * 3


def test_a_project_may_have_an_adapter_option_itself(project: pytest.Pytester, mark: Mark) -> None:
    folder = mark.folder(project.path, "MiniAdapter")
    project.makeconftest("def pytest_addoption(parser): parser.addoption('--adapter')")
    project.makepyfile("def test_mine(request): assert request.config.getoption('--adapter') == 'usb'")

    result = run(project, "--adapter", "usb", "--waitproof-adapter", folder, "-k", "mine or broken")

    result.assert_outcomes(passed=2, deselected=13)


def test_the_short_name_takes_no_conftest_of_the_tests_away(project: pytest.Pytester, mark: Mark) -> None:
    folder = mark.folder(project.mkdir("elsewhere"), "MiniAdapter")
    (project.mkdir("tests") / "conftest.py").write_text(
        "def pytest_addoption(parser): parser.addoption('--mine', action='store_true')"
    )

    result = run(project, "--adapter", folder, "--mine", "--collect-only", "-q", "-k", "broken")

    assert result.outlines[0] == BROKEN.format("MiniAdapter")


def test_adapters_of_the_ini_file_are_used_where_none_is_named(project: pytest.Pytester, mark: Mark) -> None:
    mark.folder(project.path, "MiniAdapter")
    project.makeini("[pytest]\nwaitproof_adapters = MiniAdapter\n")

    result = run(project, "mini", "--collect-only", "-q", "-k", "broken")

    assert result.outlines[0] == BROKEN.format("MiniAdapter")


def test_a_project_without_a_contract_keeps_its_yaml_files_to_itself(
    pytester: pytest.Pytester, mark: Mark
) -> None:
    folder = mark.folder(pytester.path, "MiniAdapter")
    (pytester.path / "settings.yaml").write_text("a: [1\n")
    pytester.makepyfile("def test_one(): pass")

    result = run_apart(pytester, "-W", "error", "--adapter", folder)

    result.assert_outcomes(passed=1)


def test_a_broken_file_is_an_error_of_collection(project: pytest.Pytester, mark: Mark) -> None:
    folder = mark.folder(project.path, "MiniAdapter")
    (project.path / "mini" / "outcomes" / "broken.yaml").write_text(
        "summary: x\nproves: [returns-outputs]\ntask: [{status: done}]\ncalls: [{wait: {}}]\n"
    )

    result = run(project, "mini", "--adapter", folder)

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR collecting mini/outcomes/broken.yaml*",
            "mini/outcomes/broken.yaml:2:*: no requirement is called 'returns-outputs'",
            "*fix:      did you mean 'returns-output'?",
        ]
    )
    assert "Traceback" not in lines(result)
    assert mark.processes() == []


def test_an_adapter_that_is_not_there_is_told_once_and_before_collection(project: pytest.Pytester) -> None:
    result = run(project, "mini/outcomes/broken.yaml", "--adapter", "no/such/folder")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: no/such/folder: there is no such folder or program"])


def test_xdist_is_refused_once_and_with_the_fix(project: pytest.Pytester, mark: Mark) -> None:
    pytest.importorskip("xdist")
    folder = mark.folder(project.path, "MiniAdapter")

    result = run_apart(project, "-p", "xdist.plugin", "mini", "--adapter", folder, "-n", "2")

    assert result.ret != 0
    assert lines(result).count("which pytest-xdist would split") == 1
    assert "run the suite without -n (all its waits are in flight at once anyway)" in lines(result)
    result.assert_outcomes(errors=1)


def test_xdist_may_split_what_is_no_suite(pytester: pytest.Pytester, mark: Mark) -> None:
    pytest.importorskip("xdist")
    mark.folder(pytester.path, "MiniAdapter")
    pytester.makeini("[pytest]\nwaitproof_adapters = MiniAdapter\n")
    pytester.makepyfile("def test_one(): pass")

    run_apart(pytester, "-p", "xdist.plugin", "-n", "1").assert_outcomes(passed=1)


# --- verdicts -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Session:
    """One session of pytest with an adapter for each verdict.

    Attributes:
        cases: Those of its JUnit file, by name; of two with a name, the last.
    """

    code: int
    out: str
    cases: dict[str, ET.Element]

    def message(self, name: str, kind: str) -> str:
        """Return the message of a case's failure, error or skip."""
        (found,) = self.cases[name].iter(kind)
        return found.get("message", "")


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    mark = Mark()
    root = tmp_path_factory.mktemp("session")
    shutil.copytree(MINI, root / "mini")
    known = [{"deviation": "own-timeout", "reason": "issue 7"}]
    adapters = [
        mark.folder(root, "MiniAdapter"),
        mark.folder(root, "HalfTheTime", deviations=known),
        *(mark.folder(root, mode) for mode in ("NoKey", "NoHelper", "Escapes", "dies_at_start")),
    ]
    words = [word for folder in adapters for word in ("--adapter", str(folder))]
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-ra", "--junitxml=junit.xml", "mini", *words],
        cwd=root,
        env=clean_env(),
        stdout=subprocess.PIPE,
        encoding="utf-8",
        timeout=LIMIT_S,
        check=False,
    )
    mark.assert_gone()
    cases = {case.get("name", ""): case for case in ET.parse(root / "junit.xml").iter("testcase")}
    return Session(ended.returncode, ended.stdout, cases)


def test_a_good_adapter_passes_but_for_what_does_not_apply(session: Session) -> None:
    of_it = {name: case for name, case in session.cases.items() if name.endswith("[MiniAdapter]")}

    assert len(of_it) == 11
    assert [name for name, case in of_it.items() if len(case) > 1] == ["async-takes-turns[MiniAdapter]"]
    told = session.message("async-takes-turns[MiniAdapter]", "skipped")
    assert told == "NOT_APPLICABLE: only for an SDK's asynchronous variant"


def test_the_junit_report_names_adapter_requirement_and_status(session: Session) -> None:
    case = session.cases["usual-timeout[MiniAdapter]"]

    properties = {each.get("name"): each.get("value") for each in case.iter("property")}
    assert properties == {"adapter": "MiniAdapter", "requirement": "usual-timeout", "status": "PASS"}


def test_a_deviation_on_file_is_an_expected_failure(session: Session) -> None:
    assert session.message("own-timeout[HalfTheTime]", "skipped") == "issue 7"
    item = "mini/timing/gives-up-when-told.yaml::own-timeout[HalfTheTime]"
    assert re.search(rf"^XFAIL {re.escape(item)}.* - issue 7$", session.out, re.MULTILINE)


def test_an_entry_that_is_kept_fails_the_last_item_that_it_covers(
    project: pytest.Pytester, mark: Mark
) -> None:
    known = [
        {"deviation": "returns-output", "reason": "issue 1"},
        {"deviation": "outcomes/broken:broken-is-returned", "reason": "issue 2"},
        {"deviation": "one-look-one-request", "reason": "issue 3", "sometimes": True},
    ]
    folder = mark.folder(project.path, "MiniAdapter", deviations=known)

    result = run(project, "mini", "--adapter", "MiniAdapter")
    selected = run(project, "mini/outcomes/completes.yaml", "--adapter", folder)

    result.assert_outcomes(passed=11, failed=2, skipped=1)
    assert [line.rpartition(" - ")[0] for line in result.outlines if line.startswith("FAILED")] == [
        "FAILED mini/outcomes/broken.yaml::broken-is-returned[MiniAdapter]",
        "FAILED mini/together/two-take-turns.yaml::returns-output[MiniAdapter]",
    ]
    told = lines(result)
    assert (
        "deviations.yaml:2:3: the deviation 'returns-output' no longer occurs: "
        "the requirement passes in all 3" in told
    )
    assert "  fix:      remove it, by hand or with: waitproof baseline update MiniAdapter\n" in told
    assert "Traceback" not in told
    selected.assert_outcomes(passed=3)


def test_an_entry_that_matches_nothing_or_has_expired_is_an_item_that_fails(
    project: pytest.Pytester, mark: Mark
) -> None:
    known = [
        {"deviation": "own-timeout", "reason": "issue 7", "expires": "2020-01-01"},
        {"deviation": "gives-in", "reason": "issue 8"},
    ]
    folder = mark.folder(project.path, "HalfTheTime", deviations=known)
    argv = ("mini", "--adapter", folder)

    without_one = run(project, *argv, "--deselect", "mini/timing/gives-up.yaml", "--collect-only", "-q")
    selected = run(project, *argv, "-k", "own-timeout")
    (project.path / "mini" / "timing" / "gives-up.yaml").unlink()
    smaller = run(project, *argv)

    assert "11/14 tests collected (3 deselected)" in lines(without_one)
    assert "gives-in" not in lines(without_one)
    selected.assert_outcomes(failed=2, deselected=13)  # what it no longer excuses, and the entry
    assert "deviations.yaml:3:3: the deviation 'own-timeout' expired on 2020-01-01" in lines(selected)
    smaller.assert_outcomes(failed=3, passed=9, skipped=1)
    assert "the deviation matches nothing: no requirement is called 'gives-in'" in lines(smaller)
    assert f"FAILED {folder}/deviations.yaml::gives-in[HalfTheTime]" in lines(smaller)


def test_a_baseline_that_cannot_be_read_is_wrong_use(project: pytest.Pytester, mark: Mark) -> None:
    folder = mark.folder(project.path, "MiniAdapter")
    (folder / "deviations.yaml").write_text("format: 2\ndeviations: []\n")

    result = run(project, "mini", "--adapter", folder)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "deviations.yaml:1:1: 'format' cannot be 2" in result.stderr.str()


def test_a_broken_should_passes_with_a_warning(session: Session) -> None:
    told = "WaitproofWarning: WARN outcomes/completes (NoKey): poll 1 came without X-Mini-Key"

    assert [child.tag for child in session.cases["sends-its-key[NoKey]"]] == ["properties"]
    assert told in session.out


def test_what_an_sdk_cannot_do_is_skipped_with_the_reason(session: Session) -> None:
    told = session.message("broken-is-returned[NoHelper]", "skipped")

    assert told == "UNSUPPORTED: the SDK ships no wait helper"


def test_an_adapter_that_dies_is_an_error_in_setup(session: Session) -> None:
    told = session.message("broken-is-returned[dies_at_start]", "error")

    assert told.splitlines()[0].endswith(
        "ERROR broken-is-returned: dies_at_start: exited with code 3 before it answered hello"
    )
    assert "ERROR at setup of outcomes/broken:broken-is-returned[dies_at_start]" in session.out
    assert "  found:    no module named 'getstream'" in session.out
    assert "UnjudgedError" not in session.out


def test_escapes_of_an_adapter_do_not_reach_the_terminal(session: Session) -> None:
    assert "\x1b" not in session.out
    assert r"\u001b[2J\ud800 [bold]" in session.out


def test_nothing_of_an_adapter_is_a_workflow_command() -> None:
    text = "a ::b::\n  ::error::c\n::add-mask::d ##[error]e\n##[group]f"

    assert commands_in(text) != []
    assert commands_in(printable(text)) == []
    assert printable(text) == "a ::b::\n  \\::error::c\n\\::add-mask::d #\\#[error]e\n#\\#[group]f"


def test_what_fails_or_errs_fails_the_session(session: Session) -> None:
    assert session.code == pytest.ExitCode.TESTS_FAILED


def test_a_broken_should_fails_where_warnings_are_errors(project: pytest.Pytester, mark: Mark) -> None:
    folder = mark.folder(project.path, "NoKey")

    result = run_apart(project, "mini", "--adapter", folder, "-k", "sends-its-key", "-W", "error")

    result.assert_outcomes(failed=1, deselected=13)
    assert "WARN outcomes/completes (NoKey): poll 1 came without X-Mini-Key" in result.outlines


def test_a_failure_shows_the_promise_what_was_seen_and_the_way_to_see_it_again_and_lf_plays_it_alone(
    project: pytest.Pytester, mark: Mark
) -> None:
    folder = mark.folder(project.path, "HalfTheTime")

    result = run(project, "mini/timing/gives-up-when-told.yaml", "--adapter", folder)
    again = run(project, "mini/timing/gives-up-when-told.yaml", "--adapter", folder, "--lf")

    again.assert_outcomes(failed=1, deselected=1)
    result.assert_outcomes(passed=1, failed=1)
    item = "mini/timing/gives-up-when-told.yaml::own-timeout[HalfTheTime]"
    result.stdout.fnmatch_lines(
        [
            "*timing/gives-up-when-told:own-timeout?HalfTheTime?*",
            "FAIL timing/gives-up-when-told (HalfTheTime): the call raised GaveUp after 0.2? s",
            "  requirement: own-timeout (MUST, quoted): The helper asks every 100 ms and waits 600 ms*",
            "  expected:    a timeout after 0.50 s: 0.43 s or more",
            "  seen:        the call raised GaveUp after 0.2? s",
            "  polls:       0.00 queued   0.0? queued *",
            re.sub(r"[][]", "?", f"  again:       pytest '{item}' --waitproof-adapter {folder}"),
            re.sub(r"[][]", "?", f"FAILED {item} *"),
        ]
    )
    assert "Traceback" not in lines(result)
    assert "pytest_plugin.py" not in lines(result)


@pytest.mark.parametrize("start", ["sub/folder", ".."])
@pytest.mark.parametrize("is_named", [True, False])
def test_the_command_to_see_it_again_works_from_where_pytest_was_started(
    start: str, *, is_named: bool, project: pytest.Pytester, mark: Mark
) -> None:
    mark.folder(project.path, "WrongPath")
    project.makeini("[pytest]\n" + ("" if is_named else "waitproof_adapters = WrongPath\n"))
    (project.path / "sub" / "folder").mkdir(parents=True)
    here = project.path / start
    above = Path(os.path.relpath(project.path, here))
    words: list[str | Path] = ["--adapter", above / "WrongPath"] if is_named else []
    project.makeconftest("import os\ndef pytest_runtest_setup(): os.chdir('/')")
    os.chdir(here)  # which `pytester` undoes

    result = run(project, above / "mini/outcomes/completes.yaml", "-k", "returns-output", *words)
    (again,) = [line.split()[1:] for line in result.outlines if line.startswith("  again:")]
    os.chdir(here)
    repeated = run(project, *shlex.split(" ".join(again))[1:])

    result.assert_outcomes(failed=1, deselected=2)
    repeated.assert_outcomes(failed=1)


def test_the_first_failure_ends_a_run_with_x(project: pytest.Pytester, mark: Mark) -> None:
    folder = mark.folder(project.path, "HalfTheTime")

    result = run(project, "mini/timing", "--adapter", folder, "-x")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(failed=1)


def test_line_and_title_of_an_item_are_those_of_the_requirement(project: pytest.Pytester, mark: Mark) -> None:
    folder = mark.folder(project.path, "HalfTheTime")
    file = project.path / "mini" / "timing" / "gives-up-when-told.yaml"
    text = file.read_text().replace(
        "proves: [own-timeout, gives-up]", "proves:\n  - gives-up\n  - own-timeout"
    )
    file.write_text(text)
    project.makeconftest("def pytest_itemcollected(item): print('at', item.reportinfo()[1:], flush=True)")

    result = run(project, file, "--adapter", folder, "--collect-only", "-s")

    wanted = text.splitlines().index("  - own-timeout")
    assert f"at ({wanted}, 'timing/gives-up-when-told:own-timeout[HalfTheTime]')" in lines(result)


def test_a_suite_and_ordinary_tests_run_in_one_session(project: pytest.Pytester, mark: Mark) -> None:
    folder = mark.folder(project.path, "MiniAdapter")
    project.makepyfile("def test_one(): pass")

    result = run(project, "--adapter", folder, "-k", "broken or test_one")

    result.assert_outcomes(passed=2, deselected=13)


def test_an_error_of_collection_elsewhere_starts_no_adapter(project: pytest.Pytester, mark: Mark) -> None:
    folder = mark.folder(project.path, "MiniAdapter", str(project.path / "started"))
    project.makepyfile("import no_such_module")

    result = run(project, "--adapter", folder, "--durations=1")

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.assert_outcomes(errors=1)


def test_a_process_that_died_fails_a_session_whose_items_all_pass(
    project: pytest.Pytester, mark: Mark
) -> None:
    crashing = mark.folder(project.path, "CrashesOnce", str(project.path / "crashed"))

    died, well = (run(project, "mini", "--adapter", crashing) for _ in range(2))

    died.assert_outcomes(passed=13, skipped=1)
    assert died.ret == pytest.ExitCode.TESTS_FAILED
    assert "CrashesOnce: a process was killed by SIGSEGV during " in lines(died)
    assert (well.ret, "killed" in lines(well)) == (pytest.ExitCode.OK, False)


# --- what the plugin offers, and what it costs ----------------------------------------------------------


class OfferedOptions:
    """A parser that only remembers what the plugin adds to it."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def getgroup(self, *_: str) -> OfferedOptions:
        return self

    def addoption(self, *names: str, **_: object) -> None:
        self.names.update(names)

    def addini(self, name: str, *_: str, **__: object) -> None:
        self.names.add(name)


def test_the_reference_lists_every_option_ini_option_and_fixture(pytester: pytest.Pytester) -> None:
    options: Any = OfferedOptions()
    plugin.pytest_addoption(options)
    listed = run(pytester, "--fixtures").outlines
    fixtures = {line.split()[0] for line in listed if "pytest_plugin/__init__.py" in line}
    text = (ROOT / "docs" / "reference" / "python.md").read_text(encoding="utf-8")

    shown = re.findall(
        r"^\| `([^` ]+)[^`]*`(?:, `([^` ]+)[^`]*`)? \|", text.partition("## In pytest")[2], re.M
    )

    assert fixtures == {"task_server", "task_server_suite"}
    assert {name for names in shown for name in names if name} == {*options.names, *fixtures, "--adapter"}


def test_a_session_that_needs_nothing_of_the_plugin_imports_nothing_else_of_waitproof() -> None:
    code = "import waitproof.pytest_plugin, sys; print(*sorted(m for m in sys.modules if 'waitproof' in m))"

    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, encoding="utf-8", check=True)

    assert done.stdout.split() == ["waitproof", "waitproof.lazy", "waitproof.pytest_plugin"]
