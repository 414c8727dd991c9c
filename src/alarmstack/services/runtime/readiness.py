"""`GET /ready`: whether every long-running task of a service makes progress."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Response

from alarmstack.core.tasks import Tasks
from alarmstack.services.schemas.inference import Readiness, TaskState

READY_RESPONSES: dict[int | str, dict[str, Any]] = {
    503: {"model": Readiness, "description": "A long-running task is down"}
}
"""OpenAPI entries of `/ready` beside the one for 200."""


def serve_ready(app: FastAPI, tasks: Tasks) -> None:
    """Serve `GET /ready`: 200 while every task makes progress, else 503 with task and reason."""

    @app.get("/ready", responses=READY_RESPONSES)
    async def ready(response: Response) -> Readiness:
        """Whether every long-running task makes progress.

        503 with the task and the reason while one does not.
        """
        return readiness(tasks, response)


def readiness(tasks: Tasks, response: Response) -> Readiness:
    """The body of `/ready`; sets the status of the response."""
    response.status_code = 503 if tasks.down else 200
    return Readiness(ready=not tasks.down, tasks=task_states(tasks))


def task_states(tasks: Tasks) -> list[TaskState]:
    """The long-running tasks of a service, as its `/ready` shows them."""
    return [TaskState(**status._asdict()) for status in tasks.statuses]


__all__ = ["READY_RESPONSES", "readiness", "serve_ready", "task_states"]
