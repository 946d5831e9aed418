"""action.yml, step by step as the runner takes them: a bash for each script, and files of commands.

What other people's actions do (setting up Python, uploading) is left out: `.github/workflows/ci.yml` uses the
action as a whole.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from fakes import ENV, LIMIT_S, MINI, ROOT, Mark, clean_env, running
from github_runner import FOLDER, FileCommandError, commands_in, pairs_in, paths_in

TEXT = (ROOT / "action.yml").read_text(encoding="utf-8")
ACTION = yaml.safe_load(TEXT)
PART = "only a part of the suite was run"
WORKFLOWS = [ROOT / "action.yml", *sorted((ROOT / ".github" / "workflows").glob("*.yml"))]


@dataclass
class Job:
    """A job that uses the action once; each step gets new files, as the runner makes them.

    Attributes:
        env: What the steps have set for those after them, PATH included.
        outputs: Of each step, by its id.
        ended: The exit code of each step that was run, by its name.
        printed: What each of them printed.
        mistakes: What the runner could not read in a step's files, by its name.
        summary: The job's page.
    """

    folder: Path
    inputs: dict[str, str]
    env: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)
    printed: dict[str, str] = field(default_factory=dict)
    mistakes: dict[str, str] = field(default_factory=dict)
    summary: str = ""

    @property
    def log(self) -> str:
        return "".join(self.printed.values())

    @property
    def failed(self) -> bool:
        return any(self.ended.values()) or bool(self.mistakes)

    def run(self, *more: str) -> Job:
        """Take the steps after the installation, and those named; other people's actions are left out."""
        for step in ACTION["runs"]["steps"]:
            is_wanted = step["name"] in {*more, "Run the suite", "Write the outputs", "Verdict"}
            if is_wanted and self.takes(step):
                self._step(step)
        return self

    def takes(self, step: dict[str, Any]) -> bool:
        """Say whether the runner takes a step: its condition, else that all before it have passed."""
        if "if" not in step:
            return not self.failed
        always, *conditions = step["if"].split(" && ")
        assert always == "always()"
        return all(self.value(each.removesuffix(" != ''")) for each in conditions)

    def value(self, expression: str) -> str:
        """Return what `inputs.x` or `steps.y.outputs.z` stands for."""
        kind, *path = expression.split(".")
        if kind == "inputs":
            return self.inputs.get(path[0], str(ACTION["inputs"][path[0]].get("default", "")))
        return self.outputs.get(path[0], {}).get(path[2], "")

    def filled(self, text: str) -> str:
        return re.sub(r"\$\{\{ *(.*?) *\}\}", lambda found: self.value(found[1]), text)

    @property
    def results(self) -> dict[str, str]:
        """Return the outputs of the action itself, without those that are empty."""
        values = {name: self.filled(each["value"]) for name, each in ACTION["outputs"].items()}
        return {name: value for name, value in values.items() if value}

    def _step(self, step: dict[str, Any]) -> None:
        commands = self.folder / "temp" / FOLDER
        shutil.rmtree(commands, ignore_errors=True)  # of the step before
        commands.mkdir()
        names = {"OUTPUT": "set_output", "ENV": "set_env", "PATH": "add_path", "STATE": "save_state"}
        names["STEP_SUMMARY"] = "step_summary"
        files = {name: commands / f"{prefix}_{uuid.uuid4()}" for name, prefix in names.items()}
        for file in files.values():
            file.touch()
        script = self.folder / "script.sh"
        script.write_text(step["run"], encoding="utf-8")
        env = clean_env(
            RUNNER_TEMP=str(self.folder / "temp"),
            GITHUB_ACTION_PATH=str(ROOT),
            GITHUB_ACTIONS="true",
            **{f"GITHUB_{name}": str(file) for name, file in files.items()},
        )
        env |= {**self.env, **{name: self.filled(str(value)) for name, value in step["env"].items()}}
        ended = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=self.folder,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=LIMIT_S,
            check=False,
        )
        self.ended[step["name"]] = ended.returncode
        self.printed[step["name"]] = ended.stdout
        self._read(step, {name: file.read_text(encoding="utf-8") for name, file in files.items()})

    def _read(self, step: dict[str, Any], texts: dict[str, str]) -> None:
        """Do what the runner does with the files of a step that has ended."""
        outputs = self.outputs.setdefault(step.get("id", ""), {})
        for name, values in (("OUTPUT", outputs), ("ENV", self.env), ("STATE", {})):
            try:
                for key, value in pairs_in(texts[name]):
                    values[key] = value
            except FileCommandError as error:
                self.mistakes[step["name"]] = str(error)
        for path in paths_in(texts["PATH"]):
            self.env["PATH"] = f"{path}:{self.env.get('PATH', os.environ['PATH'])}"
        self.summary += texts["STEP_SUMMARY"]


def installed(folder: Path) -> Path:
    """Make of a folder a job's, in which waitproof is installed: it is this tree's."""
    (folder / "temp").mkdir()
    (folder / "temp" / "waitproof").symlink_to(sys.prefix)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return installed(tmp_path)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """The job of an SDK that keeps every promise."""
    folder, mark = installed(tmp_path_factory.mktemp("kept")), Mark()
    one = mark.folder(folder, "MiniAdapter")
    inputs = {"adapter": f"  {one}\n\n", "suite": f"{MINI}\n", "patterns": "outcomes/*\n*:usual-timeout\n"}
    job = Job(folder, inputs).run()
    mark.assert_gone()
    return job


@pytest.fixture(scope="module")
def lenient(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """The job of an SDK that breaks a SHOULD, where only a MUST fails it."""
    folder, mark = installed(tmp_path_factory.mktemp("lenient")), Mark()
    inputs = {"adapter": str(mark.folder(folder, "NoKey")), "suite": str(MINI), "patterns": "*:sends-its-key"}
    job = Job(folder, inputs).run()
    mark.assert_gone()
    return job


def test_a_kept_suite_ends_with_0_and_leaves_its_reports(kept: Job) -> None:
    folder, job = kept.folder, kept

    assert job.ended == {"Run the suite": 0, "Write the outputs": 0, "Verdict": 0}
    assert (job.mistakes, job.env) == ({}, {})
    outputs = job.results
    verdict = f"Every MUST passed; {PART} (MiniAdapter: 7 PASS, 1 INFO)"
    assert (outputs["exit-code"], outputs["verdict"]) == ("0", verdict)
    assert f"waitproof: {verdict}\n" in job.log
    assert job.summary.count("| MiniAdapter |") == 1
    assert json.loads((folder / outputs["badge"]).read_text())["schemaVersion"] == 1
    assert set(outputs) == set(ACTION["outputs"])
    report = json.loads((folder / outputs["json"]).read_text())
    assert {each["id"] for each in report["adapters"][0]["scenarios"]} == {
        "outcomes/begun",
        "outcomes/broken",
        "outcomes/completes",
        "timing/gives-up",
    }


def test_a_broken_must_fails_the_last_step_alone(folder: Path, mark: Mark) -> None:
    adapters = [mark.folder(folder, mode) for mode in ("MiniAdapter", "WrongPath")]
    inputs = {
        "adapter": "\n".join(map(str, adapters)),
        "suite": str(MINI),
        "patterns": "completes:returns-output",
    }

    job = Job(folder, inputs).run()

    assert job.ended == {"Run the suite": 0, "Write the outputs": 0, "Verdict": 1}
    verdict = f"1 requirement failed; {PART} (MiniAdapter: 1 PASS; WrongPath: 1 FAIL)"
    assert job.results["verdict"] == verdict
    assert (folder / job.results["json"]).is_file()


def test_a_should_fails_the_job_where_it_is_asked_to(lenient: Job, folder: Path) -> None:
    strict = Job(folder, {**lenient.inputs, "fail-on": "should"}).run()

    assert (lenient.ended["Verdict"], strict.ended["Verdict"]) == (0, 1)


def test_wrong_use_is_told_and_the_report_of_an_earlier_step_is_not_taken_for_its_own(folder: Path) -> None:
    (folder / "waitproof-report").mkdir()
    (folder / "waitproof-report" / "report.json").write_text("{}")

    job = Job(folder, {"adapter": "no/such/adapter"}).run()

    assert job.ended == {"Run the suite": 0, "Write the outputs": 0, "Verdict": 2}
    assert job.results == {"exit-code": "2", "verdict": "wrong use: see the log"}
    assert "no/such/adapter: there is no such folder or program" in job.log
    assert job.summary == "**waitproof**: wrong use: see the log\n"


@pytest.mark.parametrize("name", ["adapter", "suite", "patterns", "fail-on", "report"])
def test_no_input_is_ever_shell(name: str, folder: Path, mark: Mark) -> None:
    good = {"adapter": str(mark.folder(folder, "MiniAdapter")), "suite": str(MINI), "patterns": "broken"}
    hostile = "$(touch spoiled) `touch spoiled`; touch spoiled #'\""

    job = Job(folder, {**good, name: hostile}).run()

    assert job.ended["Run the suite"] == 0
    assert job.results["exit-code"] == ("0" if name == "report" else "2")
    assert [path for path in folder.rglob("spoiled*") if path.is_file()] == []


@pytest.mark.parametrize("report", ["", "a\nexit-code=0"])
def test_an_input_of_one_line_cannot_be_two_outputs(report: str, folder: Path) -> None:
    job = Job(folder, {"adapter": "x", "report": report}).run()

    assert job.ended == {"Run the suite": 2}
    assert job.results == {}
    assert "the input 'report' needs one line" in job.log


def annotation_titles(log: str) -> list[str]:
    """Return the titles of the annotations in a log, in which nothing else is a command."""
    commands = commands_in(log)
    assert {each.name for each in commands} <= {"error", "warning"}
    return [each.line.partition(",title=")[2].partition("::")[0] for each in commands]


def test_an_adapter_cannot_forge_its_jobs_verdict(folder: Path, mark: Mark) -> None:
    adapter = mark.folder(folder, "forges")
    inputs = {"adapter": str(adapter), "suite": str(MINI), "patterns": "completes:returns-output"}

    job = Job(folder, inputs).run()

    assert (folder / "temp" / "named").read_text() == ""  # waitproof has named no file to it
    assert job.ended == {"Run the suite": 0, "Write the outputs": 0, "Verdict": 1}
    assert (job.mistakes, job.env) == ({}, {})  # what it wrote to those that it found is gone
    assert (job.results["exit-code"], job.results["verdict"]) == (
        "1",
        f"1 requirement failed; {PART} (forges: 1 FAIL)",
    )
    assert job.results["json"] == "waitproof-report/report.json"
    assert job.summary.startswith("## waitproof")
    assert "set-output name=exit-code" in job.log
    assert annotation_titles(job.log) == ["FAIL outcomes/completes%3Areturns-output (forges)"]


def test_a_preparation_that_fails_forges_nothing_either(folder: Path, mark: Mark) -> None:
    adapter = mark.folder(folder, "forges")
    file = adapter / "adapter.yaml"
    command = ["env", f"PYTHONPATH={ENV['PYTHONPATH']}", *mark.argv("forges"), "prepare"]
    file.write_text(f"{file.read_text()}prepare: [{json.dumps(command)}]\n")

    job = Job(folder, {"adapter": str(adapter), "suite": str(MINI)}).run()

    assert (folder / "temp" / "named").read_text() == ""
    assert job.ended == {"Run the suite": 0, "Write the outputs": 0, "Verdict": 2}
    assert (job.mistakes, job.env) == ({}, {})
    assert job.results == {"exit-code": "2", "verdict": "wrong use: see the log"}
    assert "::set-output name=exit-code::0" in job.log
    assert annotation_titles(job.log) == []


def test_a_name_in_the_verdict_is_neither_a_command_nor_another_output(folder: Path, mark: Mark) -> None:
    adapter = mark.folder(folder, "WrongPath")
    file = adapter / "adapter.yaml"
    spec = {**yaml.safe_load(file.read_text()), "name": "a\n::error::b ##[error]c\nexit-code=0"}
    file.write_text(yaml.safe_dump(spec))

    job = Job(
        folder, {"adapter": str(adapter), "suite": str(MINI), "patterns": "completes:returns-output"}
    ).run()

    verdict = f"1 requirement failed; {PART} (a ::error::b ## [error]c exit-code=0: 1 FAIL)"
    assert (job.results["exit-code"], job.results["verdict"]) == ("1", verdict)
    assert len(annotation_titles(job.log)) == 1


def test_the_summary_is_written_once_and_failures_are_annotations(lenient: Job) -> None:
    assert lenient.summary.count("## waitproof") == 1
    assert [line for line in lenient.log.splitlines() if line.startswith("::warning file=")]


def test_what_needs_attention_is_annotated_where_commands_are_on_again(folder: Path, mark: Mark) -> None:
    known = [{"deviation": "outcomes/broken:broken-is-returned", "reason": "x"}]
    adapter = mark.folder(folder, "HalfTheTime", deviations=known)
    inputs = {"adapter": str(adapter), "suite": str(MINI), "patterns": "broken\n*:own-timeout"}

    job = Job(folder, inputs).run()

    marks = [each.line.partition(",title=")[0] for each in commands_in(job.log)]
    assert marks[0] == f"::error file={adapter / 'deviations.yaml'},line=2"
    assert marks[1].endswith("/timing/gives-up-when-told.yaml,line=3")
    assert job.results["verdict"].startswith("1 requirement failed; 1 known deviation is stale; ")


def test_only_what_is_in_the_lock_file_is_installed(tmp_path: Path) -> None:
    (tmp_path / "temp").mkdir()
    python = tmp_path / "python"  # a stand-in: CI's job `action` really installs
    environment = 'mkdir -p "$4/bin"; cp "$0" "$4/bin/python"; exit'
    python.write_text(f'#!/bin/sh\n[ "$2" = venv ] && {{ {environment}; }}\necho "$@" >>"{tmp_path}/asked"\n')
    python.chmod(0o755)
    job = Job(tmp_path, {"adapter": "x"}, outputs={"python": {"python-path": str(python)}})

    job.run("Install waitproof")

    assert job.ended["Install waitproof"] == 0
    pip = "-m pip install --quiet --disable-pip-version-check"
    assert (tmp_path / "asked").read_text().splitlines()[:2] == [
        f"{pip} --require-hashes --only-binary=:all: -r {ROOT}/action/requirements.txt",
        f"{pip} --no-index --no-deps --no-build-isolation {ROOT}",
    ]


def test_the_other_commands_hide_an_adapters_commands_too(folder: Path, mark: Mark) -> None:
    adapter = mark.folder(folder, "well_behaved")
    file = adapter / "adapter.yaml"
    command = [sys.executable, "-c", r"print('::error::x\n##[error]x'); exit(1)"]
    spec = {**yaml.safe_load(file.read_text()), "name": "##[error]x", "prepare": [command]}
    file.write_text(yaml.safe_dump(spec))

    with running("doctor", str(adapter), GITHUB_ACTIONS="true") as process:
        out, err = process.communicate(timeout=LIMIT_S)
    file.write_text(yaml.safe_dump({**spec, "prepare": []}))
    with running(
        "run", str(adapter), "--suite", str(MINI), "-k", "broken", "--json", "r.json", cwd=folder
    ) as it:
        it.communicate(timeout=LIMIT_S)
    with running("diff", "r.json", "r.json", cwd=folder, GITHUB_ACTIONS="true") as process:
        difference, _ = process.communicate(timeout=LIMIT_S)

    assert "::error::x" in err
    assert "##[error]x" in difference
    assert [commands_in(each) for each in (out, err, difference)] == [[], [], []]


def test_reports_are_uploaded_whatever_the_verdict_and_the_job_fails_after_that() -> None:
    names = [step["name"] for step in ACTION["runs"]["steps"]]
    by_name = {step["name"]: step for step in ACTION["runs"]["steps"]}

    assert names[-4:] == ["Run the suite", "Write the outputs", "Keep the reports", "Verdict"]
    for name in names[-3:]:
        assert by_name[name]["if"].startswith("always() && ")
    assert by_name[names[-4]]["env"]["WAITPROOF_FILES"] == by_name[names[-3]]["env"]["WAITPROOF_FILES"]
    outputs = {
        name: re.fullmatch(r"\$\{\{ steps\.results\.outputs\.([a-z-]+) \}\}", each["value"])
        for name, each in ACTION["outputs"].items()
    }
    assert all(found is not None and found[1] == name for name, found in outputs.items())


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_other_peoples_actions_are_pinned_by_commit_and_scripts_hold_no_expression(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    document = yaml.safe_load(text)
    jobs = document.get("jobs", {"action": document.get("runs")})

    for uses in re.findall(r"uses: +(.*)", text):
        assert uses == "./" or re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", uses), uses
    scripts = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert scripts
    assert not [script for script in scripts if "${{" in script]


def test_every_script_is_bash_that_can_be_read() -> None:
    for script in (ROOT / "action").glob("*.sh"):
        subprocess.run(["bash", "-n", str(script)], check=True)
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


# --- what the how-to shows ----------------------------------------------------------------------------

HOW_TO = (ROOT / "docs" / "how-to" / "use-in-ci.md").read_text(encoding="utf-8")


def test_the_how_to_lists_every_input_with_its_default_and_every_output() -> None:
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| .* \| (.*) \|$", HOW_TO, re.MULTILINE))

    shown = {name: default.strip("`").strip() for name, default in rows.items()}
    declared = {name: str(each.get("default", "")) for name, each in ACTION["inputs"].items()}
    empty = {"patterns": "everything", "suite": "the adapter's own, else stream", "scenarios": "none"}
    assert all(declared[name] == "" for name in empty)
    assert shown == {**declared, **empty, "adapter": "required"}
    assert all(f"`{name}`" in HOW_TO for name in ACTION["outputs"])


def test_the_workflow_shown_uses_what_there_is() -> None:
    shown = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", HOW_TO, re.DOTALL)]

    (workflow,) = [each for each in shown if "jobs" in each]
    (job,) = workflow["jobs"].values()
    checkout, waitproof = job["steps"]
    assert f"uses: {checkout['uses']} # v" in (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    assert set(waitproof["with"]) <= set(ACTION["inputs"])
