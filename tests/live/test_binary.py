"""The one executable works where there is no Python: `make binary` makes it, and runs this."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

BINARY = Path(__file__).parents[2] / "build" / "binary" / "waitproof"
MOST_BYTES = 40_000_000
MOST_CPU_S = 1.5  # to print its version; a machine at rest needs a third of it

pytestmark = pytest.mark.skipif(not BINARY.exists(), reason="`make binary` has not made it")

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


def test_it_is_small_and_starts_fast(
    program: Program, record_property: Callable[[str, object], None]
) -> None:
    spent_s = []
    for _ in range(5):
        before = os.times()
        assert program("--version").stdout.startswith("waitproof ")
        after = os.times()
        spent_s.append(
            after.children_user + after.children_system - before.children_user - before.children_system
        )
    size = BINARY.stat().st_size
    record_property("bytes", size)
    record_property("cpu_s", min(spent_s))
    assert size < MOST_BYTES
    assert min(spent_s) < MOST_CPU_S


@pytest.mark.parametrize(("language", "path"), [("go", ("go",)), ("node", ("node", "sh"))])
def test_it_judges_an_adapter_that_it_made_itself(
    language: str, path: tuple[str, ...], program: Program, tmp_path: Path
) -> None:
    made = program("new", "adapter", language, "sdk")
    assert made.returncode == 0, made.stderr

    ended = program("run", "sdk", "-k", "outcomes/completes", "--json", "report.json", path=path)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "PASS" in ended.stdout
    assert (tmp_path / "report.json").is_file()


def test_its_own_adapters_are_started_with_itself(program: Program) -> None:
    proved = program("prove", "--live", "-k", "record_cause.dropped")

    assert proved.returncode == 0, proved.stdout + proved.stderr
    assert "1 caught" in proved.stdout


def test_an_adapter_gets_none_of_the_executables_libraries(program: Program, tmp_path: Path) -> None:
    adapter = tmp_path / "env"
    adapter.mkdir()
    (adapter / "adapter.yaml").write_text(
        "format: 1\nname: env\ncommand: [sh, -c, 'env >seen; exit 3']\n", encoding="utf-8"
    )

    program("doctor", "env", path=("sh", "env"))

    assert "LD_LIBRARY_PATH" not in (adapter / "seen").read_text(encoding="utf-8")
