"""The adapter of Algolia's blocking Python client."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from algoliasearch.http.exceptions import AlgoliaUnreachableHostException, RequestException
from algoliasearch.http.hosts import Host, HostsCollection
from algoliasearch.search.client import SearchClientSync
from algoliasearch.search.config import SearchConfig
from waitproof_kit import Adapter, fields_of, run

INDEX = "movies"


class AlgoliaAdapter(Adapter):
    """Calls the client and reports what came back."""

    task_id_path = "task_id"

    def hello(self) -> dict[str, Any]:
        """Return what this SDK is and can do."""
        return {
            "sdk": {"name": "algoliasearch", "version": version("algoliasearch")},
            "helper": "SearchClientSync.wait_for_task",
            "result_path": "",
            "capabilities": {
                "max_concurrency": 0,
                "options": ["poll_interval", "max_polls"],
                "schedules": True,
                "operations": ["save_object", "batch"],
            },
        }

    def connect(self, base_url: str, api_key: str, api_secret: str) -> SearchClientSync:
        """Build a client with one host; the API's key is the secret."""
        server = urlsplit(base_url)
        config = SearchConfig(api_key, api_secret)
        config.hosts = HostsCollection([Host(url=server.hostname, scheme=server.scheme, port=server.port)])
        return SearchClientSync.create_with_config(config)

    def wait(self, client: SearchClientSync, task_id: int, **options: Any) -> dict[str, Any]:
        """Wait for a task, with the options that were given and no others."""
        given: dict[str, Any] = {}
        if "poll_interval" in options:
            given["timeout"] = pauses(options["poll_interval"])
        if "max_polls" in options:
            given["max_retries"] = options["max_polls"]
        return client.wait_for_task(INDEX, task_id, **given).to_dict()

    def get_task(self, client: SearchClientSync, task_id: int) -> dict[str, Any]:
        """Fetch a task."""
        return client.get_task(INDEX, task_id).to_dict()

    def begin(self, client: SearchClientSync, operation: str, arguments: dict[str, Any]) -> Any:
        """Begin an operation."""
        if operation == "save_object":
            return client.save_object(INDEX, {"title": arguments["title"]})
        requests = [{"action": "addObject", "body": {"title": title}} for title in arguments["titles"]]
        return client.batch(INDEX, {"requests": requests})

    def describe(self, exception: BaseException) -> dict[str, Any] | None:
        """Return kind and fields of an exception that the SDK documents."""
        if isinstance(exception, RequestException):
            return {"kind": "api", "fields": fields_of(exception, ["status_code"])}
        if isinstance(exception, AlgoliaUnreachableHostException):
            return {"kind": "transport", "fields": {}}
        return None


def pauses(interval: float | dict[str, float]) -> Callable[[int], float]:
    """Return the client's function from the number of retries, from 1, to the pause in seconds."""
    if not isinstance(interval, dict):
        return lambda _retries: interval
    if "times" in interval:
        return lambda retries: min(interval["first"] * interval["times"] ** (retries - 1), interval["most"])
    return lambda retries: min(interval["first"] + interval["add"] * (retries - 1), interval["most"])


if __name__ == "__main__":
    run(AlgoliaAdapter())
