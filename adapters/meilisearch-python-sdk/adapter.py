"""The adapter of meilisearch-python-sdk's blocking client."""

from meilisearch_python_sdk import Client
from meilisearch_sdk_adapter import MeilisearchSdkAdapter
from waitproof_kit import run

if __name__ == "__main__":
    run(MeilisearchSdkAdapter(Client))
