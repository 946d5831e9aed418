"""What failed in the last runs, for `--last-failed` and `--watch`: a file in a folder of the project.

The state is a convenience: a file that cannot be read says nothing, and one that cannot be written is not.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from waitproof.adapter import AdapterSpec
from waitproof.errors import InputError
from waitproof.judge import Status, Verdict
from waitproof.report import write_file

__all__ = ["FOLDER", "LastFailed", "failing"]

FOLDER = ".waitproof_cache"
_FILES = {
    ".gitignore": "# Made by waitproof.\n*\n",
    "CACHEDIR.TAG": "Signature: 8a477f597d28d172789f06886806bc55\n# Made by waitproof; it can be removed.\n",
}


def failing(fail_on: str) -> set[Status]:
    """Return the statuses of what failed, WARN where `fail_on` is "should"."""
    return {Status.FAIL, Status.ERROR} | ({Status.WARN} if fail_on == "should" else set())


class LastFailed:
    """The pairs of a scenario and a requirement that failed when they were last run."""

    def __init__(self, root: Path) -> None:
        """Read the state.

        Args:
            root: The folder of the project's configuration, else the working directory.
        """
        self._root = root
        self._file = root / FOLDER / "last-failed.json"
        self._known: dict[str, list[str]] = {}
        with contextlib.suppress(OSError, ValueError, RecursionError):
            known = json.loads(self._file.read_bytes())
            if isinstance(known, dict):
                self._known = {
                    str(key): list(map(str, each)) for key, each in known.items() if isinstance(each, list)
                }

    def pairs(self, spec: AdapterSpec, suite: str) -> set[tuple[str, str]]:
        """Return what failed of a suite with an adapter."""
        return set(_split(self._known.get(self._key(spec, suite), ())))

    def note(self, spec: AdapterSpec, suite: str, verdicts: Iterable[Verdict], statuses: set[Status]) -> None:
        """Note an adapter's verdicts of a run; what it did not play stays as it was."""
        played = {
            (each.scenario, each.requirement): each.status in statuses and not each.excused
            for each in verdicts
        }
        failed = {pair for pair in self.pairs(spec, suite) if pair not in played}
        failed |= {pair for pair, has_failed in played.items() if has_failed}
        key = self._key(spec, suite)
        self._known.pop(key, None)
        if failed:
            self._known[key] = sorted(":".join(pair) for pair in failed)

    def save(self) -> None:
        """Write the state, unless there has never been one and nothing failed."""
        if not self._known and not self._file.exists():
            return
        with contextlib.suppress(OSError, InputError):
            self._file.parent.mkdir(exist_ok=True)
            for name, text in _FILES.items():
                if not (file := self._file.with_name(name)).exists():
                    file.write_text(text, encoding="utf-8")
            write_file(self._file, json.dumps(self._known, indent=1) + "\n")

    def _key(self, spec: AdapterSpec, suite: str) -> str:
        """Return what an adapter is called in the file: its folder from the project's, or its command."""
        is_folder = spec.argument and Path(spec.argument).is_dir()
        name = os.path.relpath(spec.folder, self._root) if is_folder else " ".join(spec.command)
        return f"{suite} {name}"


def _split(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    for name in names:
        scenario, _, requirement = name.rpartition(":")
        yield scenario, requirement
