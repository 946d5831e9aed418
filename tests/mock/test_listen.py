"""Sockets that listen: the same port on several addresses, where this machine has them."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterator

import httpx
import pytest
from waitproof.errors import InputError, Mistake
from waitproof.mock import listen as module
from waitproof.mock.listen import listen, listen_on_all
from waitproof.mock.server import TaskServer

IPV4, IPV6 = "127.0.0.1", "::1"


def has_ipv6() -> bool:
    with contextlib.suppress(InputError):
        listen(IPV6, 0).close()
        return True
    return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")


@contextlib.contextmanager
def closing(sockets: list[socket.socket]) -> Iterator[list[int]]:
    with contextlib.ExitStack() as stack:
        for each in sockets:
            stack.enter_context(each)
        yield [each.getsockname()[1] for each in sockets]


@needs_ipv6
def test_both_loopback_addresses_are_answered_and_freed() -> None:
    with TaskServer(more_hosts=[IPV6]) as server:
        task_id = server.add("never-ends")
        for host in (IPV4, f"[{IPV6}]"):
            answer = httpx.get(f"http://{host}:{server.port}/api/v2/tasks/{task_id}")
            assert answer.status_code == 200
        assert [entry.n for entry in server.polls(task_id)] == [1, 2]
    listen(IPV6, server.port).close()


def test_an_address_that_this_machine_does_not_have_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_ipv6(host: str, port: int) -> socket.socket:
        if host == IPV6:
            raise InputError(Mistake("", "")) from OSError(errno.EADDRNOTAVAIL, "")
        return listen(host, port)

    monkeypatch.setattr(module, "listen", without_ipv6)

    with closing(listen_on_all([IPV4, IPV6], 0)) as ports:
        assert len(ports) == 1


@needs_ipv6
def test_a_port_that_another_program_has_on_one_of_them_is_refused() -> None:
    with listen(IPV6, 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError) as caught:
            listen_on_all([IPV4, IPV6], port)

        assert caught.value.mistakes[0].fact == f"another program is already listening on port {port} of ::1"
        listen(IPV4, port).close()


@needs_ipv6
def test_a_port_that_the_system_chooses_is_free_on_all(monkeypatch: pytest.MonkeyPatch) -> None:
    with listen(IPV6, 0) as taken:
        chosen = [taken.getsockname()[1]]

        def choose_taken_first(host: str, port: int) -> socket.socket:
            return listen(host, chosen.pop() if chosen and not port else port)

        monkeypatch.setattr(module, "listen", choose_taken_first)
        with closing(listen_on_all([IPV4, IPV6], 0)) as ports:
            assert chosen == []
            assert ports[0] == ports[1] != taken.getsockname()[1]
