"""The data of benchmarks/refound.py: each pair must be able to show what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import waitproof.judge  # noqa: F401 - it brings the checks that contracts name
import yaml
from waitproof.suite import load_suite

ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS = ROOT / "benchmarks"
PAIRS: list[dict[str, Any]] = yaml.safe_load((BENCHMARKS / "refound.yaml").read_text("utf-8"))


@pytest.mark.parametrize("pair", PAIRS, ids=[each["name"] for each in PAIRS])
def test_a_pair_names_a_scenario_that_proves_its_requirement(pair: dict[str, Any]) -> None:
    scenario_id, _, requirement = pair["shows"].rpartition(":")
    suite = load_suite(ROOT / "scenarios" / pair["suite"])
    scenario = next(each for each in suite.scenarios if each.id == scenario_id)

    assert requirement in scenario.proves


@pytest.mark.parametrize("pair", PAIRS, ids=[each["name"] for each in PAIRS])
def test_a_pair_is_complete(pair: dict[str, Any]) -> None:
    overlays = [BENCHMARKS / "refound" / each for each in pair.get("overlay", {}).values()]

    assert (ROOT / "adapters" / pair["adapter"] / "adapter.yaml").exists()
    assert all(each.is_dir() for each in overlays)
    assert ("was" in pair) is not ("says" in pair)
    assert pair["link"].startswith("https://github.com/")
    assert pair["story"].strip().endswith(".")
