"""What the gateway counts of itself, for Prometheus. A registry of its own, so that two apps in one process do not share counts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Measures:
    """The gateway's figures."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "alarmstack_gateway_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "alarmstack_gateway_request_seconds", "Time to the first byte of an answer.", ["route"], registry=self.registry
        )
        self.logins = Counter("alarmstack_gateway_logins", "Attempts to log in.", ["outcome"], registry=self.registry)
        self.listeners = Gauge("alarmstack_gateway_stream_listeners", "Open streams.", registry=self.registry)
        self.feed_live = Gauge("alarmstack_gateway_feed_live", "1 while the feed is live.", registry=self.registry)
        self.inference_ready = Gauge("alarmstack_gateway_inference_ready", "1 while every model speaks.", registry=self.registry)
        self.intervals = Gauge("alarmstack_gateway_intervals_stored", "Intervals stored since the start.", registry=self.registry)
        self.assessed = Gauge("alarmstack_gateway_intervals_assessed", "Intervals assessed since the start.", registry=self.registry)

    def text(self) -> bytes:
        """All figures in Prometheus' text format."""
        return generate_latest(self.registry)


__all__ = ["Measures"]
