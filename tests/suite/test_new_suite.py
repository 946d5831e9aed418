"""What the author of a suite starts with: a new suite, the contract's schema and reference, the checks."""

import itertools
import json
import re
from pathlib import Path

import pytest
import yaml
from contract_page import PAGE, renewed
from fakes import MINI, ROOT
from jsonschema import Draft202012Validator
from waitproof.cli import main
from waitproof.judge import checks
from waitproof.run import impossible_expectations
from waitproof.suite import bundled_suite, contract_keys, contract_schema, lint_suite, new_suite

CONTRACTS = [*sorted(bundled_suite().parent.glob("*/contract.yaml")), MINI / "contract.yaml"]


def wrong(contract: object) -> list[str]:
    errors = Draft202012Validator(contract_schema(checks())).iter_errors(contract)
    return [f"{error.json_path}: {error.message}" for error in errors]


@pytest.mark.parametrize("extends", [None, "stream", str(MINI)])
def test_a_new_suite_is_right_as_it_is(tmp_path: Path, extends: str | None) -> None:
    folder = tmp_path / "My API, 2nd"

    files = new_suite(folder, checks(), extends)
    suite, mistakes = lint_suite(folder)

    assert [str(each) for each in mistakes] == []
    assert suite.name == "my-api-2nd"
    assert impossible_expectations(suite) == []
    assert sorted(each for each in folder.rglob("*") if each.is_file()) == [folder / each for each in files]


def test_a_new_suite_can_extend_a_new_one_that_extends_another(tmp_path: Path) -> None:
    new_suite(tmp_path / "a", checks())
    new_suite(tmp_path / "b", checks(), str(tmp_path / "a"))
    new_suite(tmp_path / "c" / "d", checks(), str(tmp_path / "b"))

    suite, mistakes = lint_suite(tmp_path / "c" / "d")

    assert [str(each) for each in mistakes] == []
    assert len(suite.scenarios) == 4
    assert "extends: ../../b\n" in (tmp_path / "c" / "d" / "contract.yaml").read_text()


def test_each_key_of_a_new_suites_contract_has_a_comment(tmp_path: Path) -> None:
    new_suite(tmp_path / "new", checks())
    lines = (tmp_path / "new" / "contract.yaml").read_text().splitlines()

    bare = [
        line
        for before, line in itertools.pairwise(lines)
        if re.match(r"[a-z_]+:", line) and not before.startswith("#")
    ]

    assert bare == ['source: "https://docs.example.com/jobs"', "snippets:"]  # each with the one before it


def test_a_new_suites_files_name_the_schemas_beside_them(tmp_path: Path) -> None:
    for file in new_suite(tmp_path / "new", checks()):
        path = tmp_path / "new" / file
        if path.suffix == ".yaml":
            first = path.read_text().splitlines()[0]
            schema = path.parent / first.removeprefix("# yaml-language-server: $schema=")
            value = yaml.safe_load(path.read_text())
            assert list(Draft202012Validator(json.loads(schema.read_text())).iter_errors(value)) == []


def test_a_folder_that_is_in_use_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").write_text("x")

    assert main(["new", "suite", str(tmp_path)]) == 2
    assert main(["new", "suite", str(tmp_path / "mine" / "below")]) == 2
    assert main(["new", "suite", str(tmp_path / "new"), "--extends", "steam"]) == 2

    assert capsys.readouterr().err == (
        f"{tmp_path}: it already exists\n  fix:      name a folder that does not exist yet\n"
        f"{tmp_path}/mine/below: the suite cannot be created: not a directory\n"
        "--extends: no suite is called 'steam'\n"
        "  expected: a folder that holds a contract.yaml, or the name of a suite that comes with waitproof\n"
        "  fix:      did you mean 'stream'?\n"
    )


# --- schema and reference -----------------------------------------------------------------------------


@pytest.mark.parametrize("file", CONTRACTS, ids=lambda file: file.parent.name)
def test_the_schema_takes_every_contract(file: Path) -> None:
    assert wrong(yaml.safe_load(file.read_text())) == []


def test_the_schema_knows_checks_and_their_arguments() -> None:
    contract = yaml.safe_load((MINI / "contract.yaml").read_text())
    contract["requirements"][0]["check"] = "returns_resul"
    contract["requirements"][3]["with"] = {"option": "pased"}

    found = wrong(contract)

    assert [each.split(":")[0] for each in found] == [
        "$.requirements[0].check",
        "$.requirements[3].with.option",
    ]


def test_only_a_contract_that_extends_may_leave_keys_out() -> None:
    small = {"format": 1, "name": "ours"}

    assert wrong({**small, "extends": "stream"}) == []
    assert len(wrong(small)) == 1


def test_each_key_of_a_contract_has_a_sentence() -> None:
    keys = contract_keys(contract_schema(checks()))

    assert [f"{part}.{key}" for part, key, value in keys if not value["description"]] == []


def test_the_committed_schema_of_contracts_is_the_models() -> None:
    committed = (ROOT / "scenarios" / "contract.schema.json").read_text()

    assert json.loads(committed) == contract_schema(checks()), "run: make schema"


def test_the_contracts_reference_is_fresh() -> None:
    text = PAGE.read_text(encoding="utf-8")

    assert text == renewed(text), "run: make schema"


# --- checks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", checks())
def test_each_check_says_what_it_accuses_and_what_it_excuses(kind: str) -> None:
    check = checks()[kind]

    assert check.sentence.endswith(".")
    assert "\n" not in check.sentence
    assert check.accuses
    assert check.excuses


def test_checks_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--checks", "timeout_not_early"]) == 0
    assert capsys.readouterr().out == (
        "timeout_not_early\n"
        "  A wait that never ends lasts its whole timeout.\n"
        "  with:     nothing\n"
        "  reads:    nothing of a call's expectation\n"
        "  time:     yes: what a busy machine could have caused is re-run in isolation\n"
        "  accuses:  a timeout that is raised before its time\n"
        "  excuses:  20 ms of a timer\n"
    )
    assert main(["explain", "--checks"]) == 0
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if line and not line.startswith(" ")] == list(checks())
    assert main(["explain", "--checks", "timeout_not_erly"]) == 2
    assert capsys.readouterr().err == (
        "explain: no check is called 'timeout_not_erly'\n  fix:      did you mean 'timeout_not_early'?\n"
    )
