"""`waitproof run --watch`: runs again what failed when the files of an adapter or of its SDK change.

Files are looked at by their times, twice a second: that works on every file system. Ctrl-C ends it at once.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import sys
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from waitproof.adapter import AdapterSpec, find_adapter, input_files, watched_files
from waitproof.cli.console import say
from waitproof.errors import InputError
from waitproof.run import ExitCode
from waitproof.text import escape, plural

__all__ = ["watch"]

PAUSE_S = 0.5  # between two looks


def watch(
    options: argparse.Namespace,
    arguments: Sequence[str],
    ignored: Collection[Path],
    run: Callable[[Callable[[], None]], ExitCode],
) -> ExitCode:
    """Run, then again after each change, until a run is interrupted.

    Args:
        options: The command's options; from the second round on, `last_failed` is set.
        arguments: The adapters, as they were named.
        ignored: Files that a run writes.
        run: Runs once; calls its argument when the adapters are prepared, which may change their files.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed between two runs.
    """
    files = _Files(arguments, {path.resolve() for path in ignored})
    while True:
        files.look()
        try:
            files.check()
            code = run(files.look)
        except InputError as error:  # such as a `prepare` that does not compile
            print(escape(str(error)), file=sys.stderr)
            files.look()
        else:
            if code is ExitCode.INTERRUPTED:
                return code
        options.last_failed, options.prepare = True, False
        where = " and ".join(_folders(files.times))
        say(f"watching {plural(len(files.times), 'file')}{where and f' in {where}'}; Ctrl-C ends it")
        say(f"{files.wait()} has changed")


class _Files:
    """The files of adapters.

    Attributes:
        times: When each was last changed, as of the last look.
    """

    def __init__(self, arguments: Sequence[str], ignored: Collection[Path]) -> None:
        self.times: dict[str, int] = {}
        self._arguments = arguments
        self._ignored = ignored

    def check(self) -> None:
        """Raise an InputError where an adapter's `watch` names what is not there."""
        for argument in self._arguments:
            if Path(argument).is_dir():
                watched_files(find_adapter(argument))

    def look(self) -> None:
        """Note how the files are now."""
        self.times = self._now()

    def wait(self) -> str:
        """Wait until a file differs from what it was, and until its writer is done; return its name."""
        while (now := self._now()) == self.times:
            time.sleep(PAUSE_S)
        changed = next(name for name in {**now, **self.times} if now.get(name) != self.times.get(name))
        while True:
            time.sleep(PAUSE_S)
            if (later := self._now()) == now:
                return changed
            now = later

    def _now(self) -> dict[str, int]:
        times = {}
        for file in (file for argument in self._arguments for file in _files(argument)):
            with contextlib.suppress(OSError):
                if file.resolve() not in self._ignored:
                    times[os.path.relpath(file)] = file.stat().st_mtime_ns
        return times


def _files(argument: str) -> list[Path]:
    """Return an adapter's files: its folder, `inputs` and `watch`, or the files that its command names."""
    try:
        spec = find_adapter(argument)
        if Path(argument).is_dir():
            inputs = input_files(spec) if spec.inputs else ()
            return [spec.folder / name for name in (*_own(spec), *inputs, *watched_files(spec))]
    except InputError:  # an adapter.yaml with a mistake: it is looked at until it has none
        return [each for each in Path(argument).glob("*") if each.is_file()]
    return [Path(word) for word in shlex.split(argument) if Path(word).is_file()]


def _folders(files: Collection[str]) -> list[str]:
    """Return the folders that hold files, without those inside of another one; not this folder itself."""
    folders = sorted({os.path.dirname(file) for file in files} - {""})
    return [each for each in folders if not any(each.startswith(f"{other}/") for other in folders)]


def _own(spec: AdapterSpec) -> list[str]:
    return ["adapter.yaml", *input_files(AdapterSpec(spec.name, spec.folder, spec.command))]
