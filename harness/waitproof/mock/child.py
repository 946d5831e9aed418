"""The mock server in a separate process: the child's end.

It serves until its stdin ends. What happens goes to the harness as JSON Lines: every request on arrival and
at its end, every late wake-up that the lag meter saw, and an acknowledgement for each order.

One fact to know before reading on: one thread writes, fed by a queue, so a harness that reads slowly never
holds up the server's loop. And when the loop ends by a mistake of ours, the process ends with it, because
nobody could tell a server that never answers from an SDK that never asks.
"""

from __future__ import annotations

import gc
import json
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from waitproof.errors import InputError
from waitproof.journal import Ended, JournalEntry
from waitproof.mock.handler import RequestHandler
from waitproof.mock.journal import Journal
from waitproof.mock.lag import LagMeter
from waitproof.mock.listen import listen, raise_file_limit
from waitproof.mock.loop import Loop
from waitproof.mock.tasks import ServerState
from waitproof.suite import Contract, Step

__all__ = ["main"]

STOP_S = 0.6  # for the loop's thread to end
FLUSH_S = 0.3  # for the harness to read the last lines of a child that ends
BATCH = 200  # lines written at once
JOURNAL_LIMIT = 1_000  # the harness keeps the journal, the child only what it is serving right now
CANNOT_LISTEN = 3  # exit codes
LOOP_ENDED = 4


class _Outbox:
    """Messages to the harness, written by a separate thread."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._queue: queue.SimpleQueue[JournalEntry | dict[str, Any] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="outbox", daemon=True)
        self._thread.start()
        self.put = self._queue.put

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join(FLUSH_S)

    def _write(self) -> None:
        is_open = True
        while is_open:
            batch = [self._queue.get()]
            while len(batch) < BATCH and not self._queue.empty():
                batch.append(self._queue.get())
            is_open = None not in batch
            data = b"".join(_line(item) for item in batch if item is not None)
            try:
                while data:
                    data = data[os.write(self._descriptor, data) :]
            except BrokenPipeError:  # the harness has gone: the end of stdin will say so
                return
            except OSError as error:
                _end(error)


class _Server:
    """The tasks of one contract and the loop that serves them, in a thread: the process ends with it.

    Unlike a `TaskServer` it has no matchers: a request that is neither a poll nor an operation is unknown.

    Attributes:
        port: Where it listens.
        state: The tasks.
    """

    def __init__(
        self, contract: Contract, host: str, port: int, on_entry: Callable[[JournalEntry], None]
    ) -> None:
        """Listen and serve.

        Raises:
            InputError: Nothing can listen on that host and port.
        """
        self._listener = listen(host, port)
        self.port: int = self._listener.getsockname()[1]
        self.state = ServerState(contract, Journal(JOURNAL_LIMIT, on_entry=on_entry), None, None)
        handler = RequestHandler(self.state, how_lost=self._how_lost, on_error=_end)
        self._loop = Loop([self._listener], handler, on_shortage=_end)
        self._thread = threading.Thread(target=self._serve, name="mock server", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop within a second; nothing is answered afterwards."""
        self._loop.stop()
        self._thread.join(STOP_S)
        self._listener.close()

    def _how_lost(self) -> Ended:
        return self._loop.how_lost()

    def _serve(self) -> None:
        try:
            self._loop.run()
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing is served any more
            _end(error)


def _end(error: Exception) -> None:
    """End the process: an answer that we could not give must not count against the SDK."""
    traceback.print_exception(error)
    os._exit(LOOP_ENDED)  # the main thread waits for stdin, and cannot be woken


def main() -> int:
    """Serve until stdin ends; see the module. Return the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where it was started by hand, within a terminal's group
    outbox = _Outbox(os.dup(1))
    raise_file_limit()
    os.dup2(2, 1)  # a stray print must not come between our lines
    server: _Server | None = None
    try:
        server = _serve(outbox)
        if server is None:
            return CANNOT_LISTEN
        with LagMeter(lambda at_ns, late_s: outbox.put({"event": "lag", "at_ns": at_ns, "late_s": late_s})):
            for line in sys.stdin.buffer:
                outbox.put(_carry_out(server.state, json.loads(line)))
        return 0
    finally:
        if server is not None:
            server.stop()
        outbox.close()


def _serve(outbox: _Outbox) -> _Server | None:
    order = json.loads(sys.stdin.buffer.readline())
    contract = Contract.model_validate_json(json.dumps(order["contract"]))
    try:
        server = _Server(contract, order["host"], order["port"], outbox.put)
    except InputError as error:
        mistakes = [asdict(mistake) for mistake in error.mistakes]
        outbox.put({"event": "failed", "message": str(error), "mistakes": mistakes})
        return None
    gc.collect()
    gc.freeze()  # what has been imported stays: the collector need not look at it while we serve
    gc.enable()  # the harness starts us without it
    outbox.put({"event": "ready", "port": server.port})
    return server


def _carry_out(state: ServerState, order: dict[str, Any]) -> dict[str, Any]:
    """Carry out an order of the harness, and return the acknowledgement."""
    try:
        match order["op"]:
            case "create":
                for task in order["tasks"]:  # all are read before the first begins
                    task["steps"] = [Step.model_validate_json(json.dumps(step)) for step in task["steps"]]
                for task in order["tasks"]:
                    state.create(**task)
            case "forget":
                for task_id in order["task_ids"]:
                    state.tasks.pop(task_id, None)
            case _:  # settle: whatever was queued before the acknowledgement has been sent before it
                pass
    except ValueError as error:  # one scenario's steps should not end the run
        return {"event": "done", "id": order["id"], "message": str(error) or repr(error)}
    return {"event": "done", "id": order["id"]}


def _line(item: JournalEntry | dict[str, Any]) -> bytes:
    message = {"event": "entry", **vars(item)} if isinstance(item, JournalEntry) else item
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


if __name__ == "__main__":
    sys.exit(main())
