"""The mock task server: in this process (`TaskServer`), or in a separate one (`ServerProcess`)."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from waitproof.mock.lag import LagMeter
    from waitproof.mock.process import ServerProcess, TaskPlan
    from waitproof.mock.server import TaskServer, raise_file_limit
    from waitproof.mock.tasks import TaskFactory

__all__ = ["LagMeter", "ServerProcess", "TaskFactory", "TaskPlan", "TaskServer", "raise_file_limit"]

_MODULES = {  # loaded when they are used: the web server beneath costs a tenth of a second
    "LagMeter": "lag",
    "ServerProcess": "process",
    "TaskFactory": "tasks",
    "TaskPlan": "process",
    "TaskServer": "server",
    "raise_file_limit": "server",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
