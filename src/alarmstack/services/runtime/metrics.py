"""Metrics for Prometheus: requests by endpoint and outcome, their latencies, the state of tasks."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter

from fastapi import FastAPI, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from alarmstack.core.tasks import Tasks

LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Bucket bounds in seconds."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Methods that have their own label: a client may send any text as its method."""


class Meter:
    """Counts and latencies of an app's requests, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "alarmstack_requests",
            "Requests answered.",
            ("endpoint", "method", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "alarmstack_request_seconds",
            "Time to answer.",
            ("endpoint", "method"),
            buckets=LATENCIES,
            registry=self.registry,
        )
        self._series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        """The series of each outcome: a look-up by labels takes longer than an increment."""

    def watch(self, app: FastAPI) -> None:
        """Measure every request of the app and serve the metrics at /metrics."""
        self.measure(app)
        app.get("/metrics", include_in_schema=False)(self.exposition)

    def measure(self, app: FastAPI) -> None:
        """Measure every request of the app."""
        app.add_middleware(_Measured, meter=self)

    def watch_tasks(self, tasks: Tasks) -> None:
        """Add the state of long-running tasks to the metrics."""
        self.registry.register(_TaskMetrics(tasks))

    async def exposition(self) -> Response:
        """All metrics in the text format that Prometheus reads."""
        return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)

    def note(self, endpoint: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        series = self._series.get((endpoint, method, status))
        if series is None:
            requests = self._requests.labels(endpoint, method, str(status))
            series = requests, self._seconds.labels(endpoint, method)
            self._series[endpoint, method, status] = series
        series[0].inc()
        series[1].observe(seconds)


class _TaskMetrics:
    """The state of long-running tasks, collected when Prometheus asks."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

    def describe(self) -> Iterator[Metric]:
        """Nothing: no task exists before it starts."""
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


class _Measured:
    """Plain ASGI: half the cost of a middleware that wraps requests."""

    def __init__(self, app: ASGIApp, meter: Meter) -> None:
        self.app, self.meter = app, meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        begin, status = perf_counter(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            endpoint = getattr(scope.get("route"), "path", "unknown")
            method = scope["method"] if scope["method"] in METHODS else "other"
            self.meter.note(endpoint, method, status, perf_counter() - begin)


__all__ = ["Meter"]
