"""Settings of the project's own tests: which adapters the suite is run against when none is named."""

import shutil
from pathlib import Path

import pytest

from harness.adapter_folder import read_adapter

pytest_plugins = ["pytester"]

ADAPTERS = Path(__file__).parent / "adapters"
REFERENCE = [ADAPTERS / "reference-client", ADAPTERS / "reference-client-async"]


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Without --adapter: the reference client, and the kit of every language that is on this machine."""
    if not config.option.adapter:
        config.option.adapter = [str(folder) for folder in [*REFERENCE, *_kits()]]


def _kits() -> list[Path]:
    kits = sorted(file.parent for file in ADAPTERS.glob("kits/*/adapter.yaml"))
    return [kit for kit in kits if all(shutil.which(need.program) for need in read_adapter(kit).needs)]
