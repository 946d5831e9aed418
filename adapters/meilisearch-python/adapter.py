"""The adapter of Meilisearch's Python SDK."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from meilisearch import Client
from meilisearch.errors import MeilisearchApiError, MeilisearchCommunicationError, MeilisearchTimeoutError
from waitproof_kit import Adapter, fields_of, run


class MeilisearchAdapter(Adapter):
    """Calls the client and reports what came back."""

    task_id_path = "task_uid"

    def hello(self) -> dict[str, Any]:
        """Return what this SDK is and can do."""
        return {
            "sdk": {"name": "meilisearch", "version": version("meilisearch")},
            "helper": "Client.wait_for_task",
            "result_path": "",
            "capabilities": {
                "max_concurrency": 0,
                "operations": ["add_documents", "delete_documents", "swap_indexes"],
            },
        }

    def connect(self, base_url: str, api_key: str, api_secret: str) -> Client:  # noqa: ARG002
        """Build a client; the API's key is the secret."""
        return Client(base_url, api_secret)

    def wait(self, client: Client, task_id: int, **options: float) -> dict[str, Any]:
        """Wait for a task, with the options that were given and no others."""
        names = {"poll_interval": "interval_in_ms", "timeout": "timeout_in_ms"}
        given = {names[name]: round(seconds * 1000) for name, seconds in options.items()}
        return client.wait_for_task(task_id, **given).model_dump(mode="json", by_alias=True)

    def get_task(self, client: Client, task_id: int) -> dict[str, Any]:
        """Fetch a task."""
        task = client.get_task(task_id)
        return {"task_id": task.uid, "status": task.status, "result": task.details, "error": task.error}

    def begin(self, client: Client, operation: str, arguments: dict[str, Any]) -> Any:
        """Begin an operation."""
        if operation == "add_documents":
            documents = [{"id": each, "title": "Carol"} for each in arguments["ids"]]
            return client.index("movies").add_documents(documents)
        if operation == "delete_documents":
            return client.index("movies").delete_documents(arguments["ids"])
        return client.swap_indexes([{"indexes": arguments["indexes"]}])

    def describe(self, exception: BaseException) -> dict[str, Any] | None:
        """Return kind and fields of an exception that the SDK documents."""
        if isinstance(exception, MeilisearchApiError):
            return {"kind": "api", "fields": fields_of(exception, ["status_code", "code", "type", "link"])}
        if isinstance(exception, MeilisearchCommunicationError | MeilisearchTimeoutError):
            return {"kind": "transport", "fields": {}}
        return None


if __name__ == "__main__":
    run(MeilisearchAdapter())
