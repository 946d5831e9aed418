"""Other ways onto the network for live variants: the standard library's http.client, HTTP/1.0 if need be."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from urllib.parse import urlsplit

from reference_client import wire

__all__ = ["HttpClientTransport"]


class _Http10(http.client.HTTPConnection):
    _http_vsn = 10
    _http_vsn_str = "HTTP/1.0"


class HttpClientTransport:
    """Connections as http.client keeps them: it does not see that the server has closed one."""

    def __init__(self, *, is_http_10: bool = False) -> None:
        self._kind = _Http10 if is_http_10 else http.client.HTTPConnection
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def now(self) -> float:
        """Return the machine's monotonic clock."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Block the thread."""
        time.sleep(seconds)

    def send(self, request: wire.Request, timeout_s: float) -> wire.Answer:
        """Send one request on the connection that was used last, else on a new one."""
        parts = urlsplit(request.url)
        with self._lock:
            connection = self._idle.pop() if self._idle else self._kind(parts.netloc)
        connection.timeout = timeout_s
        if connection.sock is not None:
            connection.sock.settimeout(timeout_s)
        headers = {name: value for name, value in request.headers.items() if name != "Accept-Encoding"}
        try:
            connection.request(request.method, f"{parts.path}?{parts.query}", request.body, headers)
            response = connection.getresponse()
            answer = wire.Answer(response.status, response.read())
        except TimeoutError as error:
            connection.close()
            raise wire.no_answer(request, timeout_s) from error
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise wire.transport_failure("connection", request, repr(error)) from error
        with self._lock:
            self._idle.append(connection)
        return answer

    def close(self) -> None:
        """Close the connections that are not in use."""
        with self._lock, contextlib.suppress(OSError):
            while self._idle:
                self._idle.pop().close()
