"""What the hostile adapters share: reading requests, writing lines, and an impeccable hello."""

import json
import sys
from typing import Any

HELLO: dict[str, Any] = {
    "op": "hello",
    "protocol": 1,
    "sdk": {"name": "hostile", "version": "1.0", "language": "python", "runtime": "CPython"},
    "helper": "wait",
    "result_path": "",
    "capabilities": {"max_concurrency": 0},
}


def read() -> dict[str, Any]:
    """Return the next request; at the end of stdin the adapter exits."""
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    request: dict[str, Any] = json.loads(line)
    return request


def write(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def answer(call: dict[str, Any], **members: Any) -> None:
    write(json.dumps({"id": call["id"], "outcome": "returned", **members}))


def greet() -> None:
    read()
    write(json.dumps(HELLO))
