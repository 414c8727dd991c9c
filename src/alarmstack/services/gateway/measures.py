"""The gateway's Prometheus metrics beside those of its requests."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import GaugeMetricFamily, Metric

from alarmstack.services.monitor import Monitor
from alarmstack.services.runtime.broadcast import Hub
from alarmstack.services.schemas.gateway import PlantState


class Measures:
    """Metrics of logins, monitor, plant and drift, in the registry of the request metrics."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.logins = Counter(
            "alarmstack_gateway_logins", "Attempts to log in.", ["outcome"], registry=registry
        )

    def watch(self, hub: Hub, monitor: Monitor) -> None:
        """Register metrics that are read from the hub and the monitor when Prometheus asks."""
        status = monitor.status
        self._gauge("stream_listeners", "Open streams.").set_function(lambda: len(hub))
        self._gauge("feed_live", "1 while the feed is live.").set_function(
            lambda: status().feed == "live"
        )
        self._gauge("inference_ready", "1 while every model is available.").set_function(
            lambda: status().inference == "ready"
        )
        self._gauge(
            "intervals_unassessed", "Stored intervals that wait for their assessment, at most 240."
        ).set_function(lambda: status().unassessed)
        self._gauge(
            "intervals_refused", "Intervals that inference refuses to assess."
        ).set_function(lambda: status().refused)
        self._gauge(
            "rows_quarantined", "Rows of the feed quarantined since the start."
        ).set_function(lambda: monitor.quarantined)
        self._gauge("intervals_stored", "Intervals stored since the start.").set_function(
            lambda: monitor.stored
        )
        registry = self.registry
        registry.register(_Drift(monitor))
        registry.register(_Assessed(monitor))
        self._gauge("intervals_assessed", "Intervals assessed since the start.").set_function(
            lambda: monitor.assessed
        )

    def _gauge(self, name: str, meaning: str) -> Gauge:
        return Gauge(f"alarmstack_gateway_{name}", meaning, registry=self.registry)


class _Drift:
    """The newest drift report, collected when Prometheus asks."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    def describe(self) -> Iterable[Metric]:
        """Nothing: there is no report before the first measurement."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """PSI and bound of every instrument and score, and whether to train again."""
        report = self._monitor.drifted
        if report is None:
            return
        value = GaugeMetricFamily(
            "alarmstack_drift_psi",
            "Population stability index over the last days.",
            labels=["kind", "key"],
        )
        bound = GaugeMetricFamily(
            "alarmstack_drift_bound",
            "PSI above which a quantity has drifted.",
            labels=["kind", "key"],
        )
        for kind, quantities in (("tag", report.tags), ("model", report.models)):
            for quantity in quantities:
                bound.add_metric([kind, quantity.key], quantity.bound)
                if quantity.psi is not None:
                    value.add_metric([kind, quantity.key], quantity.psi)
        yield value
        yield bound
        yield GaugeMetricFamily(
            "alarmstack_retrain_proposed",
            "1: a new training is proposed.",
            value=float(report.retrain),
        )


class _Assessed:
    """The newest assessment and the alarm state, collected when Prometheus asks."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    def describe(self) -> Iterable[Metric]:
        """Nothing: there is no assessment at the start."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Scores and thresholds, warnings, limits, and the quality of each instrument."""
        if (age := self._monitor.feed_age()) is not None:
            yield GaugeMetricFamily(
                "alarmstack_feed_age_seconds",
                "Wall seconds since the last reading of the feed.",
                value=age,
            )
        yield from _state(self._monitor.state())
        latest = self._monitor.latest
        if latest is None:
            return
        assessment, names = latest.assessment, ["model", "kind", "horizon"]
        score = GaugeMetricFamily(
            "alarmstack_plant_score", "Score of a model for the newest interval.", labels=names
        )
        threshold = GaugeMetricFamily(
            "alarmstack_plant_threshold", "Threshold of a model's warning.", labels=names
        )
        for output in assessment.models:
            labels = [output.column, output.kind, output.horizon or ""]
            if output.score is not None:
                score.add_metric(labels, output.score)
            if output.threshold is not None:
                threshold.add_metric(labels, output.threshold)
        quality = GaugeMetricFamily(
            "alarmstack_plant_tag_good",
            "1: the values of an instrument are good.",
            labels=["key", "status"],
        )
        for tag in assessment.quality:
            quality.add_metric([tag.key, tag.status], float(tag.status == "good"))
        yield from (score, threshold, quality)
        if assessment.known_at is not None:
            yield GaugeMetricFamily(
                "alarmstack_plant_known_at_seconds",
                "Plant time of the newest assessment.",
                value=assessment.known_at.timestamp(),
            )


def _state(state: PlantState) -> Iterable[Metric]:
    """The alarm state as on the screen; nothing while it is unknown."""
    if not state.known:
        return
    yield GaugeMetricFamily(
        "alarmstack_plant_in_alarm", "1: a limit is exceeded.", value=float(state.in_alarm)
    )
    active = GaugeMetricFamily(
        "alarmstack_plant_warning", "1: a warning is active.", labels=["model", "horizon"]
    )
    for warning in state.warnings:
        active.add_metric([warning.column, warning.horizon], float(warning.standing))
    yield active


__all__ = ["Measures"]
