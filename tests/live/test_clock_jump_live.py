"""A helper that waits by the time of day, in a process whose time of day jumps."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from fakes import FAKES, ROOT, waitproof
from waitproof.errors import InputError
from waitproof.run.clock_jump import jumping_clock


def is_installed() -> bool:
    try:
        with jumping_clock(jumps=True):
            return shutil.which("ruby") is not None
    except InputError:
        return False


@pytest.mark.skipif(not is_installed(), reason="libfaketime or ruby is not on this machine")
def test_a_helper_that_waits_by_the_time_of_day_is_found_when_it_jumps(tmp_path: Path) -> None:
    def failures(program: Path, *options: str) -> set[str]:
        report = tmp_path / "report.json"
        waitproof("run", "--adapter", f"ruby {program}", "-k", only, "--json", str(report), *options)
        (adapter,) = json.loads(report.read_text())["adapters"]
        return {each["requirement"] for each in adapter["verdicts"] if each["status"] in {"FAIL", "WARN"}}

    only = "overrides/both-shorter"
    wall_clock, monotonic = FAKES / "wall_clock.rb", ROOT / "adapters" / "kits" / "ruby" / "adapter.rb"

    assert failures(wall_clock) == set()
    assert failures(monotonic, "--clock-jump") == set()
    assert "timeout-not-early" in failures(wall_clock, "--clock-jump")
