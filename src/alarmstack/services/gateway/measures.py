"""What the gateway counts beside requests, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import GaugeMetricFamily, Metric

from alarmstack.services.monitor import Hub, Monitor
from alarmstack.services.schemas.gateway import PlantState


class Measures:
    """The gateway's own figures, in the registry of its requests' figures."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.logins = Counter(
            "alarmstack_gateway_logins", "Attempts to log in.", ["outcome"], registry=registry
        )

    def watch(self, hub: Hub, monitor: Monitor) -> None:
        """Figures that are looked up when they are asked for."""
        status = monitor.status
        self._gauge("stream_listeners", "Open streams.").set_function(lambda: len(hub))
        self._gauge("feed_live", "1 while the feed is live.").set_function(
            lambda: status().feed == "live"
        )
        self._gauge("inference_ready", "1 while every model speaks.").set_function(
            lambda: status().inference == "ready"
        )
        self._gauge(
            "intervals_unassessed", "Stored intervals that wait for their assessment, at most 240."
        ).set_function(lambda: status().unassessed)
        self._gauge(
            "intervals_refused", "Intervals that inference refuses to assess."
        ).set_function(lambda: status().refused)
        self._gauge("rows_quarantined", "Rows of the feed set aside since the start.").set_function(
            lambda: monitor.quarantined
        )
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
    """Drift as it was last found, collected when Prometheus asks."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    def describe(self) -> Iterable[Metric]:
        """Nothing is known before somebody looked."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """PSI and bound of every instrument and score, and whether training again is proposed."""
        found = self._monitor.drifted
        if found is None:
            return
        value = GaugeMetricFamily(
            "alarmstack_drift_psi",
            "Population stability index over the last days.",
            labels=["kind", "key"],
        )
        bound = GaugeMetricFamily(
            "alarmstack_drift_bound", "What usual days keep.", labels=["kind", "key"]
        )
        for kind, drifting in (("tag", found.tags), ("model", found.models)):
            for one in drifting:
                bound.add_metric([kind, one.key], one.bound)
                if one.psi is not None:
                    value.add_metric([kind, one.key], one.psi)
        yield value
        yield bound
        yield GaugeMetricFamily(
            "alarmstack_retrain_proposed",
            "1: training again is proposed.",
            value=float(found.retrain),
        )


class _Assessed:
    """What was said of the newest interval, collected when Prometheus asks."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    def describe(self) -> Iterable[Metric]:
        """Nothing is known before something was assessed."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Score and threshold of every model that speaks, warnings, limit rules, how far each instrument can be trusted."""
        if (age := self._monitor.feed_age()) is not None:
            yield GaugeMetricFamily(
                "alarmstack_feed_age_seconds",
                "Wall seconds since the feed was last heard.",
                value=age,
            )
        yield from _state(self._monitor.state())
        latest = self._monitor.latest
        if latest is None:
            return
        told, names = latest.assessment, ["model", "kind", "horizon"]
        score = GaugeMetricFamily(
            "alarmstack_plant_score", "What a model said of the newest interval.", labels=names
        )
        threshold = GaugeMetricFamily(
            "alarmstack_plant_threshold", "From where it warns.", labels=names
        )
        for one in told.models:
            labels = [
                one.column,
                one.kind,
                one.horizon or "",
            ]
            if one.score is not None:
                score.add_metric(labels, one.score)
            if one.threshold is not None:
                threshold.add_metric(labels, one.threshold)
        quality = GaugeMetricFamily(
            "alarmstack_plant_tag_good",
            "1: an instrument can be trusted.",
            labels=["key", "status"],
        )
        for tag in told.quality:
            quality.add_metric([tag.key, tag.status], float(tag.status == "good"))
        yield from (score, threshold, quality)
        if told.known_at is not None:
            known = told.known_at.timestamp()
            yield GaugeMetricFamily(
                "alarmstack_plant_known_at_seconds",
                "Plant time of the newest assessment.",
                value=known,
            )


def _state(state: PlantState) -> Iterable[Metric]:
    """The alarm state that the screen shows; nothing while it is not known."""
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
