"""pytest-httpserver as it is shipped, with tasks behind a matcher and a handler as one writes for it.

python benchmarks/mock/shipped.py PORT [threaded]
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections import Counter

from engines import STATUSES, body_of
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response


def main() -> None:
    """Serve until the process is ended."""
    polls: Counter[str] = Counter()
    lock = threading.Lock()

    def answer(request: Request) -> Response:
        task_id = request.path.rpartition("/")[2]
        with lock:
            polls[task_id] += 1
            status = STATUSES[min(polls[task_id], len(STATUSES)) - 1]
        body = body_of(task_id, status, time.time_ns())
        return Response(json.dumps(body, separators=(",", ":")), content_type="application/json")

    server = HTTPServer(port=int(sys.argv[1]), threaded=sys.argv[2:] == ["threaded"])
    server.expect_request(re.compile("/api/v2/tasks/[^/]+")).respond_with_handler(answer)
    server.start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
