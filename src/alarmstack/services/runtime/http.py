"""What the services have in common: errors as problem+json, figures for Prometheus, log lines, and how they are run."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import socket
import sys
import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from itertools import accumulate
from time import perf_counter
from typing import Any, Generic, TypeVar

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.utils import floatToGoString
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from alarmstack.core.errors import ServiceError
from alarmstack.core.tasks import Tasks
from alarmstack.services.schemas.inference import Problem, Readiness, TaskState

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
PROBLEM = "application/problem+json"
LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
SUPERVISED = "ALARMSTACK_SUPERVISED"
"""Set in the environment of a service whose standard input is a pipe from its supervisor."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
LARGEST_BODY = 4 * 1024 * 1024
"""Bytes; the longest block of intervals with every key stays well below."""


def problem(status: int, title: str, detail: str, **more: str) -> JSONResponse:
    """An error answer."""
    # A lone surrogate, which a JSON string may hold, cannot be sent: it is written as it was.
    body = Problem(
        title=title,
        status=status,
        detail=detail.encode("utf-8", "backslashreplace").decode(),
        **more,
    )
    return JSONResponse(body.model_dump(exclude_none=True), status, media_type=PROBLEM)


def answers(*statuses: int) -> dict[int | str, dict[str, object]]:
    """OpenAPI entries for the error statuses that an endpoint may give."""
    content = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": TITLES[status], "content": content, "model": Problem}
        for status in statuses
    }


TITLES = {
    400: "The request cannot be read",
    401: "Not logged in",
    403: "Not allowed",
    404: "Not there",
    409: "Already there",
    413: "The body is too large",
    422: "The values cannot be taken",
    429: "Too many requests",
    502: "An upstream service gave no usable answer",
    503: "Not available now",
    504: "An upstream service did not answer in time",
}


def speak_problems(app: FastAPI, *, secret_paths: Sequence[str] = ()) -> None:
    """Answer every error as problem+json that says what was wrong with which value.

    Below `secret_paths` (such as `/auth`) no value is repeated: it may be a password, or contain one.
    """

    def secret(path: str) -> bool:
        return any(path.startswith(f"{known}/") for known in secret_paths)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        shown = not secret(request.url.path)
        return problem(
            422, TITLES[422], "; ".join(_complaint(e, shown=shown) for e in error.errors()[:5])
        )

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        answer = problem(
            error.status_code, TITLES.get(error.status_code, "Error"), str(error.detail)
        )
        answer.headers.update(error.headers or {})
        return answer


SECRET = re.compile("passw|passphrase|pwd|secret|token|invitation|credential", re.IGNORECASE)
"""Names of values, and texts around values, that no answer repeats."""
LONGEST_SHOWN = 80
"""Characters of a value that an answer repeats; of its name it shows so many at most."""


def _complaint(error: dict[str, object], *, shown: bool = True) -> str:
    """What is wrong with which value; the value itself where it is `shown`, short, and neither named nor written like a secret."""
    where = ".".join(str(part) for part in error["loc"] if part != "body")[:LONGEST_SHOWN]  # type: ignore[attr-defined]
    if not shown and error["type"] == "extra_forbidden":
        where = ""  # A name that nobody asked for was typed by somebody: it may be anything.
    given = error.get("input")
    value = repr(given)
    # A whole object, or a list, holds values of which nobody complains: one of them may be a secret under any name.
    repeated = (
        shown
        and not isinstance(given, dict | list)
        and len(value) <= LONGEST_SHOWN
        and not SECRET.search(where + value)
    )
    return f"{where or 'body'}: {error['msg']}" + (f" (got {value})" if repeated else "")


def task_states(tasks: Tasks) -> list[TaskState]:
    """The long-running tasks of a service, as its `/ready` shows them."""
    return [TaskState(**status._asdict()) for status in tasks.statuses]


def serve_ready(app: FastAPI, tasks: Tasks) -> None:
    """Serve `GET /ready`: 200 while every long-running task makes progress, else 503 with the task and the reason."""

    @app.get("/ready", responses=READY_RESPONSES)
    async def ready(response: Response) -> Readiness:
        """Whether every long-running task makes progress; 503 with the task and the reason while one does not."""
        return readiness(tasks, response)


READY_RESPONSES: dict[int | str, dict[str, Any]] = {
    503: {"model": Readiness, "description": "A long-running task is down"}
}
"""What `/ready` answers beside 200."""


def readiness(tasks: Tasks, response: Response) -> Readiness:
    """The answer of `/ready`; sets the response's status."""
    response.status_code = 503 if tasks.down else 200
    return Readiness(ready=not tasks.down, tasks=task_states(tasks))


def body_of(model: type[BaseModel]) -> dict[str, object]:
    """The OpenAPI entry for an endpoint that takes its body by `parsed`."""
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": model.model_json_schema()}},
        }
    }


def parsed(model: type[M], body: bytes) -> M:
    """A body, parsed and checked in one pass: half the time of FastAPI's two. Raises RequestValidationError as FastAPI does."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False)) from error


class Plain(APIRoute):
    """A route that gives its endpoint the request as it is and sends the response as it comes, for one that is asked very often.

    The endpoint takes the request alone and returns a Response; it is described in the OpenAPI document like any other.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint itself: there is nothing to resolve before it, nothing to convert after it."""
        handler: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return handler


class Meter:
    """Counts and latencies by endpoint and outcome, in a registry of the app's own; a body that is too large is refused.

    Requests are counted in plain numbers, by the event loop alone, and become figures when Prometheus asks.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._answered: dict[tuple[str, str, int], int] = defaultdict(int)
        self._seconds: dict[tuple[str, str], float] = defaultdict(float)
        self._below: dict[tuple[str, str], list[int]] = defaultdict(
            lambda: [0] * (len(LATENCIES) + 1)
        )
        self.registry.register(self)

    def watch(self, app: FastAPI) -> None:
        """Measure every request of the app and serve the figures at /metrics."""
        self.measure(app)
        app.get("/metrics", include_in_schema=False)(self.figures)

    def measure(self, app: FastAPI) -> None:
        """Measure every request of the app."""
        app.add_middleware(_Watched, meter=self)

    def watch_tasks(self, tasks: Tasks) -> None:
        """Serve the state of long-running tasks as metrics too."""
        self.registry.register(_TaskMetrics(tasks))

    async def figures(self) -> Response:
        """The figures as Prometheus reads them."""
        return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)

    def note(self, endpoint: str, method: str, status: int, seconds: float) -> None:
        """One request was answered."""
        self._answered[endpoint, method, status] += 1
        self._seconds[endpoint, method] += seconds
        self._below[endpoint, method][bisect_left(LATENCIES, seconds)] += 1

    def collect(self) -> Iterator[Metric]:
        """The figures of all requests so far."""
        counts = CounterMetricFamily(
            "alarmstack_requests", "Requests answered.", labels=("endpoint", "method", "status")
        )
        for (endpoint, method, status), number in self._answered.items():
            counts.add_metric((endpoint, method, str(status)), number)
        yield counts
        times = HistogramMetricFamily(
            "alarmstack_request_seconds", "Time to answer.", labels=("endpoint", "method")
        )
        bounds = [*map(floatToGoString, LATENCIES), "+Inf"]
        for labels, numbers in self._below.items():
            times.add_metric(
                labels, list(zip(bounds, accumulate(numbers), strict=True)), self._seconds[labels]
            )
        yield times


class _TaskMetrics:
    """The state of long-running tasks, collected when Prometheus asks."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

    def describe(self) -> Iterator[Metric]:
        """No task is known before it starts."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Whether each task is running, and how often it was restarted."""
        running = GaugeMetricFamily(
            "alarmstack_task_running",
            "1 while a long-running task makes progress.",
            labels=["task"],
        )
        restarts = CounterMetricFamily(
            "alarmstack_task_restarts", "Restarts of a long-running task.", labels=["task"]
        )
        for status in self._tasks.statuses:
            running.add_metric([status.name], float(status.state == "running"))
            restarts.add_metric([status.name], status.restarts)
        yield running
        yield restarts


class _Watched:
    """Plain ASGI: half the cost of a middleware that wraps requests."""

    def __init__(self, app: ASGIApp, meter: Meter) -> None:
        self.app, self.meter = app, meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        begin, status, taken = perf_counter(), 500, 0
        # The server holds a client to the length that it names.
        small = next(
            (
                value.isdigit() and int(value) <= LARGEST_BODY
                for name, value in scope["headers"]
                if name == b"content-length"
            ),
            False,
        )

        async def bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > LARGEST_BODY:
                raise HTTPException(413, f"more than {LARGEST_BODY} bytes")
            return message

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive if small else bounded, watched)
        finally:
            endpoint = getattr(scope.get("route"), "path", "unknown")
            method = scope["method"] if scope["method"] in METHODS else "other"
            self.meter.note(endpoint, method, status, perf_counter() - begin)


class Hub(Generic[T]):
    """One source, any number of listeners. A listener that is too slow loses the oldest, never holds up the others."""

    def __init__(self, depth: int = 100) -> None:
        self._depth = depth
        self._queues: set[asyncio.Queue[T]] = set()

    def publish(self, item: T) -> None:
        """Give an item to every listener."""
        for queue in self._queues:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(item)

    async def listen(self) -> AsyncIterator[T]:
        """Items from now on, for as long as the listener stays."""
        queue: asyncio.Queue[T] = asyncio.Queue(self._depth)
        self._queues.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._queues.discard(queue)


def _end_with_supervisor() -> None:
    """Wait for the end of standard input, a pipe that only the supervisor holds, then ask this process to stop."""
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises ServiceError that says which port is taken."""
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except OSError as error:
        made.close()
        raise ServiceError(
            f"port {port} on {host} cannot be used ({error.strerror}): end what listens there, or choose --port"
        ) from error
    except (TypeError, ValueError) as error:
        # No text that could be a name: bytes that are no UTF-8, or a part of more than 63 characters.
        made.close()
        raise ServiceError(
            f"{host!r} is not the name of a computer: give an address such as 127.0.0.1"
        ) from error
    return made


def run(app: ASGIApp, sockets: Sequence[socket.socket]) -> None:
    """Serve until the process is asked to stop, or its supervisor is gone; requests under way are answered first."""
    if os.environ.get(SUPERVISED):
        threading.Thread(target=_end_with_supervisor, daemon=True).start()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # Who a proxy asks for is decided by the application, which knows its proxies, and by nobody else.
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=3,
        proxy_headers=False,
        server_header=False,
    )
    uvicorn.Server(config).run(sockets=list(sockets))


__all__ = [
    "LARGEST_BODY",
    "PROBLEM",
    "READY_RESPONSES",
    "SUPERVISED",
    "TITLES",
    "Hub",
    "Meter",
    "Plain",
    "answers",
    "body_of",
    "listen",
    "parsed",
    "problem",
    "readiness",
    "run",
    "serve_ready",
    "speak_problems",
    "task_states",
]
