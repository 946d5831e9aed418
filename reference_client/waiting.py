"""The rule of the wait helper, written once for the sync and the async client.

It decides when to poll, how long to sleep and how the wait ends. The clients carry out its steps: they own
the clock, the socket and the cutting off of a poll that takes too long.

The rule in time: the first poll is made at once; after each answer a whole interval is slept, except that
the last sleep ends at the deadline, where one last poll is made. So a task that ends within the last
interval is still seen, whatever the interval, and the timeout is never raised before the deadline.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from reference_client.exceptions import StreamTaskException, StreamTransportException
from reference_client.task import Task, TaskError

__all__ = ["DEFAULT_POLL_INTERVAL_S", "DEFAULT_TIMEOUT_S", "Poll", "Sleep", "wait_steps"]

# Source: "defaults: poll every 1 second, wait 60 seconds; either can be overridden".
DEFAULT_POLL_INTERVAL_S = 1.0
DEFAULT_TIMEOUT_S = 60.0

# The poll at the deadline has no time left, yet needs some to be answered: a twentieth of the timeout, which
# nobody who chose that timeout will notice, and never over a second, within which a healthy server answers.
_LAST_POLL_SHARE = 0.05
_LAST_POLL_LIMIT_S = 1.0


@dataclass(frozen=True)
class Poll:
    """Ask for the task once and send the answer back in.

    Attributes:
        timeout_s: Seconds that the request may take as a whole; then raise the transport exception with
            error_type "timeout" and leave these steps.
    """

    timeout_s: float


@dataclass(frozen=True)
class Sleep:
    """Do nothing for so many seconds, then ask for the next step."""

    seconds: float


def wait_steps(
    task_id: str,
    *,
    poll_interval: float = DEFAULT_POLL_INTERVAL_S,
    timeout: float = DEFAULT_TIMEOUT_S,
    now: Callable[[], float],
) -> Generator[Poll | Sleep, Task, Any]:
    """Yield the steps of one wait and return the task's result payload.

    Args:
        task_id: Names the task in the timeout's message.
        poll_interval: Seconds from an answer to the next poll, > 0.
        timeout: Seconds from the first step to the deadline, > 0.
        now: The driver's monotonic clock, in seconds.

    Yields:
        `Poll`, to be answered with `send(task)`, or `Sleep`, to be answered with `next()`.

    Returns:
        The result payload of the completed task, None where it has none.

    Raises:
        StreamTaskException: The task failed.
        StreamTransportException: error_type "timeout": the poll at or after the deadline brought no end.
        ValueError: `poll_interval` or `timeout` is not a finite number over 0.
    """
    for name, seconds in (("poll_interval", poll_interval), ("timeout", timeout)):
        if not 0 < seconds < math.inf:
            raise ValueError(f"{name} must be a finite number of seconds over 0, not {seconds!r}")

    deadline = now() + timeout
    last_poll_s = min(timeout * _LAST_POLL_SHARE, _LAST_POLL_LIMIT_S)
    is_last = False
    while True:
        # A poll begun before the deadline is cut off there; only one begun just before it, or at it, is
        # given the little more that an answer needs.
        task = yield Poll(timeout_s=max(deadline - now(), last_poll_s))
        match task.status:
            case "completed":
                return task.result
            case "failed":
                error = task.error or TaskError()
                raise StreamTaskException(
                    task.task_id, error.error_type, error.description, error.stack_trace, error.version
                )
            case _:  # waiting, pending, running, and whatever a newer server may say: not ended yet
                left_s = deadline - now()
        if is_last or left_s <= 0:
            raise StreamTransportException(
                "timeout",
                f"task {task_id} was {task.status!r} after {timeout:g} s; "
                "it may still be running on the server",
            )
        # Remembered rather than seen from the clock: a sleep that wakes a tick early must not lead to a
        # second last poll.
        is_last = left_s <= poll_interval
        yield Sleep(min(poll_interval, left_s))
