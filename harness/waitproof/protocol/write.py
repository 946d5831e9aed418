"""The lines that the harness writes to an adapter."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from waitproof.protocol.values import PROTOCOL_VERSION, JsonObject

__all__ = ["write_hello", "write_request"]


def write_hello(*, base_url: str, api_key: str, api_secret: str) -> bytes:
    """Return the line that opens the conversation."""
    return _encoded(
        {
            "op": "hello",
            "protocol": PROTOCOL_VERSION,
            "base_url": base_url,
            "api_key": api_key,
            "api_secret": api_secret,
        }
    )


def write_request(call_id: str, op: str, members: Mapping[str, Any]) -> tuple[JsonObject, bytes]:
    """Return a request and its line; whole seconds among its options are written 2, not 2.0."""
    request: JsonObject = {"id": call_id, "op": op, **members}
    if isinstance(request.get("options"), Mapping):
        request["options"] = {name: _whole(value) for name, value in request["options"].items()}
    return request, _encoded(request)


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _encoded(message: JsonObject) -> bytes:
    """Return a line; ASCII, because a lone surrogate has no UTF-8."""
    return json.dumps(message, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"
