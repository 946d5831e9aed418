"""The adapter of getstream's async client."""

from getstream import AsyncStream
from getstream_adapter import GetstreamAdapter  # in ../getstream-python, see adapter.yaml
from waitproof_kit import run_async

if __name__ == "__main__":
    run_async(GetstreamAdapter(AsyncStream))
