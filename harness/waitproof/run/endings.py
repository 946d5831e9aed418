"""How an adapter's processes ended, and what they wrote to stderr.

An `Ending` is what is kept of a process; the registry of processes collects them, and at the end of the run
`note_endings` adds them to the adapter's result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from waitproof.adapter import AdapterProcess
from waitproof.child_process import exit_text
from waitproof.lines import Digest
from waitproof.run.result import AdapterResult, Death

__all__ = ["Ending", "ending_of", "note_endings"]


@dataclass(frozen=True)
class Ending:
    """What is kept of a process that has ended.

    Attributes:
        failed: It broke the protocol, did not answer hello, or died.
        death: How it died, None for a process that the harness ended.
    """

    failed: bool
    death: Death | None
    stderr_tail: tuple[str, ...]
    stderr: Digest


def ending_of(process: AdapterProcess) -> Ending:
    """Return how a process ended, once it has been closed."""
    tail = process.stderr_tail()
    death = None
    if process.died and process.exit_code is not None:
        in_flight = process.clients_in_flight
        clients = in_flight or ((process.last_client,) if process.last_client else ())
        death = Death(exit_text(process.exit_code), bool(in_flight), clients, tail)
    return Ending(process.failure is not None, death, tail, process.stderr_digest())


def note_endings(result: AdapterResult, endings: Sequence[Ending]) -> None:
    """Add the ends of an adapter's processes to its result, without its secrets.

    Its last lines on stderr are those of the last process that failed and wrote any, else of the last one.
    """
    deaths = (each.death for each in endings if each.death is not None)
    result.deaths = tuple(
        replace(death, stderr_tail=tuple(map(result.masked, death.stderr_tail))) for death in deaths
    )
    stderr = sum((each.stderr for each in endings), Digest())
    result.stderr = replace(
        stderr, first=result.masked(stderr.first), first_warning=result.masked(stderr.first_warning)
    )
    tails = [each for each in endings if each.stderr_tail]
    shown = [each for each in tails if each.failed] or tails
    if shown:
        result.stderr_tail = tuple(map(result.masked, shown[-1].stderr_tail))
