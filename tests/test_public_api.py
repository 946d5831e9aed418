"""What `import waitproof` offers, and what importing it costs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import waitproof

REFERENCE = Path(__file__).parents[1] / "docs" / "reference" / "python.md"


def test_the_public_names_are_those_that_the_reference_documents() -> None:
    names = REFERENCE.read_text().partition("\n## In pytest")[0]

    documented = re.findall(r"^\| `(\w+)` \|", names, re.MULTILINE)

    assert sorted(documented) == sorted(waitproof.__all__)


@pytest.mark.parametrize("name", waitproof.__all__)
def test_each_public_name_is_a_documented_class(name: str) -> None:
    found = getattr(waitproof, name)

    assert found.__name__ == name
    assert found.__doc__


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'waitproof' has no attribute 'TaskServr'"):
        waitproof.TaskServr  # type: ignore[attr-defined]  # noqa: B018 - looking it up is the test


@pytest.mark.parametrize("module", ["waitproof", "waitproof.pytest_plugin"])
def test_a_module_that_everyone_loads_imports_nothing_heavy(module: str) -> None:
    program = (
        f"import pytest, sys; before = set(sys.modules); import {module}; print(*set(sys.modules) - before)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout

    assert set(loaded.split()) <= {"waitproof", "waitproof.lazy", "waitproof.pytest_plugin"}
