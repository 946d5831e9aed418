"""The processes that one adapter is played in: started, warmed, and used again where that is right.

Starting a process is the dearest thing that a run does: some SDKs take two seconds of a processor to import.
So a process whose scenarios are over is kept for those of the next phase. What must see nobody else's traces,
such as a re-run, gets a fresh one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from waitproof.adapter import AdapterCommand, AdapterProcess
from waitproof.errors import AdapterError
from waitproof.protocol import Hello
from waitproof.run.context import RunContext
from waitproof.run.player import Player
from waitproof.run.workers import WorkerSlot

__all__ = ["API_KEY", "Slots"]

API_KEY = "waitproof-key"


class Slots:
    """See the module.

    Attributes:
        hello: The adapter's introduction, None before one of its processes has answered.
    """

    def __init__(
        self,
        run: RunContext,
        command: AdapterCommand,
        player: Player,
        secret: str,
        is_played: Callable[[str], bool],
    ) -> None:
        """Make the slots of an adapter, none of which has a process.

        Args:
            run: What all adapters share.
            command: What to start.
            player: Warms clients.
            secret: The api_secret that its clients sign with.
            is_played: Says of a client's scenario that it has been played, so that it needs no warm client.
        """
        self.hello: Hello | None = None
        self._run = run
        self._command = command
        self._player = player
        self._secret = secret
        self._is_played = is_played
        self._spare: list[WorkerSlot] = []

    def fresh(self, clients: Sequence[str]) -> WorkerSlot:
        """Return a slot whose process is started when first needed, and warms these clients."""
        start = functools.partial(self._open_warm, clients)
        return WorkerSlot(self._command.name, start, self._run.processes.close)

    def take(self, clients: Sequence[str]) -> WorkerSlot:
        """Return a slot that was kept, if there is one, else a fresh one."""
        if not self._spare:
            return self.fresh(clients)
        slot = self._spare.pop(0)
        warm = functools.partial(self._warm, clients=clients)
        slot.reuse(functools.partial(self._open_warm, clients), warm)
        return slot

    def keep(self, *slots: WorkerSlot) -> None:
        """Keep slots that are in use no more for the next who takes one."""
        self._spare += slots

    def close(self) -> None:
        """End the processes of the slots that nobody has taken."""
        for slot in self._spare:
            slot.close()
        self._spare.clear()

    def _open_warm(self, clients: Sequence[str]) -> AdapterProcess:
        """Return a new process that has said hello and has warmed these clients."""
        process = self._run.processes.open(self._command)
        try:
            base_url = self._run.server.base_url
            self.hello = process.hello(base_url=base_url, api_key=API_KEY, api_secret=self._secret)
        except AdapterError:
            self._run.processes.close(process)
            raise
        self._warm(process, clients)
        return process

    def _warm(self, process: AdapterProcess, clients: Sequence[str]) -> None:
        assert self.hello is not None
        needed = [client for client in clients if not self._is_played(client)] or list(clients)
        if self._player.knows_hangs:
            needed = needed[:1]  # that one will hang as well, and the process is replaced
        for client in needed:
            if self._run.stopping.is_set():
                break
            if not self._player.warm(process, self.hello.capabilities, client):
                break  # an adapter that does not answer for one client won't for the next
