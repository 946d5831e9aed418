"""waitproof proves that an SDK's wait helper keeps the promises of its documentation.

The names below are the public API; each is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from waitproof.errors import AdapterError, HarnessError, InputError, WaitproofError
    from waitproof.mock import TaskServer
    from waitproof.pytest_plugin import WaitproofWarning

__all__ = ["AdapterError", "HarnessError", "InputError", "TaskServer", "WaitproofError", "WaitproofWarning"]

_MODULES = {
    "AdapterError": "waitproof.errors",
    "HarnessError": "waitproof.errors",
    "InputError": "waitproof.errors",
    "TaskServer": "waitproof.mock.server",
    "WaitproofError": "waitproof.errors",
    "WaitproofWarning": "waitproof.pytest_plugin",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'waitproof' has no attribute '{name}'")
    return getattr(importlib.import_module(_MODULES[name]), name)
