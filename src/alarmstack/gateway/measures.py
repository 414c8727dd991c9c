"""What the gateway counts beside requests, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

from alarmstack.monitor import Hub, Monitor


class Measures:
    """The gateway's own figures, in the registry of its requests' figures."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.logins = Counter("alarmstack_gateway_logins", "Attempts to log in.", ["outcome"], registry=registry)

    def watch(self, hub: Hub, monitor: Monitor) -> None:
        """Figures that are looked up when they are asked for."""
        status = monitor.status
        self._gauge("stream_listeners", "Open streams.").set_function(lambda: len(hub))
        self._gauge("feed_live", "1 while the feed is live.").set_function(lambda: status().feed == "live")
        self._gauge("inference_ready", "1 while every model speaks.").set_function(lambda: status().inference == "ready")
        self._gauge("intervals_stored", "Intervals stored since the start.").set_function(lambda: monitor.stored)
        self._gauge("intervals_assessed", "Intervals assessed since the start.").set_function(lambda: monitor.assessed)

    def _gauge(self, name: str, meaning: str) -> Gauge:
        return Gauge(f"alarmstack_gateway_{name}", meaning, registry=self.registry)


__all__ = ["Measures"]
