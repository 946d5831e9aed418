"""The adapter of meilisearch-python-sdk's async client."""

from meilisearch_python_sdk import AsyncClient
from meilisearch_sdk_adapter import (
    AsyncMeilisearchSdkAdapter,
)  # in ../meilisearch-python-sdk, see adapter.yaml
from waitproof_kit import run_async

if __name__ == "__main__":
    run_async(AsyncMeilisearchSdkAdapter(AsyncClient))
