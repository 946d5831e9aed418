"""`waitproof new adapter`: docs/how-to/write-an-adapter.md, followed to the letter."""

import os
import re
import shutil
from pathlib import Path

import pytest
from waitproof.adapter.api import api_file, api_of
from waitproof.adapter.folder import read_adapter
from waitproof.adapter.kits import EXAMPLE_CLIENT, languages
from waitproof.cli import main
from waitproof.cli.init import EDITED
from waitproof.suite.files import bundled_suite, contract_file, load_contract

KITS = Path(__file__).parents[2] / "adapters" / "kits"
POTTERY = Path(__file__).parents[1] / "suites" / "pottery"
HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "write-an-adapter.md"


def test_the_how_to_leads_to_an_adapter_that_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    told = re.findall(r"^ +(ok .*|the adapter follows the protocol)$", HOW_TO.read_text(), re.MULTILINE)

    assert main(["new", "adapter", "python", "my-sdk"]) == 0
    assert main(["doctor", "my-sdk"]) == 0

    said = capsys.readouterr().out.splitlines()[3:]
    assert [_without_figures(line) for line in said] == [_without_figures(line) for line in told]


def _without_figures(line: str) -> str:
    return re.sub(r"\d+(\.\d+)*", "0", line)


@pytest.mark.parametrize("language", languages())
def test_each_kit_is_laid_down_under_the_folders_name_and_without_what_was_built(
    language: str, tmp_path: Path
) -> None:
    folder = tmp_path / "my sdk"

    assert main(["new", "adapter", language, str(folder)]) == 0

    text = (folder / "adapter.yaml").read_text(encoding="utf-8")
    assert 'name: "my-sdk"' in text
    assert (folder / "README.md").is_file()
    assert not [path for path in folder.rglob("*") if path.name in {".prepared", ".build", "__pycache__"}]


@pytest.mark.parametrize("language", languages())
def test_each_kit_introduces_its_client_as_an_example(language: str, tmp_path: Path) -> None:
    assert main(["new", "adapter", language, str(tmp_path / "sdk")]) == 0

    written = (tmp_path / "sdk" / EDITED[language]).read_text(encoding="utf-8")

    assert re.search(rf"""name\W+{EXAMPLE_CLIENT}["']""", written, re.IGNORECASE)


@pytest.mark.parametrize("language", languages())
def test_the_client_of_each_kit_reads_the_api_that_its_folder_is_tested_with(language: str) -> None:
    contract = load_contract(contract_file(bundled_suite()))

    # For each kit: `waitproof new adapter LANGUAGE FOLDER`, and its api.json.
    assert (KITS / language / "api.json").read_text(encoding="utf-8") == api_file(contract, language)


def test_an_adapter_for_another_suite_has_that_suites_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "potter"

    assert main(["new", "adapter", "python", str(folder), "--suite", str(POTTERY)]) == 0

    option = f"--suite {os.path.relpath(POTTERY, folder)}"
    assert f'suite: "{os.path.relpath(POTTERY, folder)}"\n' in (folder / "adapter.yaml").read_text()
    assert capsys.readouterr().out.splitlines()[1:] == [
        f"It works as it is: waitproof doctor {folder}",
        f"Then call your SDK where it calls the task client, and run: waitproof run {folder}",
    ]
    suite = os.path.relpath(POTTERY, folder)
    assert read_adapter(folder).suite == suite
    readme = (folder / "README.md").read_text(encoding="utf-8")
    about = readme.partition("## What the suite `pottery` asks")[2]
    assert about.splitlines()[2:] == [
        "- It serves Pottery, a made-up workshop: a wait polls `GET /jobs/{task_id}`.",
        "- Every poll carries: header `X-Pottery-Pass`, query `studio`.",
        "- Statuses: `loaded`: keep polling, `glowing`: keep polling, `glazed`: return result, "
        "`cracked`: raise task.",
        "- The exception of a failed task, kind `task`, has the fields `number`, `flaw_sign`, `remark`.",
        '- A wait that is out of time raises an exception of kind transport with `cause_word: "cold"`.',
        "- `begin` gets one of these operations, with arguments such as:",
        '  - `shelve_plates`, `{"plates": [{"mark": "${token}"}]}`: `PUT /shelves`',
        '  - `fire_bowl`, `{"bowl": "${token}"}`: `POST /bowls/{token}/fire`',
        "  - `sweep`, `{}`: `DELETE /ashes`",
        "",
        "```console",
        "$ waitproof doctor .",
        "$ waitproof run .",
        f"$ waitproof explain {option}    # every requirement, with the sentence of the documentation",
        "```",
    ]


@pytest.mark.parametrize(
    ("suite", "options"),
    [
        ("stream", ["poll_interval", "timeout"]),
        ("meilisearch", ["poll_interval", "timeout"]),
        ("algolia", ["poll_interval", "max_polls"]),
    ],
)
def test_a_kits_client_takes_the_options_that_the_api_has_defaults_for(
    suite: str, options: list[str]
) -> None:
    contract = load_contract(contract_file(bundled_suite(suite)))

    assert api_of(contract, "python")["options"] == options


def test_every_language_of_the_how_to_has_a_kit() -> None:
    assert languages() == ["dotnet", "go", "java", "node", "php", "python", "ruby"]
    assert all(f"`{language}`" in HOW_TO.read_text() for language in languages())


def test_an_unknown_language_and_a_folder_in_use_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()

    assert main(["new", "adapter", "pyton", str(tmp_path / "x")]) == 2
    assert main(["new", "adapter", "python", str(tmp_path)]) == 2

    assert capsys.readouterr().err == (
        "new adapter: there is no kit for 'pyton'\n"
        "  expected: dotnet, go, java, node, php, python, ruby\n"
        "  fix:      did you mean 'python'?\n"
        f"{tmp_path}: it already exists\n"
        "  fix:      name a folder that does not exist yet\n"
    )


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not on this machine")
def test_another_languages_kit_works_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "my-node-sdk"

    assert main(["new", "adapter", "node", str(folder)]) == 0
    assert main(["doctor", str(folder)]) == 0
    assert capsys.readouterr().out.endswith("the adapter follows the protocol\n")
