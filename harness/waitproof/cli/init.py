"""`waitproof init`: everything that a repository needs to judge its SDK, without a question.

An adapter that is a working copy of the language's kit, the configuration that names it, and a CI file.
Nothing that is there is changed, except that a pyproject.toml gets its table at the end.
"""

from __future__ import annotations

import argparse
import json
import shlex
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from waitproof.adapter import LocalSdk, check_language, find_sdks, install_from, languages, new_adapter
from waitproof.cli.options import add_api_option, api_of
from waitproof.errors import InputError, Mistake, why
from waitproof.run import ExitCode
from waitproof.text import escape

__all__ = ["add_options", "execute"]

ADAPTERS = Path("conformance")
WORKFLOW = Path(".github/workflows/waitproof.yml")
EDITED = {  # what an adapter's author changes
    "dotnet": "Adapter.cs",
    "go": "adapter.go",
    "java": "Adapter.java",
    "node": "adapter.mjs",
    "php": "adapter.php",
    "python": "adapter.py",
    "ruby": "adapter.rb",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path(), help="the SDK's repository (default: this folder)"
    )
    parser.add_argument(
        "--language",
        metavar="NAME",
        help=f"the SDK's, if its files do not tell: {', '.join(languages())}",
    )
    add_api_option(parser)


def execute(options: argparse.Namespace) -> ExitCode:
    """Lay the files down and print what to do next."""
    folder: Path = options.folder
    if not folder.is_dir():
        raise InputError(Mistake(str(folder), "there is no such folder"))
    sdk, others = _sdk(folder, options.language)
    adapter = ADAPTERS / sdk.short_name
    settings, text = _settings(folder, adapter)
    new_adapter(sdk.language, folder / adapter, *api_of(options, folder / adapter))
    try:
        installs = install_from(sdk, folder / adapter)
        (folder / settings).write_text(text, encoding="utf-8")
        workflow = _add_workflow(folder)
    except OSError as error:
        raise InputError(
            Mistake(str(error.filename or folder), f"it cannot be written: {why(error)}")
        ) from None

    print(escape(f"{sdk.name}, an SDK in {_spelt(sdk.language)} ({sdk.file or 'as you said'})"))
    for other in others:
        print(escape(f"  {other.file} is there, too: for that, waitproof init --language {other.language}"))
    what = "a working adapter of a small task client"
    print(escape(f"  {f'{adapter}/':<36} {what}{', which installs your SDK' if installs else ''}"))
    print(f"  {settings!s:<36} what `waitproof run` runs")
    if workflow:
        missing = "" if _installable() else ": say there, as WAITPROOF, what pip is to install"
        print(f"  {WORKFLOW!s:<36} a job that runs it{missing}")
    print("\nIt works as it is:")
    print(f"  {_command('waitproof run --quick', folder)}")
    print("Then call your SDK where the task client is called, check the adapter, and run it again:")
    if not installs:
        print(escape(f"  {adapter}/adapter.yaml: say under 'prepare' how to install your SDK there"))
    print(escape(f"  {adapter / EDITED[sdk.language]}"))
    print(escape(f"  {_command(f'waitproof doctor {shlex.quote(str(adapter))}', folder)}"))
    return ExitCode.KEPT


def _command(command: str, folder: Path) -> str:
    return command if folder == Path() else f"cd {shlex.quote(str(folder))} && {command}"


def _spelt(language: str) -> str:
    known = {"dotnet": ".NET", "node": "JavaScript", "php": "PHP"}
    return known.get(language, language.capitalize())


def _sdk(folder: Path, language: str | None) -> tuple[LocalSdk, list[LocalSdk]]:
    """Return the folder's SDK, and those in other languages that it seems to hold as well."""
    found = find_sdks(folder)
    if language is None:
        if not found:
            fact = "no package file of a language that has a kit"
            fix = "name the language: waitproof init --language NAME"
            raise InputError(Mistake(str(folder.absolute()), fact, expected=", ".join(languages()), fix=fix))
        return found[0], found[1:]
    check_language(language, "--language")
    meant = [each for each in found if each.language == language]
    return (meant or [LocalSdk(folder, language, folder.absolute().name, "")])[0], []


def _settings(folder: Path, adapter: Path) -> tuple[str, str]:
    """Return the file that holds the configuration, and what it holds then."""
    line = f"adapters = [{json.dumps(adapter.as_posix(), ensure_ascii=False)}]\n"
    project = folder / "pyproject.toml"
    if not project.is_file():
        file = folder / "waitproof.toml"
        if file.exists():
            raise _already(file)
        return file.name, line
    try:
        text = project.read_text(encoding="utf-8")
        tool = tomllib.loads(text).get("tool", {})
    except (OSError, ValueError) as error:
        raise InputError(Mistake(str(project), f"it cannot be read: {error}")) from None
    if "waitproof" in tool or (folder / "waitproof.toml").exists():
        raise _already(project)
    between = "" if not text else "\n" if text.endswith("\n") else "\n\n"
    return project.name, f"{text}{between}[tool.waitproof]\n{line}"


def _already(file: Path) -> InputError:
    fix = "for one more adapter: waitproof new adapter LANGUAGE FOLDER, and add it to 'adapters' there"
    return InputError(Mistake(str(file), "it configures waitproof already", fix=fix))


def _add_workflow(folder: Path) -> bool:
    """Write the CI file, unless the repository uses another system or has the file."""
    file = folder / WORKFLOW
    if file.exists() or (folder / ".gitlab-ci.yml").exists():
        return False
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(_WORKFLOW.format(requirement=json.dumps(_installable())), encoding="utf-8")
    return True


def _installable() -> str:
    """Return what makes pip install this waitproof on any machine, "" where that isn't known.

    pip records where a package came from if it was not an index; a folder or a wheel is on this machine only.
    """
    try:
        package = distribution("waitproof")
        origin = json.loads(package.read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        return ""
    if not origin:
        return f"waitproof=={package.version}"
    commit = origin.get("vcs_info", {}).get("commit_id", "")
    url = origin.get("url", "")
    return f"waitproof @ git+{url}@{commit}" if commit and url.startswith("https://") else ""


# GitHub's machines have the tools of every language that has a kit.
_WORKFLOW = """\
# Judges the SDK's wait helper on every push.
name: waitproof
on: [push, pull_request]
permissions: {{contents: read}}
jobs:
  waitproof:
    runs-on: ubuntu-latest
    env:
      # What pip installs, such as "waitproof @ git+https://HOST/OWNER/waitproof@COMMIT",
      # or the path of a wheel or of a checkout in this repository.
      WAITPROOF: {requirement}
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
        with: {{persist-credentials: false}}
      - uses: actions/setup-python@5fda3b95a4ea91299a34e894583c3862153e4b97 # v7.0.0
        with: {{python-version: "3.12"}}
      - if: env.WAITPROOF == ''
        run: |
          place='file=.github/workflows/waitproof.yml,line=11'
          echo "::error $place::WAITPROOF is empty: say in this line what pip is to install"
          exit 1
      - run: python -m venv "$RUNNER_TEMP/waitproof"
      - run: '"$RUNNER_TEMP/waitproof/bin/pip" install --quiet "$WAITPROOF"'
      - run: >-
          "$RUNNER_TEMP/waitproof/bin/waitproof" run
          --junit junit.xml --html report.html --markdown summary.md
      - run: cat summary.md >>"$GITHUB_STEP_SUMMARY"
        if: always()
      - uses: actions/upload-artifact@bbbca2ddaa5d8feaa63e36b76fdaad77386f024f # v7.0.0
        if: always()
        with: {{name: waitproof, path: "junit.xml\\nreport.html"}}
"""
