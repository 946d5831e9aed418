"""Copies a language's kit for a new SDK: a folder that is a working adapter of a small task client.

What the client calls, and what the README says of the API, comes from the suite's contract. The kits are
`adapters/kits/<language>` of a checkout, or `harness/waitproof/_kits` of an installed package.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from waitproof.adapter.api import about, api_file
from waitproof.adapter.inputs import GENERATED_FILES
from waitproof.errors import InputError, Mistake, nearest, why
from waitproof.suite import Contract

__all__ = ["EXAMPLE_CLIENT", "check_language", "languages", "new_adapter"]

EXAMPLE_CLIENT = "example client"  # the name of the SDK in each kit's hello, until its author has another one

IGNORED = shutil.ignore_patterns(
    *GENERATED_FILES, ".build", ".venv", "__pycache__", "bin", "node_modules", "obj", "target"
)


def _kits() -> Path:
    package = Path(__file__).resolve().parents[1]
    installed = package / "_kits"
    return installed if installed.is_dir() else package.parents[1] / "adapters" / "kits"


def languages() -> list[str]:
    """Return the languages that have a kit."""
    return sorted(file.parent.name for file in _kits().glob("*/adapter.yaml"))


def check_language(language: str, place: str) -> None:
    """Raise an InputError for that place if a language has no kit."""
    known = languages()
    if language not in known:
        fix = nearest(language, known)
        fact = f"there is no kit for '{language}'"
        raise InputError(Mistake(place, fact, expected=", ".join(known), fix=fix))


def new_adapter(language: str, folder: Path, contract: Contract, suite: str) -> list[Path]:
    """Copy a language's kit to `folder` and give the adapter the folder's name.

    Args:
        language: One of `languages`.
        folder: Where to.
        contract: What the API looks like.
        suite: How the adapter's folder names the contract's suite; "" for the usual one.

    Returns:
        The files, relative to the folder.

    Raises:
        InputError: There is no such kit, or the folder already exists and is not empty.
    """
    check_language(language, "new adapter")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            Mistake(str(folder), "it already exists", fix="name a folder that does not exist yet")
        )
    try:
        shutil.copytree(_kits() / language, folder, ignore=IGNORED, dirs_exist_ok=True)
        file = folder / "adapter.yaml"
        name = re.sub(r"[^\w.-]+", "-", folder.absolute().name)
        text = re.sub(r"(?m)^name: .*$", f'name: "{name}"', file.read_text(encoding="utf-8"), count=1)
        summary = f"The SDK of {name}, on the {language} kit."
        named = f"\nsuite: {json.dumps(suite, ensure_ascii=False)}" if suite else ""
        text = re.sub(r"(?m)^summary: .*$", lambda _: f'summary: "{summary}"{named}', text, count=1)
        file.write_text(text, encoding="utf-8")
        (folder / "api.json").write_text(api_file(contract, language), encoding="utf-8")
        with (folder / "README.md").open("a", encoding="utf-8") as readme:
            readme.write(about(contract, language, suite))
    except OSError as error:
        raise InputError(Mistake(str(folder), f"the kit cannot be copied: {why(error)}")) from None
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
