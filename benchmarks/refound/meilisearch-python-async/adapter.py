"""The adapter of meilisearch-python-async, the name of meilisearch-python-sdk up to 1.8."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from meilisearch_python_async import Client
from meilisearch_python_async.errors import (
    MeilisearchApiError,
    MeilisearchCommunicationError,
    MeilisearchTaskFailedError,
    MeilisearchTimeoutError,
)
from meilisearch_python_async.task import wait_for_task
from waitproof_kit import Adapter, run_async


class MeilisearchAsyncAdapter(Adapter):
    """Calls the helper and reports what came back."""

    def hello(self) -> dict[str, Any]:
        """Return what this SDK is and can do."""
        return {
            "sdk": {"name": "meilisearch-python-async", "version": version("meilisearch-python-async")},
            "helper": "wait_for_task",
            "capabilities": {
                "max_concurrency": 0,
                "non_blocking": True,
                "no_timeout": True,
                "variants": ["raising"],
                "get_task": False,
            },
        }

    def connect(self, base_url: str, api_key: str, api_secret: str) -> Client:  # noqa: ARG002
        """Build a client; the API's key is the secret."""
        return Client(base_url, api_secret)

    async def wait(self, client: Client, task_id: int, **options: Any) -> Any:
        """Wait for a task, with the options that were given and no others."""
        names = {"poll_interval": "interval_in_ms", "timeout": "timeout_in_ms"}
        given = {
            names.get(name, name): value and round(value * 1000) if name in names else value
            for name, value in options.items()
        }
        task = await wait_for_task(client, task_id, **given)
        return task.model_dump(mode="json", by_alias=True)

    def describe(self, exception: BaseException) -> dict[str, Any] | None:
        """Return the kind of an exception that the SDK documents."""
        if isinstance(exception, MeilisearchTaskFailedError):
            return {"kind": "task", "fields": {}}
        if isinstance(exception, MeilisearchApiError):
            return {"kind": "api", "fields": {}}
        if isinstance(exception, MeilisearchCommunicationError | MeilisearchTimeoutError):
            return {"kind": "transport", "fields": {}}
        return None


if __name__ == "__main__":
    run_async(MeilisearchAsyncAdapter())
