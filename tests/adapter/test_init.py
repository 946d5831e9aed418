"""`waitproof init` writes what a repository needs to judge its SDK, and asks nothing."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from waitproof.adapter import find_adapter, find_sdks
from waitproof.adapter.kits import languages
from waitproof.cli import main

ROOT = Path(__file__).parents[2]
MARKS = {  # language: file, text, its SDK's name, the adapter's folder
    "python": ("pyproject.toml", '[project]\nname = "acme-sdk"', "acme-sdk", "acme-sdk"),
    "node": ("package.json", '{"name": "@acme/sdk"}', "@acme/sdk", "acme-sdk"),
    "go": ("go.mod", "module example.com/acme/sdk-go/v3\n", "example.com/acme/sdk-go/v3", "sdk-go"),
    "java": ("pom.xml", "<project/>", "repo", "repo"),
    "dotnet": ("Acme.sln", "", "repo", "repo"),
    "ruby": ("acme.gemspec", "", "acme", "acme"),
    "php": ("composer.json", '{"name": "acme/sdk"}', "acme/sdk", "sdk"),
}


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "repo"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def write(repo: Path, language: str) -> str:
    """Make the repository one of an SDK in a language; return where its adapter belongs."""
    file, text, _, adapter = MARKS[language]
    (repo / file).write_text(text, encoding="utf-8")
    return f"conformance/{adapter}"


@pytest.mark.parametrize("language", languages())
def test_an_sdk_is_found_by_its_package_file(language: str, repo: Path) -> None:
    adapter = write(repo, language)

    assert [(each.language, each.name) for each in find_sdks(repo)] == [(language, MARKS[language][2])]
    assert main(["init"]) == 0

    assert find_adapter(adapter).command
    file = "pyproject.toml" if language == "python" else "waitproof.toml"
    settings = tomllib.loads((repo / file).read_text(encoding="utf-8"))
    assert (settings["tool"]["waitproof"] if language == "python" else settings) == {"adapters": [adapter]}
    assert (repo / ".github/workflows/waitproof.yml").is_file()


@pytest.mark.parametrize(
    "text", ["not toml [", "[project]\nname = 3", "[project]", "project = 1", "\N{SNOWMAN}"]
)
def test_a_package_file_that_tells_no_name_leaves_the_folders(text: str, repo: Path) -> None:
    (repo / "pyproject.toml").write_text(text, encoding="utf-8")

    assert [(each.language, each.name) for each in find_sdks(repo)] == [("python", "repo")]


def test_the_surest_language_wins_and_the_others_are_told(
    repo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(repo, "node")
    adapter = write(repo, "go")

    assert main(["init"]) == 0

    assert (repo / adapter / "adapter.go").is_file()
    assert "for that, waitproof init --language node" in capsys.readouterr().out


def test_a_language_that_is_named_needs_no_package_file(repo: Path) -> None:
    assert main(["init", "--language", "ruby"]) == 0

    assert (repo / "conformance/repo/adapter.rb").is_file()


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["init"], "no package file of a language that has a kit"),
        (["init", "--language", "pyton"], "did you mean 'python'?"),
        (["init", "nowhere"], "nowhere: there is no such folder"),
        (["init", "--language", "go", "--suite", "strem"], "stream"),
    ],
)
def test_what_cannot_be_set_up_is_wrong_use_and_writes_nothing(
    argv: list[str], told: str, repo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 2

    assert told in capsys.readouterr().err
    assert list(repo.iterdir()) == []


def test_what_is_there_stays_as_it_was(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(repo, "node")
    workflow = repo / ".github/workflows/waitproof.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text("mine", encoding="utf-8")
    assert main(["init"]) == 0
    before = {file: file.read_bytes() for file in repo.rglob("*") if file.is_file()}

    assert main(["init"]) == 2

    assert "it configures waitproof already" in capsys.readouterr().err
    assert {file: file.read_bytes() for file in repo.rglob("*") if file.is_file()} == before
    assert workflow.read_text(encoding="utf-8") == "mine"


def test_a_repository_on_another_ci_system_gets_no_workflow(repo: Path) -> None:
    write(repo, "go")
    (repo / ".gitlab-ci.yml").write_text("", encoding="utf-8")

    assert main(["init"]) == 0

    assert not (repo / ".github").exists()


def test_the_workflow_runs_what_this_version_has(repo: Path) -> None:
    write(repo, "go")
    assert main(["init"]) == 0
    text = (repo / ".github/workflows/waitproof.yml").read_text(encoding="utf-8")

    (job,) = yaml.safe_load(text)["jobs"].values()

    assert 'waitproof" run --junit junit.xml' in " ".join(each.get("run", "") for each in job["steps"])
    known = (ROOT / "action.yml").read_text() + (ROOT / ".github/workflows/ci.yml").read_text()
    assert all(each["uses"] in known for each in job["steps"] if "uses" in each)


@pytest.mark.parametrize(
    ("language", "files", "watch"),
    [
        ("python", ["src/acme/__init__.py", "other/__init__.py"], ["../../src"]),
        ("python", ["acme/__init__.py", "tests/__init__.py"], ["../../acme"]),
        ("python", ["acme.py"], ["../.."]),
        ("node", ["lib/index.js"], ["../../lib"]),
        ("node", ["index.js"], ["../.."]),
    ],
)
def test_the_code_of_an_sdk_that_is_used_where_it_is_is_watched(
    language: str, files: list[str], watch: list[str], repo: Path
) -> None:
    adapter = write(repo, language)
    for file in files:
        (repo / file).parent.mkdir(parents=True, exist_ok=True)
        (repo / file).touch()

    assert main(["init"]) == 0

    assert list(find_adapter(adapter).watch) == watch


class Installed(NamedTuple):
    origin: str | None
    version: str = "0.1.0"

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return self.origin


GIT = '{"url": "https://git.example/waitproof", "vcs_info": {"vcs": "git", "commit_id": "abc"}}'
LINE = "a job that runs it"
FILL_IN = f"{LINE}: say there, as WAITPROOF, what pip is to install"


@pytest.mark.parametrize(
    ("origin", "installs", "line"),
    [
        (None, "waitproof==0.1.0", LINE),
        (GIT, "waitproof @ git+https://git.example/waitproof@abc", LINE),
        ('{"url": "file:///home/me/waitproof", "dir_info": {}}', "", FILL_IN),
        ('{"url": "https://packages.example/waitproof.whl", "archive_info": {}}', "", FILL_IN),
    ],
)
def test_the_workflow_installs_what_is_installed_here_or_says_what_is_missing(
    repo: Path,
    origin: str | None,
    installs: str,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("waitproof.cli.init.distribution", lambda _name: Installed(origin))
    write(repo, "go")
    assert main(["init"]) == 0
    text = (repo / ".github/workflows/waitproof.yml").read_text(encoding="utf-8")

    (job,) = yaml.safe_load(text)["jobs"].values()

    assert job["env"] == {"WAITPROOF": installs}
    assert f"{line}\n" in capsys.readouterr().out
    (check,) = (each["run"] for each in job["steps"] if each.get("if") == "env.WAITPROOF == ''")
    (number,) = re.findall(r"line=(\d+)", check)
    assert "WAITPROOF: " in text.splitlines()[int(number) - 1]


def test_a_suite_that_is_named_is_the_adapters(repo: Path) -> None:
    adapter = write(repo, "ruby")

    assert main(["init", "--suite", "meilisearch"]) == 0

    assert find_adapter(adapter).suite == "meilisearch"


@pytest.mark.skipif(not shutil.which("npm"), reason="npm is not installed")
def test_the_adapter_uses_the_sdk_where_it_is(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    package = {"name": "@acme/sdk", "scripts": {"build": "touch built"}, "main": "index.js"}
    (repo / "package.json").write_text(json.dumps(package), encoding="utf-8")
    assert main(["init"]) == 0

    assert main(["doctor", "conformance/acme-sdk"]) == 0

    assert (repo / "built").exists()
    assert (repo / "conformance/acme-sdk/node_modules/@acme/sdk").resolve() == repo
    assert capsys.readouterr().out.endswith("the adapter follows the protocol\n")
