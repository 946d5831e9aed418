"""A fake adapter on some language's kit, driven as the harness drives it: a process, lines in, lines out."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LIMIT_S = 10  # a hang is a failure with a name, not a stuck run; nothing here takes a tenth of a second

Json = dict[str, Any]


class KitProcess:
    """A running fake adapter: writes lines, and reads answers in the order in which they came."""

    ensure_ascii = True  # of the lines that it is sent

    def __init__(self, *command: str | Path, env: Mapping[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env
        )
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
            line = message if isinstance(message, bytes) else self._encode(message)
            self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def read(self) -> Json:
        line = self.lines.get(timeout=LIMIT_S)
        assert line is not None, f"the adapter ended: {self.stderr.decode()}"
        answer = json.loads(line)
        assert isinstance(answer, dict)
        return answer

    def ask(self, **message: Any) -> Json:
        """Make one call and return its answer without id and elapsed time."""
        self.write({"id": "ask", **message})
        answer = self.read()
        assert answer.pop("id") == "ask"
        answer.pop("elapsed", None)
        return answer

    def end(self) -> int:
        """Close stdin; return the exit code, once the adapter has ended and all it wrote was read."""
        assert self.process.stdin is not None
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

    def _encode(self, message: Json) -> bytes:
        return json.dumps(message, ensure_ascii=self.ensure_ascii).encode()
