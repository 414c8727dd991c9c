"""Evaluation metrics over evaluated runs, by name, each with its sample size and 95 % interval.

There are two families. *Event* metrics count warnings raised: the rows in which an alarm begins.
*Row* metrics count rows with an active alarm; they are printed where the leaderboard of a set uses
them.

Intervals: Wilson's for a share of events; the exact Poisson interval for a rate of false alarms;
for the rest a bootstrap over runs, if there are at least five runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from scipy.stats import binomtest, chi2

from alarmstack.alarms import activations
from alarmstack.bench.sets import Run
from alarmstack.core.errors import BenchError
from alarmstack.core.intervals import Floats, Mask
from alarmstack.evaluation.vus import spans, vus_pr

RESAMPLES = 400
"""Bootstrap samples of an interval."""
LOW_TAIL, HIGH_TAIL = 0.025, 0.975
"""Quantiles that bound a 95 % interval."""
FEWEST_EXPECTED = 10.0
"""False alarms that the budget must allow before the realised rate is compared with it."""
FEWEST_RUNS = 5
"""Runs below which a bootstrap over runs gives no useful interval."""
VUS_WINDOW = 57
"""Window of VUS-PR in rows, where a set states none."""


@dataclass(frozen=True)
class EvaluatedRun:
    """A run with its scores and alarms, and the rows and events that the metrics count.

    `scores`: float64 [rows], higher means worse, NaN where there is no score. `active`: bool
    [rows], an alarm is active. `counted`: bool [rows], the row is evaluated (a run's own normal
    stretch is not). `events`: the (first, last) rows of the events that count. `budget`: the false
    alarms a day that the threshold was chosen for; None if it was chosen for a share of time.
    """

    run: Run
    scores: Floats
    active: Mask
    counted: Mask
    events: list[tuple[int, int]]
    budget: float | None = None

    @property
    def raised(self) -> Mask:
        """Rows in which an alarm begins."""
        rows = np.zeros(len(self.active), bool)
        rows[activations(self.active)] = True
        return rows

    @property
    def normal(self) -> Mask:
        """Counted rows in which an alarm is false."""
        return self.run.normal & self.counted

    @property
    def in_event(self) -> Mask:
        """Counted rows of events."""
        return self.run.event & self.counted

    @property
    def in_early_event(self) -> Mask:
        """Counted rows of events in which an alarm is still in time."""
        return self.in_event & self.run.early

    @property
    def normal_days(self) -> float:
        """Counted normal time in days."""
        return float(self.normal.sum()) * (self.run.block.cadence / timedelta(days=1))


@dataclass(frozen=True)
class Estimate:
    """A metric's value, its 95 % interval (None: unknown), and how many items it is computed from.

    `count` counts events, false alarms or runs, depending on the metric.
    """

    value: float
    low: float | None = None
    high: float | None = None
    count: int | None = None


Runs = Sequence[EvaluatedRun]
Options = Mapping[str, float]
Metric = Callable[[Runs, Options], Estimate]


def estimate(name: str, runs: Runs, options: Options | None = None) -> Estimate:
    """Compute one metric by name. Raises BenchError, which lists the names, if it is unknown."""
    if name not in METRICS:
        raise BenchError(f"metric {name!r} is unknown: use one of {', '.join(METRICS)}")
    return METRICS[name](runs, options or {})


def _event_recall(runs: Runs, options: Options) -> Estimate:
    """Share of events in which an alarm begins while at least the share `left` of the event
    remains.

    With `rows`, only that many first rows of each run count. This is a control for scores that grow
    with the age of a run.
    """
    left, rows = options.get("left", 0.0), options.get("rows", np.inf)
    return _share(
        [
            _remaining(result, first, last, rows) >= left
            for result in runs
            for first, last in result.events
            if first < rows
        ]
    )


def _remaining(result: EvaluatedRun, first: int, last: int, rows: float = np.inf) -> float:
    """Share of the event that remains when its first timely alarm begins; −1 if there is none."""
    event = slice(first, last + 1)
    raised = np.flatnonzero(result.raised[event] & result.run.early[event])
    raised = raised[raised + first < rows]
    return float(last - first - raised[0]) / (last - first + 1) if len(raised) else -1.0


def _early_recall(runs: Runs, options: Options) -> Estimate:
    """Of the events with an early phase, the share with an alarm in that phase."""
    return _share(
        [
            _remaining(result, first, last) >= 0
            for result in runs
            for first, last in result.events
            if result.run.early[first]
        ]
    )


def _early_time(runs: Runs, options: Options) -> Estimate:
    """Share of the events' early rows with an active alarm.

    Alarms at random times reach the same share as in normal time.
    """
    return _over_runs(runs, lambda sample: _share_active(sample, lambda run: run.in_early_event))


def _active_at_onset(runs: Runs, options: Options) -> Estimate:
    """Share of events at whose onset an alarm was already active. Such an event is not a hit."""
    return _share(
        [bool(first and result.active[first - 1]) for result in runs for first, _ in result.events]
    )


def _events_found(runs: Runs, options: Options) -> Estimate:
    """Share of events with an active alarm in at least one row."""
    return _share(
        [
            bool(result.active[first : last + 1].any())
            for result in runs
            for first, last in result.events
        ]
    )


def _false_alarms(runs: Runs, options: Options) -> Estimate:
    """Alarms that begin in normal time, per `days` days (default: one)."""
    false = sum(int((result.raised & result.normal).sum()) for result in runs)
    days = sum(result.normal_days for result in runs) / options.get("days", 1.0)
    if not days:
        return Estimate(float("nan"), count=false)
    # The exact Poisson interval, by quantiles of chi-squared (Garwood 1936).
    low = chi2.ppf(LOW_TAIL, 2 * false) / 2 if false else 0.0
    high = chi2.ppf(HIGH_TAIL, 2 * (false + 1)) / 2
    return Estimate(false / days, low / days, high / days, false)


def _false_alarms_of_budget(runs: Runs, options: Options) -> Estimate:
    """False alarms as a multiple of the budget; unknown where the budget allows fewer than ten."""
    expected = sum(run.normal_days * run.budget for run in runs if run.budget is not None)
    realised = _false_alarms(runs, {"days": sum(run.normal_days for run in runs)})
    if expected < FEWEST_EXPECTED or realised.low is None or realised.high is None:
        return Estimate(float("nan"), count=realised.count)
    return Estimate(
        realised.value / expected,
        realised.low / expected,
        realised.high / expected,
        realised.count,
    )


def _detection_rate(runs: Runs, options: Options) -> Estimate:
    """Mean, over runs with events, of the share of event rows with an active alarm."""

    def mean_share(sample: Runs) -> float:
        return float(np.mean([run.active[run.in_event].mean() for run in sample]))

    return _over_runs([run for run in runs if run.in_event.any()], mean_share)


def _delay(runs: Runs, options: Options) -> Estimate:
    """Median delay over events, in rows from the onset to the first row with an active alarm.

    A missed event counts with its full length.
    """
    delays = [_delay_rows(result, first, last) for result in runs for first, last in result.events]
    return Estimate(float(np.median(delays)) if delays else float("nan"), count=len(delays))


def _delay_rows(result: EvaluatedRun, first: int, last: int) -> int:
    active_rows = np.flatnonzero(result.active[first : last + 1])
    return int(active_rows[0]) if len(active_rows) else last - first + 1


def _f1(runs: Runs, options: Options) -> Estimate:
    """Plain F1 over all rows."""

    def f1(sample: Runs) -> float:
        hits = sum(int((run.active & run.in_event).sum()) for run in sample)
        misses = sum(int((~run.active & run.in_event).sum()) for run in sample)
        false = sum(int((run.active & run.normal).sum()) for run in sample)
        return 2 * hits / max(2 * hits + misses + false, 1)

    return _over_runs(runs, f1)


def _false_rows(runs: Runs, options: Options) -> Estimate:
    """Share of normal rows with an active alarm."""
    return _over_runs(runs, lambda sample: _share_active(sample, lambda run: run.normal))


def _true_negative_rows(runs: Runs, options: Options) -> Estimate:
    """Share of normal rows without an active alarm (true-negative rate)."""
    false = _false_rows(runs, options)
    low, high = (None if bound is None else 1 - bound for bound in (false.high, false.low))
    return Estimate(1 - false.value, low, high, false.count)


def _missed_rows(runs: Runs, options: Options) -> Estimate:
    """Share of event rows without an active alarm."""

    def missed(sample: Runs) -> float:
        rows = sum((~run.active & run.in_event).sum() for run in sample)
        return _ratio(rows, sum(run.in_event.sum() for run in sample))

    return _over_runs(runs, missed)


def _batadal(runs: Runs, options: Options) -> Estimate:
    """S of the BATADAL competition (Taormina et al. 2018).

    Half is the speed of detection, half the balanced accuracy over rows.
    """
    delays = [
        _delay_rows(result, first, last) / (last - first + 1)
        for result in runs
        for first, last in result.events
    ]
    sensitivity = 1 - _missed_rows(runs, options).value
    accuracy = (sensitivity + 1 - _false_rows(runs, options).value) / 2
    return Estimate((1 - float(np.mean(delays)) + accuracy) / 2, count=len(delays))


def _vus(runs: Runs, options: Options) -> Estimate:
    """VUS-PR over the rows with a reading, including each run's own normal stretch.

    The leaderboard includes that stretch too.
    """
    label = np.concatenate([result.run.event[result.run.has_reading] for result in runs])
    scores = np.concatenate([result.scores[result.run.has_reading] for result in runs])
    scores = np.nan_to_num(scores, nan=np.nanmin(scores))
    window = int(options.get("window", VUS_WINDOW))
    return Estimate(vus_pr(label, scores, window), count=len(spans(label)))


def _share(outcomes: Sequence[bool]) -> Estimate:
    if not outcomes:
        return Estimate(float("nan"), count=0)
    interval = binomtest(sum(outcomes), len(outcomes)).proportion_ci(method="wilson")
    return Estimate(
        float(np.mean(outcomes)), float(interval.low), float(interval.high), len(outcomes)
    )


def _over_runs(runs: Runs, value: Callable[[Runs], float]) -> Estimate:
    """A value over all runs, with a bootstrap interval over runs."""
    if not runs:
        return Estimate(float("nan"), count=0)
    if len(runs) < FEWEST_RUNS:
        return Estimate(value(runs), count=len(runs))
    draws = np.random.default_rng(0).integers(len(runs), size=(RESAMPLES, len(runs)))
    resampled = [value([runs[place] for place in draw]) for draw in draws]
    low, high = np.nanpercentile(resampled, (100 * LOW_TAIL, 100 * HIGH_TAIL))
    return Estimate(value(runs), float(low), float(high), len(runs))


def _share_active(runs: Runs, rows_of: Callable[[EvaluatedRun], Mask]) -> float:
    """Share of the chosen rows with an active alarm."""
    active = sum((run.active & rows_of(run)).sum() for run in runs)
    return _ratio(active, sum(rows_of(run).sum() for run in runs))


def _ratio(numerator: float, denominator: float) -> float:
    return float(numerator) / float(denominator) if denominator else float("nan")


METRICS: dict[str, Metric] = {
    "event_recall": _event_recall,
    "early_recall": _early_recall,
    "early_time": _early_time,
    "events_found": _events_found,
    "standing_at_onset": _active_at_onset,
    "false_alarms": _false_alarms,
    "false_alarms_of_asked": _false_alarms_of_budget,
    "detection_rate": _detection_rate,
    "delay_rows": _delay,
    "f1": _f1,
    "false_alarm_rate": _false_rows,
    "missed_alarm_rate": _missed_rows,
    "true_negative_rate": _true_negative_rows,
    "batadal_s": _batadal,
    "vus_pr": _vus,
}
"""The metrics by the name that set.toml and the results use. The names are part of the format."""

__all__ = ["METRICS", "Estimate", "EvaluatedRun", "estimate"]
