"""The one executable works where there is no Python: made by `make binary`, which runs this."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

BINARY = Path(__file__).parents[1] / "build" / "binary" / "waitproof"
MOST_BYTES = 40_000_000
MOST_CPU_S = 0.8  # to print its version; a machine at rest does it in half a second

Program = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Return a function that runs the executable in a folder where PATH has the named programs alone."""

    def run(*argv: str, path: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        tools = tmp_path / "bin"
        tools.mkdir(exist_ok=True)
        for name in path:
            found = shutil.which(name)
            if not found:
                pytest.skip(f"{name} is not installed")
            (tools / name).unlink(missing_ok=True)
            (tools / name).symlink_to(found)
        env = {"PATH": str(tools), "HOME": str(tmp_path), "CGO_ENABLED": "0"}
        return subprocess.run(
            [BINARY, *argv], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300, check=False
        )

    return run


def test_it_is_small_and_starts_fast(program: Program) -> None:
    spent_s = []
    for _ in range(5):
        before = os.times()
        assert program("--version").stdout.startswith("waitproof ")
        after = os.times()
        spent_s.append(
            after.children_user + after.children_system - before.children_user - before.children_system
        )
    began_s = time.monotonic()
    program("--version")

    size = BINARY.stat().st_size
    print(
        f"{size:,} bytes; {statistics.median(spent_s):.2f} CPU s, {time.monotonic() - began_s:.2f} s to start"
    )
    assert size < MOST_BYTES
    assert statistics.median(spent_s) < MOST_CPU_S


@pytest.mark.parametrize(
    ("language", "path"), [("go", ("go",)), ("node", ("node", "sh")), ("java", ("java", "javac", "sh"))]
)
def test_it_judges_an_adapter_that_it_made_itself(
    language: str, path: tuple[str, ...], program: Program, tmp_path: Path
) -> None:
    made = program("new", "adapter", language, "sdk")
    assert made.returncode == 0, made.stderr

    ended = program("run", "sdk", "-k", "outcomes/", "--json", "report.json", path=path)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "PASS" in ended.stdout
    assert (tmp_path / "report.json").is_file()


def test_what_starts_processes_of_its_own_works(program: Program) -> None:
    proved = program("prove", "--simulated", "-k", "outcomes/")

    assert "correct" in proved.stdout, proved.stdout + proved.stderr
    assert "Traceback" not in proved.stderr


def test_an_adapter_gets_none_of_the_executables_libraries(program: Program, tmp_path: Path) -> None:
    adapter = tmp_path / "env"
    adapter.mkdir()
    (adapter / "adapter.yaml").write_text(
        "format: 1\nname: env\ncommand: [sh, -c, 'env >seen; exit 3']\n", encoding="utf-8"
    )

    program("doctor", "env", path=("sh", "env"))

    assert "LD_LIBRARY_PATH" not in (adapter / "seen").read_text(encoding="utf-8")
