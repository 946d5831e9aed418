"""A time of day that jumps while adapters run."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from fakes import ROOT
from waitproof.adapter.command import AdapterCommand
from waitproof.errors import InputError
from waitproof.run import clock_jump
from waitproof.run.clock_jump import jumping_clock, reason_against, under_clock

RUBY = AdapterCommand("ruby", ("ruby",), ROOT)


def test_without_libfaketime_it_is_wrong_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock_jump, "FOLDERS", ("/nowhere",))

    with pytest.raises(InputError) as raised, jumping_clock(jumps=True):
        pass

    assert str(raised.value) == (
        "--clock-jump: libfaketimeMT.so.1 of libfaketime is not on this machine\n"
        "  fix:      install it, such as with apt install libfaketime"
    )


def test_the_offset_jumps_and_its_file_is_gone_at_the_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / clock_jump.LIBRARY).touch()
    monkeypatch.setattr(clock_jump, "FOLDERS", (str(tmp_path),))
    monkeypatch.setattr(clock_jump, "EVERY_S", 0.01)
    until_s = time.monotonic() + 10.0

    with jumping_clock(jumps=True) as clock:
        file = Path(clock["FAKETIME_TIMESTAMP_FILE"])
        seen = {file.read_text()}
        while len(seen) < 3 and time.monotonic() < until_s:
            seen.add(file.read_text())

    assert len(seen) == 3
    assert all(text.startswith("+") and int(text) % 3600 == 0 for text in seen)
    assert clock["LD_PRELOAD"] == str(tmp_path / clock_jump.LIBRARY)
    assert not file.exists()


def test_a_language_that_libfaketime_breaks_is_not_judged_under_it() -> None:
    with jumping_clock(jumps=False) as none:
        assert reason_against(under_clock(RUBY, none), "python") == ""
    jumping = under_clock(RUBY, {"FAKETIME_TIMESTAMP_FILE": "file"})

    assert reason_against(jumping, "Ruby") == ""
    assert reason_against(jumping, "python") == (
        "libfaketime is only known to work with PHP, Ruby and JavaScript, not with python"
    )
