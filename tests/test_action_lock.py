"""What the GitHub Action installs: a file of versions with hashes, which fits pyproject.toml."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib

from fakes import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCK = (ROOT / "action" / "requirements.txt").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WANTED = [*PROJECT["project"]["dependencies"], *PROJECT["build-system"]["requires"]]
FIX = "run `make lock`"


def locked() -> dict[str, str]:
    """Return the version of each package in the file."""
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ;]+)", LOCK, re.MULTILINE))


def test_every_dependency_is_in_the_lock_file_and_within_its_range() -> None:
    versions = locked()

    for wanted in map(Requirement, WANTED):
        name = canonicalize_name(wanted.name)
        assert name in versions, f"{name} is not in action/requirements.txt: {FIX}"
        assert versions[name] in wanted.specifier, (
            f"{name}=={versions[name]} is not {wanted.specifier}: {FIX}"
        )


def test_what_the_dependencies_need_is_in_the_lock_file_too() -> None:
    versions, queue, seen = locked(), [Requirement(each).name for each in WANTED], set()

    while queue:
        name = canonicalize_name(queue.pop())
        if name in seen:
            continue
        seen.add(name)
        assert name in versions, f"{name} is not in action/requirements.txt: {FIX}"
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:  # of the build, which is done elsewhere
            continue
        parsed = map(Requirement, needs)
        queue += [need.name for need in parsed if not need.marker or need.marker.evaluate({"extra": ""})]


def test_every_line_of_the_lock_file_is_a_version_with_hashes_and_names_no_other_place() -> None:
    packages = re.findall(r"^(?![ #])(.*?)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", LOCK, re.MULTILINE)

    assert "".join(f"{head}{hashes}\n" for head, hashes in packages) == "".join(
        line for line in LOCK.splitlines(keepends=True) if not line.lstrip().startswith("#")
    )
    for head, _ in packages:
        assert re.fullmatch(r"[a-z0-9-]+==[0-9][0-9.a-z]*( ; .*)?", head), head
    assert len(packages) == len(locked())
