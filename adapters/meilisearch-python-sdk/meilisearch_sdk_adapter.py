"""What the adapters of Client and AsyncClient share, which is all but the client's class and `await`."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from meilisearch_python_sdk import AsyncClient, Client
from meilisearch_python_sdk.errors import (
    MeilisearchApiError,
    MeilisearchCommunicationError,
    MeilisearchTaskFailedError,
    MeilisearchTimeoutError,
)
from waitproof_kit import Adapter, fields_of


class MeilisearchSdkAdapter(Adapter):
    """Calls the blocking client and reports what came back."""

    task_id_path = "task_uid"

    def __init__(self, client_class: type[Client] | type[AsyncClient]) -> None:
        self._client_class = client_class

    def hello(self) -> dict[str, Any]:
        """Return what this SDK is and can do."""
        return {
            "sdk": {"name": "meilisearch-python-sdk", "version": version("meilisearch-python-sdk")},
            "helper": f"{self._client_class.__name__}.wait_for_task",
            "result_path": "",
            "capabilities": {
                "max_concurrency": 0,
                "non_blocking": self._client_class is AsyncClient,
                "no_timeout": True,
                "variants": ["raising"],
                "operations": ["add_documents", "delete_documents", "swap_indexes"],
            },
        }

    def connect(self, base_url: str, api_key: str, api_secret: str) -> Client | AsyncClient:  # noqa: ARG002
        """Build a client; the API's key is the secret."""
        return self._client_class(base_url, api_secret)

    def wait(self, client: Any, task_id: int, **options: Any) -> Any:
        """Wait for a task, with the options that were given and no others."""
        return wire(client.wait_for_task(task_id, **in_ms(options)))

    def get_task(self, client: Any, task_id: int) -> Any:
        """Fetch a task."""
        return parts(client.get_task(task_id))

    def begin(self, client: Any, operation: str, arguments: dict[str, Any]) -> Any:
        """Begin an operation."""
        if operation == "add_documents":
            documents = [{"id": each, "title": "Carol"} for each in arguments["ids"]]
            return client.index("movies").add_documents(documents)
        if operation == "delete_documents":
            return client.index("movies").delete_documents(arguments["ids"])
        return client.swap_indexes([tuple(arguments["indexes"])])

    def describe(self, exception: BaseException) -> dict[str, Any] | None:
        """Return kind and fields of an exception that the SDK documents."""
        if isinstance(exception, MeilisearchTaskFailedError):
            return {"kind": "task", "fields": {}}
        if isinstance(exception, MeilisearchApiError):
            names = ["status_code", "code", "error_type", "link"]
            return {"kind": "api", "fields": fields_of(exception, names)}
        if isinstance(exception, MeilisearchCommunicationError | MeilisearchTimeoutError):
            return {"kind": "transport", "fields": {}}
        return None


class AsyncMeilisearchSdkAdapter(MeilisearchSdkAdapter):
    """Calls the async client, whose methods have the same names and return awaitables."""

    async def wait(self, client: Any, task_id: int, **options: Any) -> Any:
        """Wait for a task, with the options that were given and no others."""
        return wire(await client.wait_for_task(task_id, **in_ms(options)))

    async def get_task(self, client: Any, task_id: int) -> Any:
        """Fetch a task."""
        return parts(await client.get_task(task_id))


def in_ms(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options under the helper's names and in its unit; None waits without a timeout."""
    names = {"poll_interval": "interval_in_ms", "timeout": "timeout_in_ms"}
    given = {names[name]: value and round(value * 1000) for name, value in options.items() if name in names}
    return given | {name: value for name, value in options.items() if name not in names}  # raise_for_status


def wire(task: Any) -> dict[str, Any]:
    """Return a task under the API's own names, which the model keeps as aliases."""
    return task.model_dump(mode="json", by_alias=True)


def parts(task: Any) -> dict[str, Any]:
    """Return the parts of a task under the protocol's names."""
    return {"task_id": task.uid, "status": task.status, "result": task.details, "error": task.error}
