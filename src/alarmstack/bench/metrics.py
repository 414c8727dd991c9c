"""Figures of merit over judged runs, by name. Each says how many events or rows it rests on, and how sure it is.

Two families. *Event* figures count activations: the instants at which an alarm begins. *Row* figures count the rows in which an
alarm stands; they are printed where a set's own leaderboard uses them.

Intervals are 95 %: Wilson's for a share of events, the exact Poisson one for a rate of false alarms, a bootstrap over runs for the
rest where there are at least five runs.
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
MEASURABLE = 10.0
"""False alarms that a budget must allow in the normal time at hand before its keeping can be judged."""
FEWEST_RUNS = 5
"""Runs below which a bootstrap over runs says nothing."""


@dataclass(frozen=True)
class Judged:
    """A run, what was said of it, and which of its rows count.

    `scores` float64 [rows], higher means worse, NaN where nothing can be said; `on` bool [rows], whether an alarm stands; `counted`
    bool [rows], rows that are judged (not a run's own normal stretch); `events` rows (first, last) of the events that count;
    `asked` the budget of false alarms a day that the threshold was chosen for, None where it was a share of time.
    """

    run: Run
    scores: Floats
    on: Mask
    counted: Mask
    events: list[tuple[int, int]]
    asked: float | None = None

    @property
    def began(self) -> Mask:
        """Rows in which an alarm begins."""
        rows = np.zeros(len(self.on), bool)
        rows[activations(self.on)] = True
        return rows

    @property
    def normal(self) -> Mask:
        """Counted rows in which an alarm is false."""
        return self.run.normal & self.counted

    @property
    def inside(self) -> Mask:
        """Counted rows of events."""
        return self.run.event & self.counted

    @property
    def normal_days(self) -> float:
        """Counted normal time in days."""
        return float(self.normal.sum()) * (self.run.block.cadence / timedelta(days=1))


@dataclass(frozen=True)
class Figure:
    """A value, its 95 % interval where one is known, and how many events, false alarms or runs it rests on."""

    value: float
    low: float | None = None
    high: float | None = None
    count: int | None = None


Options = Mapping[str, float]
Maker = Callable[[Sequence[Judged], Options], Figure]


def figure(name: str, judged: Sequence[Judged], options: Options | None = None) -> Figure:
    """One figure by name. Raises BenchError that lists the names when it is unknown."""
    if name not in FIGURES:
        raise BenchError(f"figure {name!r} is unknown: use one of {', '.join(FIGURES)}")
    return FIGURES[name](judged, options or {})


def _event_recall(judged: Sequence[Judged], options: Options) -> Figure:
    """Share of events in which an alarm begins early enough that the share `left` of the event is still to come.

    With `rows`, only the first so many rows of every run count: a control for scores that grow with the age of a run.
    """
    left, rows = options.get("left", 0.0), options.get("rows", np.inf)
    return _share(
        [
            _left(j, first, last, rows) >= left
            for j in judged
            for first, last in j.events
            if first < rows
        ]
    )


def _left(judged: Judged, first: int, last: int, rows: float = np.inf) -> float:
    """Share of the event that is left when the first alarm begins in it while it is early; −1 where none does."""
    began = np.flatnonzero(judged.began[first : last + 1] & judged.run.early[first : last + 1])
    began = began[began + first < rows]
    return float(last - first - began[0]) / (last - first + 1) if len(began) else -1.0


def _early_recall(judged: Sequence[Judged], options: Options) -> Figure:
    """Of the events that are early when they begin, the share that is alarmed while they are."""
    growing = [(j, first, last) for j in judged for first, last in j.events if j.run.early[first]]
    return _share([_left(j, first, last) >= 0 for j, first, last in growing])


def _early_time(judged: Sequence[Judged], options: Options) -> Figure:
    """Share of the early time of events in warning. Warnings that fall by chance have as much of it as of normal time."""
    return _over_runs(
        judged,
        lambda js: _ratio(
            sum((j.on & j.inside & j.run.early).sum() for j in js),
            sum((j.inside & j.run.early).sum() for j in js),
        ),
    )


def _standing_at_onset(judged: Sequence[Judged], options: Options) -> Figure:
    """Share of events at whose beginning an alarm stood already: no hit, however right it may have been."""
    return _share([bool(first and j.on[first - 1]) for j in judged for first, _ in j.events])


def _events_found(judged: Sequence[Judged], options: Options) -> Figure:
    """Share of events in which an alarm stands at any time."""
    return _share([bool(j.on[first : last + 1].any()) for j in judged for first, last in j.events])


def _false_alarms(judged: Sequence[Judged], options: Options) -> Figure:
    """Activations in normal time, in `days` days (default one)."""
    false = sum(int((j.began & j.normal).sum()) for j in judged)
    days = sum(j.normal_days for j in judged) / options.get("days", 1.0)
    if not days:
        return Figure(float("nan"), count=false)
    low = chi2.ppf(0.025, 2 * false) / 2 if false else 0.0
    return Figure(false / days, low / days, chi2.ppf(0.975, 2 * (false + 1)) / 2 / days, false)


def _false_alarms_of_asked(judged: Sequence[Judged], options: Options) -> Figure:
    """Activations in normal time as a multiple of those the budget asked for; unknown where fewer than ten were asked for."""
    asked = sum(j.normal_days * j.asked for j in judged if j.asked is not None)
    realised = _false_alarms(judged, {"days": sum(j.normal_days for j in judged)})
    if asked < MEASURABLE or realised.low is None or realised.high is None:
        return Figure(float("nan"), count=realised.count)
    return Figure(
        realised.value / asked, realised.low / asked, realised.high / asked, realised.count
    )


def _detection_rate(judged: Sequence[Judged], options: Options) -> Figure:
    """Mean over runs with events of the share of event rows in alarm."""
    return _over_runs(
        [j for j in judged if j.inside.any()],
        lambda js: float(np.mean([j.on[j.inside].mean() for j in js])),
    )


def _delay(judged: Sequence[Judged], options: Options) -> Figure:
    """Median over events of the rows from the onset to the first row in alarm; a missed event counts its whole length."""
    delays = [_delay_rows(j, first, last) for j in judged for first, last in j.events]
    return Figure(float(np.median(delays)) if delays else float("nan"), count=len(delays))


def _delay_rows(judged: Judged, first: int, last: int) -> int:
    on = np.flatnonzero(judged.on[first : last + 1])
    return int(on[0]) if len(on) else last - first + 1


def _f1(judged: Sequence[Judged], options: Options) -> Figure:
    """Plain F1 over all rows."""

    def f1(js: Sequence[Judged]) -> float:
        hit, missed, false = (
            sum(int(n) for n in counts) for counts in zip(*map(_confusion, js), strict=True)
        )
        return 2 * hit / max(2 * hit + missed + false, 1)

    return _over_runs(judged, f1)


def _confusion(judged: Judged) -> tuple[int, int, int]:
    return (
        int((judged.on & judged.inside).sum()),
        int((~judged.on & judged.inside).sum()),
        int((judged.on & judged.normal).sum()),
    )


def _false_rows(judged: Sequence[Judged], options: Options) -> Figure:
    """Share of normal rows in alarm."""
    return _over_runs(
        judged,
        lambda js: _ratio(
            sum((j.on & j.normal).sum() for j in js), sum(j.normal.sum() for j in js)
        ),
    )


def _quiet_rows(judged: Sequence[Judged], options: Options) -> Figure:
    """Share of normal rows without alarm (true-negative rate)."""
    false = _false_rows(judged, options)
    low, high = (None if bound is None else 1 - bound for bound in (false.high, false.low))
    return Figure(1 - false.value, low, high, false.count)


def _missed_rows(judged: Sequence[Judged], options: Options) -> Figure:
    """Share of event rows without alarm."""
    return _over_runs(
        judged,
        lambda js: _ratio(
            sum((~j.on & j.inside).sum() for j in js), sum(j.inside.sum() for j in js)
        ),
    )


def _batadal(judged: Sequence[Judged], options: Options) -> Figure:
    """S of the BATADAL competition: half the speed of detection, half the balanced accuracy of rows (Taormina et al. 2018)."""
    late = [
        _delay_rows(j, first, last) / (last - first + 1) for j in judged for first, last in j.events
    ]
    found = 1 - _missed_rows(judged, options).value
    accuracy = (found + 1 - _false_rows(judged, options).value) / 2
    return Figure((1 - float(np.mean(late)) + accuracy) / 2, count=len(late))


def _vus(judged: Sequence[Judged], options: Options) -> Figure:
    """VUS-PR over the rows in which an instrument spoke, the run's own normal stretch included (as the leaderboard has it)."""
    kept = [j.run.spoke for j in judged]
    label = np.concatenate([j.run.event[k] for j, k in zip(judged, kept, strict=True)])
    scores = np.concatenate([j.scores[k] for j, k in zip(judged, kept, strict=True)])
    baseline = np.nanmin(scores)
    return Figure(
        vus_pr(label, np.nan_to_num(scores, nan=baseline), int(options.get("window", 57))),
        count=len(spans(label)),
    )


def _time_in_alarm(judged: Sequence[Judged], options: Options) -> Figure:
    return _false_rows(judged, options)


def _share(outcomes: Sequence[bool]) -> Figure:
    if not outcomes:
        return Figure(float("nan"), count=0)
    ci = binomtest(sum(outcomes), len(outcomes)).proportion_ci(method="wilson")
    return Figure(float(np.mean(outcomes)), float(ci.low), float(ci.high), len(outcomes))


def _over_runs(judged: Sequence[Judged], value: Callable[[Sequence[Judged]], float]) -> Figure:
    if not judged:
        return Figure(float("nan"), count=0)
    if len(judged) < FEWEST_RUNS:
        return Figure(value(judged), count=len(judged))
    draws = np.random.default_rng(0).integers(len(judged), size=(RESAMPLES, len(judged)))
    low, high = np.nanpercentile(
        [value([judged[place] for place in draw]) for draw in draws], (2.5, 97.5)
    )
    return Figure(value(judged), float(low), float(high), len(judged))


def _ratio(above: float, below: float) -> float:
    return float(above) / float(below) if below else float("nan")


FIGURES: dict[str, Maker] = {
    "event_recall": _event_recall,
    "early_recall": _early_recall,
    "early_time": _early_time,
    "events_found": _events_found,
    "standing_at_onset": _standing_at_onset,
    "false_alarms": _false_alarms,
    "false_alarms_of_asked": _false_alarms_of_asked,
    "detection_rate": _detection_rate,
    "delay_rows": _delay,
    "f1": _f1,
    "false_alarm_rate": _false_rows,
    "missed_alarm_rate": _missed_rows,
    "true_negative_rate": _quiet_rows,
    "batadal_s": _batadal,
    "vus_pr": _vus,
}

__all__ = ["FIGURES", "Figure", "Judged", "figure"]
