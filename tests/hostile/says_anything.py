"""Speaks the protocol well, and puts into every string it may whatever could harm a report."""

import json
import sys
from typing import Any

from hostile_kit import HELLO, read, write

HARM = (
    "<script>document.title='harmed';alert(1)</script><img src=x onerror=alert(2)>{{7*7}}${7*7}"
    "\x1b[31m\x1b]0;title\x07\x9b2J\x00\x08\r\ud800\udfff\u202e\u2066\u200b\ufeff\ufffe"
    "]]>--></td></table></details>\n::error::forged\n##[error]forged\n"
    "| `x` [y](javascript:alert(3)) @you #1 'q' \"q\" &amp;"
)
LONG = HARM * (10_000_000 // len(HARM) // 4)  # 10 MB as JSON, in which most of it takes several bytes

RAISED = {"kind": "other", "type": HARM, "message": LONG, "fields": {HARM: LONG, "n": [HARM] * 9}}
WAITS: list[dict[str, Any]] = [
    {"outcome": "raised", "exception": RAISED},
    {"outcome": "returned", "result": {HARM: HARM, "deep": [[[LONG]]]}},
    {"outcome": "raised", "exception": {**RAISED, "type": LONG, "message": HARM}},
    {"outcome": "returned", "unencodable": LONG},
    {"outcome": "unsupported", "reason": LONG},
    {"outcome": "adapter_error", "message": LONG},
    {"outcome": "raised", "exception": RAISED},
]
waits = 0


def outcome(request: dict[str, Any]) -> dict[str, Any]:
    """Return another kind of outcome for each wait."""
    global waits  # noqa: PLW0603 - the adapter is this module
    if request["op"] == "get_task":
        return {"outcome": "returned", "task": {"status": HARM, "task_id": LONG, "result": [HARM] * 100}}
    if request["op"] == "begin":
        return {"outcome": "returned", "task_id": HARM}
    waits += 1
    return WAITS[waits % len(WAITS)]


read()
sys.stderr.reconfigure(errors="surrogatepass")  # type: ignore[union-attr]
sys.stderr.write(f"{HARM}\n{HARM * 1000}\n")
sys.stderr.flush()
sdk = {"name": HARM, "version": LONG, "language": HARM, "runtime": HARM}
write(json.dumps({**HELLO, "sdk": sdk, "helper": HARM, "result_path": ""}))
while True:
    request = read()
    write(json.dumps({"id": request["id"], **outcome(request)}))
