"""The socket that a server listens on, and the system's limit on the connections that it can have."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence

from waitproof.errors import InputError, Mistake

__all__ = ["listen", "listen_on_all", "raise_file_limit"]

BACKLOG = 4096  # the kernel drops connects beyond it, and a dropped one is tried again after a second
MAX_PORT = 65535
PORTS_TRIED = 10  # that the system chooses for one host, and another program has on another
MANY_FILES = 10_240  # what macOS lets a process have where its hard limit says "unlimited"

_FREE_PORT = "--port 0 lets the system choose a free one"


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Args:
        host: An address or a name of this machine, "" for all of its IPv4 addresses.
        port: The port, 0 for one that the system chooses.

    Raises:
        InputError: Nothing can listen there.
    """
    if not 0 <= port <= MAX_PORT:  # the resolver would take it modulo 65536
        fact = "there is no such port"
        raise InputError(Mistake(f"--port {port}", fact, expected=f"0 to {MAX_PORT}", fix=_FREE_PORT))
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        found = socket.getaddrinfo(
            host or None, port, family, socket.SOCK_STREAM, socket.IPPROTO_TCP, socket.AI_PASSIVE
        )
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, True)
        listener.bind(found[0][4])
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise InputError(_cannot_listen(host, port, error)) from error
    except BaseException:  # a name that is no host's at all
        listener.close()
        raise
    return listener


def listen_on_all(hosts: Sequence[str], port: int) -> list[socket.socket]:
    """Return sockets that listen on the same port of several hosts.

    Args:
        hosts: The first as for `listen`; of the others, those that this machine does not have are left out.
        port: The port, 0 for one that the system chooses.

    Raises:
        InputError: Nothing can listen on the first host, or another program listens on that port of another.
    """
    for attempt in range(PORTS_TRIED, 0, -1):
        found = [listen(hosts[0], port)]
        chosen = found[0].getsockname()[1]
        for host in hosts[1:]:
            try:
                found.append(listen(host, chosen))
            except InputError as error:
                cause = error.__cause__
                if not isinstance(cause, OSError) or cause.errno != errno.EADDRINUSE:
                    continue  # such as ::1 where there is no IPv6
                for each in found:
                    each.close()
                if port or attempt == 1:
                    raise
                break
        else:
            return found
    raise AssertionError("the last attempt returns or raises")


def _cannot_listen(host: str, port: int, error: OSError) -> Mistake:
    if error.errno == errno.EADDRINUSE:
        fact = f"another program is already listening on port {port} of {host}"
        return Mistake(f"--port {port}", fact, fix=f"stop that program; or {_FREE_PORT}")
    if error.errno == errno.EACCES:
        fact = f"this user is not allowed to listen on port {port} of {host}"
        return Mistake(f"--port {port}", fact, fix=f"use a port above 1023; or {_FREE_PORT}")
    fact = f"cannot listen on {host}: {error}"
    return Mistake(f"--host {host}", fact, expected="an address of this machine, such as 127.0.0.1")


def raise_file_limit() -> None:
    """Let this process have as many connections as the system allows: each is an open file.

    For a process that only serves: programs that it would start inherit the limit.
    """
    try:
        import resource  # noqa: PLC0415 - Windows has none, and no such limit
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (hard, MANY_FILES):
        if soft == resource.RLIM_INFINITY or soft >= limit != resource.RLIM_INFINITY:
            return
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        except (OSError, ValueError):  # macOS, which names no limit and has one
            continue
        return
