"""The mock task server: in this process (`TaskServer`), or in a separate one (`ServerProcess`).

Its names are loaded when they are used: the web server beneath costs a tenth of a second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from waitproof.lazy import lazy

if TYPE_CHECKING:
    from waitproof.mock.lag import LagMeter
    from waitproof.mock.listen import raise_file_limit
    from waitproof.mock.process import ServerProcess, TaskPlan
    from waitproof.mock.server import TaskServer
else:
    __getattr__ = lazy(
        __name__,
        {
            "lag": "LagMeter",
            "listen": "raise_file_limit",
            "process": "ServerProcess TaskPlan",
            "server": "TaskServer",
        },
    )

__all__ = ["LagMeter", "ServerProcess", "TaskPlan", "TaskServer", "raise_file_limit"]
