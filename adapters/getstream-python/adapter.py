"""The adapter of getstream's blocking client."""

from getstream import Stream
from getstream_adapter import GetstreamAdapter
from waitproof_kit import run

if __name__ == "__main__":
    run(GetstreamAdapter(Stream))
