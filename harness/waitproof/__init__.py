"""waitproof proves that an SDK's wait helper keeps the promises of its documentation.

The names below are the public API; each is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from waitproof.errors import AdapterError, HarnessError, InputError, WaitproofError
    from waitproof.mock import TaskServer
    from waitproof.pytest_plugin import WaitproofWarning
else:
    from waitproof.lazy import lazy

    __getattr__ = lazy(
        "waitproof",
        {
            "errors": "AdapterError HarnessError InputError WaitproofError",
            "mock": "TaskServer",
            "pytest_plugin": "WaitproofWarning",
        },
    )

__all__ = ["AdapterError", "HarnessError", "InputError", "TaskServer", "WaitproofError", "WaitproofWarning"]
