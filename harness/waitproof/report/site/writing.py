"""Writes a site into its folder, and removes what an earlier site left there.

An edge. The folder's list of our files is written before the first page and after the last one, so that even
after a crash nobody's file but ours is ever removed or replaced.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path

from waitproof.errors import InputError, Mistake, why
from waitproof.report.writing import write_file

__all__ = ["check_folder", "write_files"]

LIST = ".waitproof-site.json"
_FORMAT = 1


def check_folder(out: Path) -> set[str]:
    """Return the paths of an earlier site's files in a folder, none where it is new or empty.

    Hidden files, such as `.git`, don't count.

    Raises:
        InputError: It is something else, or holds files and isn't a site of ours.
    """
    if out.exists() and not out.is_dir():
        raise InputError(
            Mistake("--site", f"{out} is not a folder", fix=f"--site {shlex.quote(f'{out}-site')}")
        )
    try:
        if not out.is_dir() or not any(not name.startswith(".") for name in os.listdir(out)):
            return set()
        text = (out / LIST).read_text(encoding="utf-8") if (out / LIST).is_file() else ""
    except (OSError, UnicodeDecodeError) as error:
        reason = why(error) if isinstance(error, OSError) else "it is not UTF-8"
        raise InputError(Mistake("--site", f"{out} cannot be read: {reason}")) from None
    try:
        values = json.loads(text)
        if values["waitproof-site"] == _FORMAT and all(isinstance(each, str) for each in values["files"]):
            return set(values["files"])
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    fact = f"{out} holds files, and is not a site that waitproof has made"
    raise InputError(Mistake("--site", fact, fix="name a new or an empty folder"))


def write_files(out: Path, old: set[str], files: Iterable[tuple[str, Callable[[], str]]]) -> int:
    """Write the files of a site, remove those of the earlier one that it doesn't have, and count them.

    Args:
        out: The folder; it is created.
        old: What `check_folder` returned.
        files: The path of each below the folder, with `/`, and what makes its text.

    Raises:
        InputError: One cannot be written, or would replace a file that isn't ours.
    """
    made = list(files)
    new = {path for path, _ in made}
    root = Path(os.path.realpath(out))
    strangers = [path for path in sorted(new - old) if os.path.lexists(root / path)]
    outside = [path for path in sorted(new | old) if not _is_inside(root, path)]
    mistakes = [
        Mistake(str(out / path), "this file is in the way: waitproof has not made it", fix="move it")
        for path in strangers
    ]
    mistakes += [
        Mistake(str(out / path), "this leads out of the site's folder", fix=f"remove {out / LIST}")
        for path in outside
    ]
    if mistakes:
        raise InputError(mistakes)
    try:
        root.mkdir(parents=True, exist_ok=True)
        _write_list(root, old | new)
        for path, make in made:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            write_file(root / path, make(), "page")
        for path in sorted(old - new):
            (root / path).unlink(missing_ok=True)
            _remove_empty(root, (root / path).parent)
        _write_list(root, new)
    except OSError as error:
        raise InputError(Mistake("--site", f"{out} cannot be written: {why(error)}")) from None
    return len(new)


def _write_list(root: Path, files: set[str]) -> None:
    write_file(
        root / LIST, json.dumps({"waitproof-site": _FORMAT, "files": sorted(files)}, indent=1) + "\n", "list"
    )


def _is_inside(root: Path, path: str) -> bool:
    """Say whether a path is a plain one, and no symbolic link on its way leads out of the folder."""
    parts = path.split("/")
    if path.startswith("/") or "\\" in path or not all(part and not part.startswith(".") for part in parts):
        return False
    return os.path.realpath((root / path).parent) == str(Path(root, *parts[:-1]))


def _remove_empty(root: Path, folder: Path) -> None:
    """Remove the folders that are empty now, up to the site's own."""
    while folder != root and folder.is_dir() and not os.listdir(folder):
        folder.rmdir()
        folder = folder.parent
