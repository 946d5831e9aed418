"""Creates a suite: a folder with a contract, its first scenarios, and the schemas that editors need.

A whole suite is a copy of `first`, a suite for a made-up API with a comment at each key. One that extends
another has a contract of a few lines, and a scenario in that suite's words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from waitproof.errors import InputError, Mistake, why
from waitproof.suite.checks import CheckSpec
from waitproof.suite.contract import Contract, StatusMeaning
from waitproof.suite.files import load_contract
from waitproof.suite.folders import CONTRACT, name_from, suite_folder
from waitproof.suite.scenario import scenario_schema
from waitproof.suite.schema import contract_schema

__all__ = ["CONTRACT_SCHEMA", "SCENARIO_SCHEMA", "new_suite"]

CONTRACT_SCHEMA = "contract.schema.json"
SCENARIO_SCHEMA = "scenario.schema.json"
_FIRST = Path(__file__).parent / "first"
_LANGUAGE_SERVER = "# yaml-language-server: $schema={}\n"

_EXTENDING = """\
# This suite is another one with changes: its contract, requirements and scenarios, and those of this folder.
format: 1
# What commands and reports call this suite: small letters, digits and hyphens.
name: {name}
# The other suite: a bundled one's name, or a folder relative to this file.
extends: {extends}
# Requirements and scenarios of the other suite that do not hold for your SDKs, by their ids.
without: []
# Any other key replaces the other suite's, such as: defaults: {{poll_interval: 1s, timeout: 30s}}

# What your SDKs promise besides. Every requirement needs a scenario that proves it.
requirements:
  - id: {name}-promise
    level: SHOULD
    reason: Why your users rely on it; a MUST has a quote of your documentation in its place.
    check: returns_result
"""

_OWN_SCENARIO = """\
# Write down here which mistake of an SDK this scenario catches.
summary: The task ends after three polls, and the caller gets its result.
proves: [{name}-promise]
# What the server answers, poll by poll; the last step repeats.
task:
{steps}
# What is called, with which options, and what its caller must see.
calls:
  - wait: {{poll_interval: 200ms, timeout: 5s}}
    expect: {{returns: {{value: 1}}}}
"""


def new_suite(folder: Path, checks: Mapping[str, CheckSpec], extends: str | None = None) -> list[Path]:
    """Create a suite in a folder, under the folder's name.

    Args:
        folder: It must not exist yet, or be empty.
        checks: The checks that a contract may name, for the schema.
        extends: Another suite, by its folder or a bundled one's name; None for a suite that stands alone.

    Returns:
        The files, relative to the folder.

    Raises:
        InputError: The folder is in use or cannot be written, or there is no such other suite.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        fix = "name a folder that does not exist yet"
        raise InputError(Mistake(str(folder), "it already exists", fix=fix))
    name = re.sub(r"[^a-z0-9]+", "-", folder.absolute().name.lower()).strip("-") or "ours"
    files = _first(name) if extends is None else _extending(name, folder, extends)
    for scenario in [each for each in files if each != CONTRACT]:
        depth = scenario.count("/")
        files[scenario] = _LANGUAGE_SERVER.format("../" * depth + SCENARIO_SCHEMA) + files[scenario]
    files[CONTRACT] = _LANGUAGE_SERVER.format(CONTRACT_SCHEMA) + files[CONTRACT]
    files[CONTRACT_SCHEMA] = json.dumps(contract_schema(checks), indent=2) + "\n"
    files[SCENARIO_SCHEMA] = json.dumps(scenario_schema(), indent=2) + "\n"
    try:
        for place, text in files.items():
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            (folder / place).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(Mistake(str(folder), f"the suite cannot be created: {why(error)}")) from None
    return sorted(map(Path, files))


def _first(name: str) -> dict[str, str]:
    texts = {
        path.relative_to(_FIRST).as_posix(): path.read_text(encoding="utf-8")
        for path in _FIRST.rglob("*.yaml")
    }
    texts[CONTRACT] = re.sub(r"(?m)^name: .*$", f"name: {name}", texts[CONTRACT], count=1)
    return texts


def _extending(name: str, folder: Path, extends: str) -> dict[str, str]:
    other = suite_folder(extends, option="--extends")
    contract = load_contract(other / CONTRACT)
    if name == contract.name:
        name = f"{name}-2"  # reports of two suites must not look like those of one
    named = name_from(folder, extends)
    text = _EXTENDING.format(name=name, extends=json.dumps(named) if " " in named else named)
    scenario = _OWN_SCENARIO.format(name=name, steps=_steps(contract))
    return {CONTRACT: text, f"{name}/returns-its-result.yaml": scenario}


def _steps(contract: Contract) -> str:
    """Return the steps of a task that ends with a result, in a contract's words."""
    polling = contract.status_for(StatusMeaning.KEEP_POLLING)
    done = contract.status_for(StatusMeaning.RETURN_RESULT)
    first = f"  - {{status: {json.dumps(polling or 'unknown')}, times: 2}}"
    return f"{first}\n  - {{status: {json.dumps(done)}, result: {{value: 1}}}}"
