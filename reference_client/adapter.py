"""The adapters of the reference client: `python -m reference_client.adapter sync|async`.

Both variants are one class: their methods have the same names, and what `AsyncClient` returns is awaited
by the kit. `waitproof_kit` is found through the PYTHONPATH of adapter.yaml.
"""

import sys
from importlib.metadata import version
from typing import Any

from waitproof_kit import Adapter, fields_of, run, run_async

from reference_client import (
    AsyncClient,
    Client,
    StreamApiException,
    StreamTaskException,
    StreamTransportException,
)

OPERATIONS = ["delete_channels", "export_channels", "export_users", "delete_users"]

# By kind: the exception, and its documented fields.
EXCEPTIONS = {
    "task": (StreamTaskException, ["task_id", "error_type", "description", "stack_trace", "version"]),
    "transport": (StreamTransportException, ["error_type"]),
    "api": (StreamApiException, ["status_code", "code", "message"]),
}


class ReferenceAdapter(Adapter):
    """Calls one of the two clients and reports what came back."""

    def __init__(self, client_class: type[Client] | type[AsyncClient]) -> None:
        self._client_class = client_class

    def hello(self) -> dict[str, Any]:
        """Return what this SDK is and can do."""
        return {
            "sdk": {"name": "reference_client", "version": version("waitproof")},
            "helper": f"{self._client_class.__name__}.wait_for_task",
            "result_path": "",
            "capabilities": {
                "max_concurrency": 0,
                "non_blocking": self._client_class is AsyncClient,
                "operations": OPERATIONS,
            },
        }

    def connect(self, base_url: str, api_key: str, api_secret: str) -> Client | AsyncClient:
        """Build a client."""
        return self._client_class(api_key=api_key, api_secret=api_secret, base_url=base_url)

    def wait(self, client: Any, task_id: Any, **options: Any) -> Any:
        """Wait for a task, with the options that were given and no others."""
        return client.wait_for_task(task_id, **options)

    def get_task(self, client: Any, task_id: Any) -> Any:
        """Fetch a task."""
        return client.get_task(task_id)

    def begin(self, client: Any, operation: str, arguments: dict[str, Any]) -> Any:
        """Begin a batch operation: here its method and arguments are named as in the protocol."""
        return getattr(client, operation)(**arguments)

    def describe(self, exception: BaseException) -> dict[str, Any] | None:
        """Return kind and fields of an exception that the client documents."""
        for kind, (documented, names) in EXCEPTIONS.items():
            if isinstance(exception, documented):
                return {"kind": kind, "fields": fields_of(exception, names)}
        return None


if __name__ == "__main__":
    if sys.argv[1:] == ["sync"]:
        run(ReferenceAdapter(Client))
    elif sys.argv[1:] == ["async"]:
        run_async(ReferenceAdapter(AsyncClient))
    else:
        sys.exit("usage: python -m reference_client.adapter sync|async")
