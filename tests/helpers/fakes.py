"""What tests of whole runs share: the mini suite, and adapters whose processes can be found again."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml
from waitproof.adapter.command import AdapterCommand

ROOT = Path(__file__).parents[2]
MINI = ROOT / "tests" / "suites" / "mini"
KILN = ROOT / "tests" / "suites" / "kiln"
POTTERY = ROOT / "tests" / "suites" / "pottery"
FAKES = ROOT / "tests" / "fake_adapters"
HOSTILE = ROOT / "tests" / "hostile"
KIT = ROOT / "adapters" / "kits" / "python"
ENV = {"PYTHONPATH": f"{KIT}:{HOSTILE}"}
LIMIT_S = 120.0  # takes a second or two; reached only when something hangs


class Mark:
    """A word on the command line of every process of a test, by which those left over are found."""

    def __init__(self) -> None:
        self.text = f"mark-{uuid.uuid4()}"

    def argv(self, mode: str, *arguments: str) -> list[str]:
        """Return the command of a program of ours by its name, else of the mini adapter in that mode."""
        for folder in (FAKES, HOSTILE):
            if (folder / f"{mode}.py").is_file():
                return [sys.executable, "-S", str(folder / f"{mode}.py"), self.text, *arguments]
        return [sys.executable, "-S", str(FAKES / "mini_adapter.py"), mode, self.text, *arguments]

    def command(self, mode: str, *arguments: str, name: str = "") -> AdapterCommand:
        return AdapterCommand(name or mode, tuple(self.argv(mode, *arguments)), FAKES, ENV)

    def folder(
        self, parent: Path, mode: str, *arguments: str, name: str = "", deviations: Sequence[object] = ()
    ) -> Path:
        """Write an adapter's folder and return it."""
        folder = parent / mode
        folder.mkdir()
        spec = {"format": 1, "name": name or mode, "command": self.argv(mode, *arguments), "env": ENV}
        (folder / "adapter.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
        if deviations:
            known = {"format": 1, "deviations": list(deviations)}
            (folder / "deviations.yaml").write_text(yaml.safe_dump(known), encoding="utf-8")
        return folder

    def processes(self) -> list[str]:
        """Return the command lines of the processes that are there now."""
        listed = subprocess.run(
            ["ps", "-A", "-ww", "-o", "stat=,args="], stdout=subprocess.PIPE, check=True, text=True
        )
        lines = listed.stdout.splitlines()
        return [line for line in lines if self.text in line and not line.startswith("Z")]

    def assert_gone(self, within_s: float = 2.0) -> None:
        until_s = time.monotonic() + within_s
        while (left := self.processes()) and time.monotonic() < until_s:
            time.sleep(0.02)
        assert left == []


def clean_env(**more: str) -> dict[str, str]:
    """Return an environment without the colors, widths, CI and pytest settings of the user."""
    dropped = (
        "PYTEST_",
        "COLUMNS",
        "LINES",
        "NO_COLOR",
        "FORCE_COLOR",
        "TTY_",
        "PY_COLORS",
        "TERM",
        "CI",
        "GITHUB_",
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {**kept, **more}


def _hear_interrupts() -> None:
    """A shell's background job ignores SIGINT, nohup's SIGHUP, and so would all that these tests start."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@contextlib.contextmanager
def running(*argv: str, cwd: Path | None = None, **env: str) -> Iterator[subprocess.Popen[str]]:
    """Run `waitproof` in a process that is ended, at the latest, with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "waitproof", *argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        cwd=cwd or ROOT,
        env=clean_env(PYTHONPATH=str(ROOT), **env),
        preexec_fn=_hear_interrupts,  # noqa: PLW1509 - one call that takes no lock
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def waitproof(*argv: str, cwd: Path | None = None, encoding: str = "utf-8") -> tuple[int, str, str]:
    """Run `waitproof` to its end, in an encoding; return its exit code, stdout and stderr."""
    with running(*argv, cwd=cwd, PYTHONIOENCODING=encoding) as process:
        out, err = process.communicate(timeout=LIMIT_S)
        return process.returncode, out, err


def wait_for_line(process: subprocess.Popen[str], start: str) -> None:
    """Read stdout up to a line; it is read unbuffered, so that `communicate` gets all that follows."""
    assert process.stdout is not None
    until_s = time.monotonic() + LIMIT_S
    seen = b""
    while not any(line.startswith(start.encode()) for line in seen.splitlines()):
        ready, _, _ = select.select([process.stdout], [], [], max(0.0, until_s - time.monotonic()))
        assert ready, f"no line {start!r} within {LIMIT_S} s, but {seen!r}"
        chunk = os.read(process.stdout.fileno(), 65536)
        assert chunk, f"stdout ended after {seen!r}"
        seen += chunk
