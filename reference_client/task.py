"""A task as the server last told it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Task", "TaskError"]


@dataclass(frozen=True)
class TaskError:
    """Why a task failed, under the names of the documentation; None stands for what the answer left out."""

    error_type: str | None = None
    description: str | None = None
    stack_trace: str | None = None
    version: str | None = None


@dataclass(frozen=True)
class Task:
    """One answer about a task.

    Attributes:
        task_id: The id, as the answer gives it.
        status: "waiting", "pending", "running", "completed", "failed", or one that is newer than this SDK.
        result: The result payload, any JSON value; None until the task is completed.
        error: Why it failed; None where the answer gives no reason.
    """

    task_id: str
    status: str
    result: Any = None
    error: TaskError | None = None
