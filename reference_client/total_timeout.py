"""A timeout for `requests` that bounds the whole exchange.

The timeout that requests takes bounds the connecting once and every single read separately: a server that
sends a byte now and then holds its caller forever. With this adapter mounted, the same number of seconds
bounds connecting, sending, headers and body together. Only looking up the host's name stays outside.
"""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Mapping
from http.client import HTTPResponse
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection

__all__ = ["TotalTimeoutAdapter"]


class TotalTimeoutAdapter(HTTPAdapter):
    """Sends requests whose `timeout`, a number of seconds or None, is one for the whole exchange."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Let the pools open connections whose reads share one timeout."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def send(  # the signature is requests' own
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send; connecting takes its share of the timeout, the reads get the rest."""
        total: Any = Timeout(total=timeout)  # requests takes it, its type hints do not know
        return super().send(request, stream, total, verify, cert, proxies)


class _SharedTimeoutReader(io.RawIOBase):
    """The reading end of a socket: the timeout set at its birth is for all reads together."""

    def __init__(self, sock: socket.socket, raw: io.RawIOBase, timeout_s: float) -> None:
        self._sock = sock
        self._raw = raw
        self._deadline = time.monotonic() + timeout_s

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left_s = self._deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the answer was not complete in time")
        self._sock.settimeout(left_s)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        timeout_s = sock.gettimeout()  # urllib3 has just set it to what connecting and sending left over
        if timeout_s is not None:
            self.fp = io.BufferedReader(_SharedTimeoutReader(sock, self.fp.detach(), timeout_s))


class _Connection(HTTPConnection):
    response_class = _Response


class _TlsConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection
