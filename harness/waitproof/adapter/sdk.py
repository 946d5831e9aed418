"""Finds the SDK that a folder holds, and lets an adapter's folder install it from there.

An SDK's language and name come from the file in which its package manager keeps them. Where a package manager
installs from a folder with a line or two, the adapter's `prepare` does so; elsewhere the author adds it.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["LocalSdk", "find_sdks", "install_from"]


@dataclass(frozen=True)
class LocalSdk:
    """An SDK's own folder.

    Attributes:
        language: Of its kit.
        name: As its package manager knows it; the folder's own where it has none.
        file: By which it was found, such as `go.mod`.
    """

    folder: Path
    language: str
    name: str
    file: str

    @property
    def short_name(self) -> str:
        """Its name as a folder's: without what stands before its last slash, but for a scope."""
        name = re.sub(r"/v\d+$", "", self.name)
        name = name if name.startswith("@") else name.rpartition("/")[2]
        return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "sdk"


def find_sdks(folder: Path) -> list[LocalSdk]:
    """Return the SDK that a folder holds, one for each language whose package file is there."""
    found = []
    for language, patterns in _FILES.items():
        files = [file for pattern in patterns for file in sorted(folder.glob(pattern)) if file.is_file()]
        if files:
            name = _name_in(files[0]) or folder.absolute().name
            found.append(LocalSdk(folder, language, name, files[0].name))
    return found


# The surest first: an SDK in Go or Java may well have a package.json for its formatter.
_FILES = {
    "go": ("go.mod",),
    "java": ("pom.xml", "build.gradle", "build.gradle.kts"),
    "dotnet": ("*.sln", "*.slnx", "*.csproj"),
    "ruby": ("*.gemspec",),
    "php": ("composer.json",),
    "python": ("pyproject.toml", "setup.py", "setup.cfg"),
    "node": ("package.json",),
}


def _name_in(file: Path) -> str:
    """Return the package's name, "" where the file does not say it or cannot be read."""
    try:
        text = file.read_text(encoding="utf-8")
        match file.name:
            case "go.mod":
                found = re.search(r"(?m)^module\s+\"?([^\s\"]+)", text)
                return found[1] if found else ""
            case "pyproject.toml":
                name = tomllib.loads(text).get("project", {}).get("name")
            case "package.json" | "composer.json":
                name = json.loads(text).get("name")
            case _:
                return file.stem if file.suffix == ".gemspec" else ""
    except (OSError, ValueError, AttributeError):
        return ""
    return name if isinstance(name, str) else ""


def install_from(sdk: LocalSdk, adapter: Path) -> bool:
    """Let a kit's copy install the SDK from its folder; False where its author has to say how.

    Raises:
        OSError: A file of the copy cannot be read or written.
    """
    wire = _INSTALLS.get(sdk.language)
    if wire is None:
        return False
    lines, replaced = wire(sdk, adapter, os.path.relpath(sdk.folder.resolve(), adapter.resolve()))
    file = adapter / "adapter.yaml"
    text = file.read_text(encoding="utf-8")
    old = text.splitlines(keepends=True)
    at = next(n for n, line in enumerate(old) if line.startswith(("# ", "inputs:", "prepare:", "command:")))
    kept = [line for line in old[at:] if not line.startswith(replaced)] if replaced else old[at:]
    file.write_text("".join([*old[:at], *(f"{line}\n" for line in lines), *kept]), encoding="utf-8")
    return True


_Wired = tuple[list[str], tuple[str, ...]]  # lines for adapter.yaml, and what lines there begin with that go


def _python(sdk: LocalSdk, _adapter: Path, path: str) -> _Wired:
    lines = [
        f"inputs: [{_quoted(f'{path}/{sdk.file}')}] # prepare is repeated when it changes",
        _watch(path, sdk),
        "prepare: # the SDK is used where it is, so a change of its code needs no new prepare",
        "  - [python3, -m, venv, .venv]",
        "  - [.venv/bin/python, -m, pip, install, --quiet, --disable-pip-version-check, --editable, "
        f"{_quoted(path)}]",
        "command: [.venv/bin/python, adapter.py]",
    ]
    return lines, ("command:",)


def _node(sdk: LocalSdk, adapter: Path, path: str) -> _Wired:
    package = {"private": True, "dependencies": {sdk.name: f"file:{path}"}}
    (adapter / "package.json").write_text(json.dumps(package, indent=2) + "\n", encoding="utf-8")
    npm = f"npm, --prefix, {_quoted(path)}"
    quiet = "--no-audit, --no-fund, --silent"
    try:
        scripts = json.loads((sdk.folder / "package.json").read_text(encoding="utf-8")).get("scripts")
    except (ValueError, AttributeError):
        scripts = None
    builds = isinstance(scripts, dict) and "build" in scripts
    sources = [each for each in ("src", "lib") if builds and (sdk.folder / each).is_dir()]
    lines = [
        f"inputs: [package.json, {_listed(path, ['package.json', *sources])}]"
        " # prepare is repeated when one of these changes",
        *([] if sources else [_watch(path, sdk)]),
        "prepare: # the SDK is used where it is",
        f"  - [{npm}, install, {quiet}]",
        *([f"  - [{npm}, run, build]"] if builds else []),
        f"  - [npm, install, {quiet}]",
    ]
    return lines, ()


def _go(sdk: LocalSdk, adapter: Path, path: str) -> _Wired:
    with (adapter / "go.mod").open("a", encoding="utf-8") as module:
        module.write("\n// The SDK is used where it is; `go mod tidy` requires it once it is imported.\n")
        module.write(f"replace {sdk.name} => {path}\n")
    inputs = f"[go.mod, api.json, {_quoted('**/*.go')}, {_quoted(path + '/**/*.go')}]"
    lines = [
        f"inputs: {inputs} # prepare is repeated when one of these changes",
        "prepare:",
        "  - [go, mod, tidy]",
    ]
    return lines, ("inputs:", "prepare:")


_INSTALLS: dict[str, Callable[[LocalSdk, Path, str], _Wired]] = {"python": _python, "node": _node, "go": _go}


def _watch(path: str, sdk: LocalSdk) -> str:
    return f"watch: [{_listed(path, _sources(sdk.folder))}] # `waitproof run --watch` looks at these, too"


def _sources(folder: Path) -> list[str]:
    """Return the folders of an SDK's code, relative to the SDK's folder; that folder if none is found."""
    if usual := [each for each in ("src", "lib") if (folder / each).is_dir()]:
        return usual
    return sorted({file.parent.name for file in folder.glob("*/__init__.py")} - {"test", "tests"}) or ["."]


def _listed(path: str, names: Sequence[str]) -> str:
    return ", ".join(_quoted(os.path.normpath(f"{path}/{each}")) for each in names)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
