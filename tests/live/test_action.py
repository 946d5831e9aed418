"""action.yml, step by step as the runner takes them: a bash for each script, files for outputs and summary.

What the runner itself does (setting up Python, installing, uploading) is left out: `.github/workflows/ci.yml`
uses the action as a whole.
"""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from fakes import LIMIT_S, MINI, ROOT, Mark, clean_env

TEXT = (ROOT / "action.yml").read_text(encoding="utf-8")
ACTION = yaml.safe_load(TEXT)
WORKFLOWS = [ROOT / "action.yml", *sorted((ROOT / ".github" / "workflows").glob("*.yml"))]


@dataclass
class Job:
    """A job that uses the action once.

    Attributes:
        outputs: Of each step, by its id.
        ended: The exit code of each step that was run, by its name.
        said: What each of them printed.
    """

    folder: Path
    inputs: dict[str, str]
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    summary: str = ""

    @property
    def log(self) -> str:
        return "".join(self.said.values())

    def run(self, *names: str) -> Job:
        """Take these steps; each is taken whatever became of those before it, as `always()` has it."""
        for step in ACTION["runs"]["steps"]:
            if step["name"] in names:
                self._step(step)
        return self

    def value(self, expression: str) -> str:
        """Return what `inputs.x` or `steps.y.outputs.z` stands for."""
        kind, *path = expression.split(".")
        if kind == "inputs":
            return self.inputs.get(path[0], str(ACTION["inputs"][path[0]].get("default", "")))
        return self.outputs.get(path[0], {}).get(path[2], "")

    def _step(self, step: dict[str, Any]) -> None:
        files = {name: self.folder / f"{name}-{step['name']}" for name in ("OUTPUT", "STEP_SUMMARY")}
        for file in files.values():
            file.touch()
        filled = {
            name: re.sub(r"\$\{\{ *(.*?) *\}\}", lambda found: self.value(found[1]), str(value))
            for name, value in step["env"].items()
        }
        script = self.folder / "script.sh"
        script.write_text(step["run"], encoding="utf-8")
        env = clean_env(
            RUNNER_TEMP=str(self.folder / "temp"),
            GITHUB_ACTION_PATH=str(ROOT),
            GITHUB_ACTIONS="true",
            **{f"GITHUB_{name}": str(file) for name, file in files.items()},
            **{**filled, **({"WAITPROOF_FORMS": known_forms()} if "WAITPROOF_FORMS" in filled else {})},
        )
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
        self.said[step["name"]] = ended.stdout
        self.summary += files["STEP_SUMMARY"].read_text(encoding="utf-8")
        lines = files["OUTPUT"].read_text(encoding="utf-8").splitlines()
        self.outputs[step.get("id", "")] = dict(line.split("=", 1) for line in lines)


@functools.cache
def known_forms() -> str:
    """Return the action's forms of reports that `waitproof run` of this tree can write."""
    (step,) = [each for each in ACTION["runs"]["steps"] if each.get("id") == "run"]
    told = subprocess.run(
        [sys.executable, "-m", "waitproof", "run", "--help"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    ).stdout
    forms = [form for form in step["env"]["WAITPROOF_FORMS"].split() if f"--{form} FILE" in told]
    assert "json" in forms
    return " ".join(forms)


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
    job = Job(folder, inputs).run("Run the suite", "Verdict")
    mark.assert_gone()
    return job


@pytest.fixture(scope="module")
def lenient(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """The job of an SDK that breaks a SHOULD, where only a MUST fails it."""
    folder, mark = installed(tmp_path_factory.mktemp("lenient")), Mark()
    inputs = {"adapter": str(mark.folder(folder, "NoKey")), "suite": str(MINI), "patterns": "*:sends-its-key"}
    job = Job(folder, inputs).run("Run the suite", "Verdict")
    mark.assert_gone()
    return job


def test_a_kept_suite_ends_with_0_and_leaves_its_reports(kept: Job) -> None:
    folder, job = kept.folder, kept

    assert job.ended == {"Run the suite": 0, "Verdict": 0}
    outputs = job.outputs["run"]
    verdict = "Every MUST passed (MiniAdapter: 7 PASS, 1 INFO)"
    assert (outputs["exit-code"], outputs["verdict"]) == ("0", verdict)
    assert f"waitproof: {verdict}\n" in job.log
    assert job.summary.count("| MiniAdapter |") == 1
    assert json.loads((folder / outputs["badge"]).read_text())["schemaVersion"] == 1
    assert set(known_forms().split()) <= set(outputs)
    report = json.loads((folder / outputs["json"]).read_text())
    assert {each["id"] for each in report["adapters"][0]["scenarios"]} == {
        "outcomes/begun",
        "outcomes/broken",
        "outcomes/completes",
        "timing/gives-up",
    }


def test_a_broken_must_fails_the_last_step_alone(folder: Path, mark: Mark) -> None:
    adapters = [mark.folder(folder, mode) for mode in ("MiniAdapter", "HalfTheTime")]
    inputs = {"adapter": "\n".join(map(str, adapters)), "suite": str(MINI), "patterns": "*:own-timeout"}

    job = Job(folder, inputs).run("Run the suite", "Verdict")

    assert job.ended == {"Run the suite": 0, "Verdict": 1}
    verdict = "1 requirement failed (MiniAdapter: 1 PASS; HalfTheTime: 1 FAIL)"
    assert job.outputs["run"]["verdict"] == verdict
    assert (folder / job.outputs["run"]["json"]).is_file()


def test_a_should_fails_the_job_where_it_is_asked_to(lenient: Job, folder: Path) -> None:
    strict = Job(folder, {**lenient.inputs, "fail-on": "should"}).run("Run the suite", "Verdict")

    assert (lenient.ended["Verdict"], strict.ended["Verdict"]) == (0, 1)


def test_wrong_use_is_told_and_the_report_of_an_earlier_step_is_not_taken_for_its_own(folder: Path) -> None:
    (folder / "waitproof-report").mkdir()
    (folder / "waitproof-report" / "report.json").write_text("{}")

    job = Job(folder, {"adapter": "no/such/adapter"}).run("Run the suite", "Verdict")

    assert job.ended == {"Run the suite": 0, "Verdict": 2}
    outputs = job.outputs["run"]
    assert outputs == {"exit-code": "2", "verdict": "wrong use: see the log", "report": "waitproof-report"}
    assert "adapter: no such folder or program" in job.log
    assert job.summary == "**waitproof**: wrong use: see the log\n"


@pytest.mark.parametrize("name", ["adapter", "suite", "patterns", "fail-on", "report"])
def test_no_input_is_ever_shell(name: str, folder: Path, mark: Mark) -> None:
    good = {"adapter": str(mark.folder(folder, "MiniAdapter")), "suite": str(MINI), "patterns": "broken"}
    hostile = "$(touch spoiled) `touch spoiled`; touch spoiled #'\""

    job = Job(folder, {**good, name: hostile}).run("Run the suite")

    assert job.ended["Run the suite"] == 0
    assert job.outputs["run"]["exit-code"] == ("0" if name == "report" else "2")
    assert [path for path in folder.rglob("spoiled*") if path.is_file()] == []


@pytest.mark.parametrize("report", ["", "a\nexit-code=0"])
def test_an_input_of_one_line_cannot_be_two_outputs(report: str, folder: Path) -> None:
    job = Job(folder, {"adapter": "x", "report": report}).run("Run the suite", "Verdict")

    assert job.ended["Run the suite"] == 2
    assert job.outputs["run"] == {}
    assert "the input 'report' needs one line" in job.log


def test_what_an_sdk_prints_is_no_command_to_the_runner(kept: Job) -> None:
    lines = kept.said["Run the suite"].splitlines()

    told = [line for line in lines if "MiniAdapter" in line and not line.startswith("::")]
    assert told
    starts = [n for n, line in enumerate(lines) if line.startswith("::stop-commands::")]
    ends = [lines.index(f"::{lines[n].removeprefix('::stop-commands::')}::") for n in starts]
    for line in told:
        number = lines.index(line)
        assert any(start < number < end for start, end in zip(starts, ends, strict=True)), line


def test_the_summary_is_written_once_and_failures_are_annotations(lenient: Job) -> None:
    assert lenient.summary.count("## waitproof") == 1
    assert [line for line in lenient.log.splitlines() if line.startswith("::warning file=")]


def test_what_needs_attention_is_annotated_where_commands_are_on_again(folder: Path, mark: Mark) -> None:
    known = [{"deviation": "outcomes/broken:broken-is-returned", "reason": "x"}]
    adapter = mark.folder(folder, "HalfTheTime", deviations=known)
    inputs = {"adapter": str(adapter), "suite": str(MINI), "patterns": "broken\n*:own-timeout"}

    job = Job(folder, inputs).run("Run the suite")

    lines = job.log.splitlines()
    token = lines[0].removeprefix("::stop-commands::")
    marks = [line.partition(",title=")[0] for line in lines[lines.index(f"::{token}::") + 1 :]]
    assert marks[0] == f"::error file={adapter / 'deviations.yaml'},line=2"
    assert marks[1].endswith("/timing/gives-up-when-told.yaml,line=3")
    assert job.outputs["run"]["verdict"].startswith("1 requirement failed; 1 known deviation is stale (")


def test_reports_are_uploaded_whatever_the_verdict_and_the_job_fails_after_that() -> None:
    names = [step["name"] for step in ACTION["runs"]["steps"]]
    by_name = {step["name"]: step for step in ACTION["runs"]["steps"]}

    assert names[-3:] == ["Run the suite", "Keep the reports", "Verdict"]
    for name in names[-2:]:
        assert by_name[name]["if"].startswith("always() && ")
    outputs = {
        name: re.fullmatch(r"\$\{\{ steps\.run\.outputs\.([a-z-]+) \}\}", each["value"])
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
