"""What the adapters of Stream and AsyncStream share, which is all but the client's class.

Both clients name their methods alike; what AsyncStream returns is awaited by the kit.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from getstream import (
    AsyncStream,
    Stream,
    StreamApiException,
    StreamTaskException,
    StreamTransportException,
)
from getstream.models import ChannelExport
from waitproof_kit import Adapter, fields_of


class GetstreamAdapter(Adapter):
    """Calls one of the two clients and reports what came back."""

    task_path = "data"
    task_id_path = "data.task_id"

    def __init__(self, client_class: type[Stream] | type[AsyncStream]) -> None:
        self._client_class = client_class

    def hello(self) -> dict[str, Any]:
        """Return what this SDK is and can do."""
        return {
            "sdk": {"name": "getstream", "version": version("getstream")},
            "helper": f"{self._client_class.__name__}.wait_for_task",
            "result_path": "data.result",
            "capabilities": {
                "max_concurrency": 0,
                "non_blocking": self._client_class is AsyncStream,
                "operations": ["delete_channels", "export_channels", "export_users", "delete_users"],
            },
        }

    def connect(self, base_url: str, api_key: str, api_secret: str) -> Stream | AsyncStream:
        """Build a client."""
        return self._client_class(api_key=api_key, api_secret=api_secret, base_url=base_url)

    def wait(self, client: Any, task_id: Any, **options: Any) -> Any:
        """Wait for a task, with the options that were given and no others."""
        return client.wait_for_task(task_id, **options)

    def get_task(self, client: Any, task_id: Any) -> Any:
        """Fetch a task."""
        return client.get_task(id=task_id)

    def begin(self, client: Any, operation: str, arguments: dict[str, Any]) -> Any:
        """Begin a batch operation."""
        if operation == "delete_channels":
            return client.chat.delete_channels(**arguments)
        if operation == "export_channels":
            return client.chat.export_channels(channels=[ChannelExport(cid=cid) for cid in arguments["cids"]])
        if operation == "export_users":
            return client.export_users(**arguments)
        return client.delete_users(**arguments)

    def describe(self, exception: BaseException) -> dict[str, Any] | None:
        """Return kind and fields of an exception that the SDK documents."""
        if isinstance(exception, StreamTaskException):
            names = ["task_id", "error_type", "description", "stack_trace", "version"]
            return {"kind": "task", "fields": fields_of(exception, names)}
        if isinstance(exception, StreamTransportException):
            return {"kind": "transport", "fields": fields_of(exception, ["error_type"])}
        if isinstance(exception, StreamApiException):
            return {"kind": "api", "fields": fields_of(exception, ["status_code", "code", "message"])}
        return None
