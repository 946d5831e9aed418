"""The configuration of a project: `[tool.waitproof]` in its pyproject.toml, else its waitproof.toml.

It is looked for from the working directory upwards. What it says is what its keys' options would say, and an
option that is typed wins. Its paths are relative to its folder.
"""

from __future__ import annotations

import argparse
import glob
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from waitproof.errors import InputError, Mistake, nearest, why
from waitproof.text import shorten

__all__ = ["READERS", "Configuration", "configure", "find_configuration"]

_PROJECT, _OWN = "pyproject.toml", "waitproof.toml"
_SUITE = ("suite", "scenarios")
READERS: Mapping[str, Sequence[str]] = {  # by command, the keys that it reads
    "run": ("adapters", *_SUITE, "exclude", "fail-on", "baseline", "reports"),
    "baseline": ("adapters", "baseline"),
    "doctor": ("adapters", *_SUITE),
    "explain": _SUITE,
    "lint": _SUITE,
    "list": _SUITE,
    "prove": _SUITE,
    "serve": _SUITE,
}
_REPORTS = ("json", "html", "markdown", "junit", "badge")
_MAX_FOUND = 100  # characters of a line that is shown


@dataclass(frozen=True)
class Configuration:
    """A project's configuration.

    Attributes:
        folder: The file's folder, from the working directory.
        values: What the file says, by key, all of the right type; paths are from the working directory.
        places: Where each key is in the file, for messages.
    """

    folder: Path
    values: Mapping[str, Any]
    places: Mapping[str, str] = field(default_factory=dict)

    def baseline_of(self, folder: Path) -> Path | None:
        """Return the baseline of the adapter in a folder, None where the configuration names none."""
        baseline: Path | None = self.values.get("baseline")
        own = [Path(each).resolve() for each in self.values.get("adapters", ())]
        return baseline if folder.resolve() in own else None


def configure(command: str, options: argparse.Namespace) -> None:
    """Fill in what the configuration says and the command line does not.

    `options.configuration` becomes the configuration, None without one, and `options.configured` the place
    of each option that it has filled in.

    Raises:
        InputError: It has mistakes.
    """
    found = find_configuration(Path.cwd()) if command in READERS else None
    options.configuration, options.configured = found, {}
    if found is None:
        return
    values = {key: value for key, value in found.values.items() if key in READERS[command]}
    if getattr(options, "adapter", None):
        values.pop("adapters", None)
    values |= values.pop("reports", {})
    for key, value in values.items():
        name = key.replace("-", "_")
        if getattr(options, name, True) in (None, []):
            setattr(options, name, value)
            options.configured[name] = found.places.get(key, found.places.get("reports", ""))


def find_configuration(start: Path) -> Configuration | None:
    """Return the nearest configuration in a folder or above it, None if there is none.

    Raises:
        InputError: It has mistakes.
    """
    for folder in (start, *start.parents):
        for name, path in ((_PROJECT, ("tool", "waitproof")), (_OWN, ())):
            file = folder / name
            if file.is_file() and (found := _read(file, path)) is not None:
                return found
    return None


def _read(file: Path, path: Sequence[str]) -> Configuration | None:
    shown = os.path.relpath(file)
    try:
        text = file.read_bytes().decode()
    except OSError as error:
        raise InputError(Mistake(shown, f"the configuration cannot be read: {why(error)}")) from None
    except UnicodeDecodeError as error:
        raise InputError(Mistake(shown, f"byte {error.object[error.start]:#x} is not UTF-8")) from None
    if path and "waitproof" not in text:
        return None  # most projects: nothing is parsed
    import tomllib  # noqa: PLC0415 - only where there is something to read

    try:
        table: Any = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        fact, _, where = str(error).partition(" (at line ")
        line = re.match(r"(\d+), column (\d+)", where)
        place = f"{shown}:{line[1]}:{line[2]}" if line else shown
        raise InputError(Mistake(place, f"this is not TOML: {fact[:1].lower()}{fact[1:]}")) from None
    for key in path:
        table = table.get(key) if isinstance(table, dict) else None
    if table is None:
        return None
    return _Reader(file, shown, text, path).read(table)


class _Reader:
    """Reads one file, and collects every mistake in it."""

    def __init__(self, file: Path, shown: str, text: str, path: Sequence[str]) -> None:
        self._folder = Path(os.path.relpath(file.parent))
        self._shown = shown
        self._lines = text.splitlines()
        self._path = path
        self._mistakes: list[Mistake] = []
        self._kinds: dict[str, Callable[[str, Any], Any]] = {
            "adapters": self._adapters,
            "suite": self._suite,
            "scenarios": self._paths,
            "exclude": self._texts,
            "fail-on": self._level,
            "baseline": self._file,
            "reports": self._reports,
        }

    def read(self, table: Any) -> Configuration:
        if not isinstance(table, dict):
            self._wrong(self._path[-1], table, "a table")
            table = {}
        values = {}
        for key, value in table.items():
            if key in self._kinds:
                values[key] = self._kinds[key](key, value)
            else:
                self._unknown(key, self._kinds)
        if "baseline" in values and len(values.get("adapters") or ()) != 1 and not self._mistakes:
            fix = "put each adapter's known deviations into deviations.yaml in its folder"
            self._add("baseline", "'baseline' needs 'adapters' with exactly one", fix=fix)
        if self._mistakes:
            raise InputError(self._mistakes)
        places = {key: self._at(key)[0] for key in values}
        return Configuration(self._folder, values, places)

    # --- kinds of values ---

    def _text(self, key: str, value: Any) -> str:
        if isinstance(value, str) and value.strip():
            return value
        self._wrong(key, value, "a text")
        return ""

    def _texts(self, key: str, value: Any) -> list[str]:
        if isinstance(value, list) and all(isinstance(each, str) and each.strip() for each in value):
            return value
        fix = f"{key} = {json.dumps([value])}" if isinstance(value, str) and value else ""
        self._wrong(key, value, "a list of texts", fix)
        return []

    def _level(self, key: str, value: Any) -> str:
        if value not in ("must", "should"):
            fix = nearest(value, ["must", "should"]) if isinstance(value, str) else ""
            self._wrong(key, value, '"must" or "should"', fix)
        return str(value)

    def _adapters(self, key: str, value: Any) -> list[str]:
        found: list[str] = []
        for name in self._texts(key, value):
            matches = sorted(glob.glob(name, root_dir=self._folder)) if glob.has_magic(name) else [name]
            folders = [each for each in matches if (self._folder / each / "adapter.yaml").is_file()]
            if not folders:
                inside = glob.glob("*/adapter.yaml", root_dir=self._folder)
                inside += glob.glob("*/*/adapter.yaml", root_dir=self._folder)
                fix = nearest(name, [os.path.dirname(each) for each in inside])
                fact = f"'{name}' is not a folder with an adapter.yaml"
                self._add(key, fact, expected="folders, relative to this file", fix=fix)
            found += [str(self._here(each)) for each in folders]
        return found

    def _suite(self, key: str, value: Any) -> str:
        from waitproof.suite import bundled_suite, is_suite  # noqa: PLC0415 - only where a suite is named

        name = self._text(key, value)
        if not name or is_suite(self._folder / name):
            return str(self._here(name))
        try:
            bundled_suite(name)
        except InputError as error:
            fact, fix = error.mistakes[0].fact, error.mistakes[0].fix
            expected = "a suite's folder, relative to this file, or a bundled suite's name"
            self._add(key, fact, expected=expected, fix=fix)
        return name

    def _paths(self, key: str, value: Any) -> list[Path]:
        return [self._existing(key, name) for name in self._texts(key, value)]

    def _file(self, key: str, value: Any) -> Path:
        return self._here(self._text(key, value))

    def _existing(self, key: str, name: str) -> Path:
        path = self._here(name)
        if not path.exists():
            beside = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
            fix = nearest(path.name, beside)
            self._add(key, f"there is no '{name}'", expected="a path relative to this file", fix=fix)
        return path

    def _reports(self, key: str, value: Any) -> dict[str, Path]:
        if not isinstance(value, dict):
            self._wrong(key, value, f"a table with {', '.join(_REPORTS)}")
            return {}
        found = {}
        for name, file in value.items():
            if name not in _REPORTS:
                self._unknown(name, _REPORTS)
            elif text := self._text(name, file):
                found[name] = self._here(text)
        return found

    def _here(self, name: str) -> Path:
        return Path(os.path.normpath(self._folder / name))

    # --- mistakes ---

    def _at(self, key: str) -> tuple[str, str]:
        """Return the place of a key in the file, and its line; without them where it is written unusually."""
        is_own = not self._path
        for number, line in enumerate(self._lines, 1):
            if header := re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line):
                is_own = header[1].replace(" ", "").startswith(".".join(self._path) or header[1])
            pattern = rf"\s*(?:\[(?:.*\.)?)?[\"']?{re.escape(key)}[\"']?\s*[\].=]"
            if is_own and (found := re.match(pattern, line)):
                column = found.start() + len(line) - len(line.lstrip()) + 1
                return f"{self._shown}:{number}:{column}", shorten(line.strip(), _MAX_FOUND)
        return self._shown, ""

    def _add(self, key: str, fact: str, *, expected: str = "", fix: str = "") -> None:
        place, found = self._at(key)
        self._mistakes.append(Mistake(place, fact, found, expected, fix))

    def _unknown(self, key: str, known: Sequence[str] | Mapping[str, object]) -> None:
        self._add(
            key,
            f"the configuration has no key '{key}'",
            expected=", ".join(known),
            fix=nearest(key, known),
        )

    def _wrong(self, key: str, value: Any, expected: str, fix: str = "") -> None:
        what = shorten(json.dumps(value, default=str, ensure_ascii=False), _MAX_FOUND)
        self._add(key, f"'{key}' is {what}", expected=expected, fix=fix)
