"""The kits' probes: adapters of an SDK that does no network, driven as the harness drives them.

A probe (`tests/live/kits/probes/`) is one small program per language on that language's kit; the task id
says what its fake client does: return a payload, raise, block, print. It is built once:
`tests/live/kits/probes/.build/` keeps what was built under a hash of its sources.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import queue
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LIMIT_S = 20  # a hang is a failure with a name, not a stuck run; nothing here takes a tenth of a second
HELLO = {"op": "hello", "protocol": 1, "base_url": "http://h:1", "api_key": "k", "api_secret": "s"}
ROOT = Path(__file__).parents[2]
KITS = ROOT / "adapters" / "kits"
PROBES = ROOT / "tests" / "live" / "kits" / "probes"

Json = dict[str, Any]


class KitProcess:
    """A running probe: writes lines, and reads answers in the order in which they came."""

    def __init__(
        self, command: list[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=env, cwd=cwd)
        self.lines: queue.Queue[bytes | None] = queue.Queue()
        self.stderr = b""
        self._threads = [
            threading.Thread(target=self._read_lines),
            threading.Thread(target=self._read_stderr),
        ]
        for thread in self._threads:
            thread.start()

    def write(self, *messages: Json | bytes) -> None:
        assert self.process.stdin is not None
        for message in messages:
            line = message if isinstance(message, bytes) else json.dumps(message).encode()
            self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def read(self) -> Json:
        line = self.lines.get(timeout=LIMIT_S)
        assert line is not None, f"the adapter ended: {self.stderr.decode()}"
        answer = json.loads(line)
        assert isinstance(answer, dict)
        return answer

    def greet(self, **members: Any) -> Json:
        """Say hello and return the answer."""
        self.write({**HELLO, **members})
        return self.read()

    def ask(self, **message: Any) -> Json:
        """Make one call and return its answer without id and elapsed time."""
        self.write({"id": "ask", **message})
        answer = self.read()
        assert answer.pop("id") == "ask"
        answer.pop("elapsed", None)
        return answer

    def end(self, last_words: bytes = b"") -> int:
        """Close stdin; return the exit code, once the adapter has ended and all it wrote was read."""
        assert self.process.stdin is not None
        if not self.process.stdin.closed:
            self.process.stdin.write(last_words)
        self.process.stdin.close()
        code = self.process.wait(LIMIT_S)
        for thread in self._threads:
            thread.join(LIMIT_S)
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.end()
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()

    def _read_lines(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def _read_stderr(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.stderr += line


@dataclass(frozen=True, eq=False)
class Kit:
    """A language's kit, and what its language makes of the laws of the protocol.

    Attributes:
        programs: What must be on PATH.
        capabilities: Those that the probe's hello has beside one operation, and any number of calls at once.
        language_error: Type and message of an exception that is the language's own.
        message_failed: The message of an exception whose message cannot be read; None where that cannot be.
        unencodable: Payloads that JSON cannot carry: the task's id -> what the kit says.
        text_is_utf8: A lone surrogate becomes U+FFFD.
        ids_are_text: From which integer on a task id reaches the helper as text, all its digits kept.
        is_serial: One call at a time.
        threads_outlive_main: A thread or timer keeps the process alive when the main thread has ended.
        is_moved_by_command: The command in adapter.yaml moves the descriptors of stdin and stdout.
    """

    name: str
    language: str
    runtime: str
    programs: tuple[str, ...]
    source: str
    probe: str
    task_error: str
    language_error: tuple[str, str]
    message_failed: str | None
    unencodable: dict[str, str]
    capabilities: Json = field(default_factory=dict)
    wrapped_message: str = "the task failed"
    wrapped_error: str = ""
    text_is_utf8: bool = False
    ids_are_text: float = float("inf")
    is_serial: bool = False
    threads_outlive_main: bool = False
    is_moved_by_command: bool = False

    @property
    def missing(self) -> list[str]:
        return [program for program in self.programs if shutil.which(program) is None]

    def start(self, *arguments: str, is_moved: bool = True) -> KitProcess:
        """Start the probe, with its stdin and stdout moved where the command in adapter.yaml does that."""
        command = [*_COMMANDS[self.language](self, built(self)), *arguments]
        if self.is_moved_by_command and is_moved:
            script = f"WAITPROOF_KIT_STREAMS=3,4 exec {shlex.join(command)} 3<&0 4>&1 </dev/null >&2"
            command = ["sh", "-c", script]
        return KitProcess(command, env=_environment())


def _environment() -> dict[str, str]:
    # A JVM that picks options up from its environment says so on stderr.
    kept = {name: text for name, text in os.environ.items() if not name.endswith("JAVA_OPTIONS")}
    kept.pop("JAVA_TOOL_OPTIONS", None)
    return {**kept, "LC_ALL": "C"}


@functools.cache
def built(kit: Kit) -> Path:
    """Return the folder with the built probe; a kit with a dependency does not build."""
    sources = [PROBES / kit.probe, KITS / kit.source, Path(__file__)]
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    folder = PROBES / ".build" / f"{kit.language}-{digest}"
    if not folder.exists():
        folder.parent.mkdir(exist_ok=True)
        for stale in folder.parent.glob(f"{kit.language}-*"):
            shutil.rmtree(stale, ignore_errors=True)
        new = Path(tempfile.mkdtemp(prefix="new-", dir=folder.parent))
        for source in sources[:2]:
            shutil.copy(source, new)
        for command in _BUILDS.get(kit.language, _build_nothing)(new):
            environment = {**os.environ, "GOPROXY": "off", "GOFLAGS": "", "GOWORK": "off"}
            done = subprocess.run(
                command, cwd=new, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr
        try:
            new.rename(folder)
        except OSError:  # another worker was faster
            shutil.rmtree(new)
    return folder


def _build_nothing(_: Path) -> list[list[str]]:
    return []


def _build_go(folder: Path) -> list[list[str]]:
    (folder / "kit.go").unlink()
    needs = f"require waitproof.dev/kits/go v0.0.0\n\nreplace waitproof.dev/kits/go => {KITS / 'go'}\n"
    (folder / "go.mod").write_text(f"module probe\n\ngo 1.21\n\n{needs}", encoding="utf-8")
    return [["go", "build", "-o", "probe", "."]]


def _build_java(folder: Path) -> list[list[str]]:
    return [["javac", "--release", "17", "-encoding", "UTF-8", "-d", "classes", "Probe.java", "Kit.java"]]


def _build_dotnet(folder: Path) -> list[list[str]]:
    shutil.copy(KITS / "dotnet" / "Adapter.csproj", folder / "Probe.csproj")
    return [["dotnet", "build", "--nologo", "--configuration", "Release", "--output", "out", "Probe.csproj"]]


_BUILDS: dict[str, Callable[[Path], list[list[str]]]] = {
    "go": _build_go,
    "java": _build_java,
    "dotnet": _build_dotnet,
}
_COMMANDS: dict[str, Callable[[Kit, Path], list[str]]] = {
    # -S, --disable-gems: a kit that needs more than the standard library does not start.
    "python": lambda kit, at: [sys.executable, "-S", str(at / kit.probe), kit.name.removeprefix("python-")],
    "go": lambda _, at: [str(at / "probe")],
    "java": lambda _, at: [
        "java",
        "-XX:TieredStopAtLevel=1",
        "-Xshare:auto",
        "-cp",
        str(at / "classes"),
        "Probe",
    ],
    "javascript": lambda kit, at: ["node", str(at / kit.probe)],
    "php": lambda kit, at: ["php", str(at / kit.probe)],
    "ruby": lambda kit, at: ["ruby", "--disable-gems", str(at / kit.probe)],
    "dotnet": lambda _, at: ["dotnet", str(at / "out" / "Probe.dll")],
}


@contextlib.contextmanager
def started_folder(name: str, build: list[str], command: list[str]) -> Iterator[KitProcess]:
    """Build and start the adapter in a kit's folder, the one that is copied to begin an adapter."""
    if build:
        subprocess.run(build, cwd=KITS / name, check=True)
    process = KitProcess(command, cwd=KITS / name)
    try:
        yield process
    finally:
        process.close()
