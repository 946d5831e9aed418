from __future__ import annotations

import signal
import time
from pathlib import Path
from subprocess import Popen

from fakes import LIMIT_S, MINI, Mark, running

ENDS_WITHIN_S = 3.0


def lines_until(process: Popen[str], text: str) -> list[str]:
    """Return what is printed, up to the line that begins with a text."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if line.startswith(text):
            return lines
    raise AssertionError(lines)


def test_what_failed_is_run_again_when_a_file_changes_until_ctrl_c(mark: Mark, tmp_path: Path) -> None:
    folder = mark.folder(tmp_path, "HalfTheTime")
    file = folder / "adapter.yaml"
    chosen = ["-k", "own-timeout or completes", "--json", str(folder / "r.json")]

    with running("run", str(folder), "--suite", str(MINI), *chosen, "--watch", cwd=tmp_path) as process:
        first = lines_until(process, "watching ")
        file.write_text(file.read_text().replace("- HalfTheTime", "- MiniAdapter"))
        second = lines_until(process, "watching ")
        file.write_text("format: 1\n")
        assert process.stderr is not None
        broken = process.stderr.readline()
        lines_until(process, "watching ")
        began_s = time.monotonic()
        process.send_signal(signal.SIGINT)
        code = process.wait(LIMIT_S)
        took_s = time.monotonic() - began_s

    assert first[-2].startswith("mini: 2 of 6 scenarios in ")
    assert first[-1] == "watching 1 file in HalfTheTime; Ctrl-C ends it"
    assert second[0] == "HalfTheTime/adapter.yaml has changed"
    assert second[-2].startswith("mini: 1 of 6 scenarios in ")
    assert broken.startswith(f"{file}:1:1: ")
    assert code == 130
    assert took_s < ENDS_WITHIN_S


def test_a_change_of_an_sdk_that_is_used_where_it_is_is_seen(mark: Mark, tmp_path: Path) -> None:
    folder = mark.folder(tmp_path, "HalfTheTime")
    file = folder / "adapter.yaml"
    code = tmp_path / "sdk/client.py"
    code.parent.mkdir()
    code.touch()
    text = file.read_text()
    file.write_text(f"{text}watch: [../sdks]\n")
    chosen = ["-k", "own-timeout"]

    with running("run", str(folder), "--suite", str(MINI), *chosen, "--watch", cwd=tmp_path) as process:
        assert process.stderr is not None
        missing = process.stderr.readline(), process.stderr.readline()
        lines_until(process, "watching ")
        file.write_text(f"{text}watch: [../sdk]\n")
        first = lines_until(process, "watching ")
        code.write_text("fixed = True")
        changed = process.stdout and process.stdout.readline()

    assert missing == (
        f"{file}: its watched file '../sdks' cannot be read: No such file or directory\n",
        "  fix:      correct 'watch'\n",
    )
    assert first[-1] == "watching 2 files in HalfTheTime and sdk; Ctrl-C ends it"
    assert changed == "sdk/client.py has changed\n"
