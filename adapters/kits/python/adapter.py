"""The adapter of the task client beside it. For your own SDK, copy this folder and change this file."""

from __future__ import annotations

from typing import Any

from task_client import API, ApiError, Client, TaskError, TransportError
from waitproof_kit import Adapter, fields_of, run


class TaskClientAdapter(Adapter):
    """Calls the client and reports what came back."""

    def hello(self) -> dict[str, Any]:
        """Return what this SDK is and can do."""
        return {
            "sdk": {"name": "example client", "version": "1.0.0"},
            "helper": "Client.wait_for_task",
            "result_path": "",  # the helper returns the payload itself
            "capabilities": {
                "max_concurrency": 0,
                "operations": list(API["operations"]),
                "options": API["options"],
            },
        }

    def connect(self, base_url: str, api_key: str, api_secret: str) -> Client:
        """Build a client."""
        return Client(api_key, api_secret, base_url)

    def wait(self, client: Client, task_id: Any, **options: float) -> Any:
        """Wait for a task, with the options that were given and no others."""
        return client.wait_for_task(task_id, **options)

    def get_task(self, client: Client, task_id: Any) -> Any:
        """Fetch a task: a dict with task_id, status, result and error, whatever your API calls them."""
        return client.get_task(task_id)

    def begin(self, client: Client, operation: str, arguments: dict[str, Any]) -> Any:
        """Begin an operation: your SDK has a method for each, so call that here."""
        return client.begin(operation, arguments)

    def describe(self, exception: BaseException) -> dict[str, Any] | None:
        """Return kind and fields of an exception that the SDK documents."""
        if isinstance(exception, TaskError):  # your SDK's has attributes: see `fields_of` in the kit
            return {"kind": "task", "fields": exception.fields}
        if isinstance(exception, TransportError):
            if exception.error_type == "timeout":
                return dict(API["timeout"])
            return {"kind": "transport", "fields": fields_of(exception, ["error_type"])}
        if isinstance(exception, ApiError):
            return {"kind": "api", "fields": fields_of(exception, ["status_code", "message"])}
        return None


if __name__ == "__main__":
    run(TaskClientAdapter())
