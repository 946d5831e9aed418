"""Where the files of suites are, and how they are read: names and folders become paths, a path becomes text.

What is in a file is the business of the pure modules, and which files a suite has that of `sources`.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from waitproof.errors import InputError, Mistake, nearest, why

__all__ = [
    "CONTRACT",
    "DEFAULT_SUITE",
    "MAX_FILE_BYTES",
    "bundled_names",
    "bundled_suite",
    "contract_file",
    "id_of",
    "is_suite",
    "name_from",
    "read_file",
    "scenario_paths",
    "shown_path",
    "suite_above",
    "suite_folder",
]

MAX_FILE_BYTES = 512 * 1024  # the largest payload a person writes by hand; ${text:2MiB} makes larger ones
CONTRACT = "contract.yaml"
DEFAULT_SUITE = "stream"  # where nothing names one


def _roots() -> tuple[Path, ...]:
    """Return the folders that may hold suites which come with waitproof."""
    package = Path(__file__).resolve().parents[1]
    return package / "_scenarios", package.parents[1] / "scenarios"


def bundled_names() -> list[str]:
    """Return the names of the suites that come with waitproof."""
    return sorted({file.parent.name for root in _roots() for file in root.glob(f"*/{CONTRACT}")})


def bundled_suite(name: str = DEFAULT_SUITE, *, option: str = "--suite") -> Path:
    """Return the folder of a suite that comes with waitproof: in the installed package, else in a checkout.

    Args:
        name: The suite's.
        option: Which option named it, for the message.

    Raises:
        InputError: There is no suite of that name.
    """
    for root in _roots():
        if name and is_suite(root / name):
            return root / name
    expected = f"a folder that holds a {CONTRACT}, or the name of a suite that comes with waitproof"
    fix = nearest(name, bundled_names())
    raise InputError(Mistake(option, f"no suite is called '{name}'", expected=expected, fix=fix))


def suite_folder(argument: str, *, option: str = "--suite") -> Path:
    """Return the folder of a suite: a folder with a contract, else the bundled suite of that name.

    Another folder that has the name of a bundled suite is not meant.

    Args:
        argument: A path, or the name of a suite that comes with waitproof.
        option: Which option named it, for the message.

    Raises:
        InputError: It is neither. A folder without a contract is returned: its reader says what is missing.
    """
    folder = Path(argument)
    if is_suite(folder):
        return folder
    try:
        return bundled_suite(argument, option=option)
    except InputError:
        if os.path.isdir(folder):
            return folder
        raise


def name_from(folder: Path, argument: str) -> str:
    """Return how a file in a folder names the suite of an argument: a bundled one's name, or a path.

    Raises:
        InputError: There is no such suite.
    """
    suite = suite_folder(argument)
    if not is_suite(Path(argument)):
        return argument
    return Path(os.path.relpath(suite.resolve(), folder.resolve())).as_posix()


def is_suite(folder: Path) -> bool:
    """Say whether a folder has a contract; no where the system refuses to look, such as for a long name."""
    return os.path.isfile(folder / CONTRACT)


def scenario_paths(folder: Path) -> list[Path]:
    """Return a suite's scenario files: all YAML below it but hidden files and other suites."""
    found = [*folder.rglob("*.yaml"), *folder.rglob("*.yml")]
    return sorted(
        path
        for path in found
        if path != folder / CONTRACT
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and not any(each.is_relative_to(folder) and is_suite(each) for each in path.parents if each != folder)
    )


def shown_path(path: Path) -> str:
    """Return a path as a person would type it here."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except (ValueError, OSError, RuntimeError):  # elsewhere; the last two where links lead in a circle
        return str(path)


def suite_above(path: Path) -> Path | None:
    """Return the nearest folder above a file that is a suite, None if there is none."""
    return next((folder for folder in path.parents if is_suite(folder)), None)


def read_file(path: Path) -> str:
    """Return a file's text.

    Raises:
        InputError: It cannot be opened, is too large, or is not UTF-8.
    """
    place = shown_path(path)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # reading a pipe or a device may never end
            raise InputError(Mistake(place, "this is not a file"))
        if status.st_size > MAX_FILE_BYTES:
            fact, expected = f"the file has {status.st_size:,} bytes", f"{MAX_FILE_BYTES:,} or fewer"
            fix = "a large payload is written ${text:2MiB}"
            raise InputError(Mistake(place, fact, expected=expected, fix=fix))
        data = path.read_bytes()
    except OSError as error:
        raise InputError(Mistake(place, f"the file cannot be read: {why(error)}")) from None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        fact = f"byte 0x{data[error.start]:02x} is not UTF-8"
        fix = "save the file as UTF-8"
        raise InputError(Mistake(f"{place}:{line}:{column}", fact, fix=fix)) from None


def contract_file(folder: Path) -> Path:
    """Return the file of a suite's contract.

    Raises:
        InputError: The folder is not a suite.
    """
    file = folder / CONTRACT
    if not is_suite(folder):
        place, expected = shown_path(folder), f"a folder that holds a {CONTRACT}"
        fix = "name the folder itself, such as scenarios/stream"
        raise InputError(Mistake(place, "this is not a suite", expected=expected, fix=fix))
    return file


def id_of(path: Path, folder: Path) -> str:
    """Return the id of the scenario in a file of the suite in `folder`."""
    return path.relative_to(folder).with_suffix("").as_posix()
