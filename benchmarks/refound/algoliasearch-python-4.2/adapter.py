"""The adapter of algoliasearch 4.2, whose only Python client was the async one."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from algoliasearch.http.hosts import Host, HostsCollection
from algoliasearch.search.client import SearchClient
from algoliasearch.search.config import SearchConfig
from waitproof_kit import Adapter, run_async


class AlgoliaAdapter(Adapter):
    """Calls the client and reports what came back."""

    def hello(self) -> dict[str, Any]:
        """Return what this SDK is and can do."""
        return {
            "sdk": {"name": "algoliasearch", "version": version("algoliasearch")},
            "helper": "SearchClient.wait_for_task",
            "capabilities": {
                "max_concurrency": 0,
                "non_blocking": True,
                "options": ["max_polls"],
                "get_task": False,
            },
        }

    def connect(self, base_url: str, api_key: str, api_secret: str) -> SearchClient:
        """Build a client with one host; the API's key is the secret."""
        server = urlsplit(base_url)
        config = SearchConfig(api_key, api_secret)
        config.hosts = HostsCollection([Host(url=server.hostname, scheme=server.scheme, port=server.port)])
        return SearchClient.create_with_config(config)

    async def wait(self, client: SearchClient, task_id: int, **options: Any) -> dict[str, Any]:
        """Wait for a task, with the options that were given and no others."""
        given = {"max_retries": options["max_polls"]} if "max_polls" in options else {}
        return (await client.wait_for_task("movies", task_id, **given)).to_dict()


if __name__ == "__main__":
    run_async(AlgoliaAdapter())
