"""Tables for the terminal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from os.path import commonprefix
from pathlib import Path

from rich.box import SIMPLE
from rich.table import Table

from alarmstack.core.plant import Plant
from alarmstack.evaluation.table import FEW_EVENTS, TableRow
from alarmstack.training.train import Trained

METRICS = {
    "event_recall": ("recall", "{:.0%}"),
    "precursor_recall": ("with\nprecursor", "{:.0%}"),
    "false_alarms_per_day": ("false\na day", "{:.2f}"),
    "lead_median_h": ("lead h", "{:.1f}"),
    "share_in_warning": ("in\nwarning", "{:.1%}"),
}
SPREAD = {"lead_median_h": ("lead_p10_h", "lead_p90_h")}
"""Metrics whose second line is their own range (P10, P90), not the interval of the estimate."""


def plant_table(plant: Plant) -> Table:
    """The plant's instruments with ranges and limits."""
    table = Table(title=f"{plant.title} ({plant.name}, {plant.fingerprint})", title_justify="left")
    for name in ("tag", "title", "unit", "range", "normal", "role"):
        table.add_column(name)
    for i in plant.instruments:
        table.add_row(
            i.tag,
            i.title,
            i.unit,
            "{:g} – {:g}".format(*i.range),
            "{:g} – {:g}".format(*i.normal),
            i.role,
        )
    return table


def training_table(trained: Sequence[Trained], promoted: Iterable[str]) -> Table:
    """The trained models beside their baselines, and whether each was promoted."""
    table = Table(title="Registered models", title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))
    for name in ("model", "version", "metric", "value", "baseline", "", "promoted"):
        whole = name in ("model", "value", "")
        table.add_column(name, justify="right" if name in ("value", "") else "left", no_wrap=whole)
    for model in trained:
        comparison = model.comparison
        table.add_row(
            model.bundle.name.removeprefix(f"{model.bundle.prefix}_"),
            model.version,
            comparison.metric,
            f"{comparison.value:.3f}",
            comparison.baseline,
            f"{comparison.baseline_value:.3f}",
            _promotion(model, promoted),
        )
    return table


def _promotion(model: Trained, promoted: Iterable[str]) -> str:
    if model.bundle.name in promoted:
        return "yes"
    return "no" if model.comparison.better else "no: not better than its baseline"


def evaluation_tables(rows: Sequence[TableRow]) -> list[Table]:
    """One table per budget: each model with its intervals, the best baseline, the gain over it."""
    about = {row.metric: row.value for row in rows if row.model == "all"}
    budgets = sorted(
        {float(row.metric.split("@")[1].removesuffix("/day")) for row in rows if "@" in row.metric}
    )
    enough = (about.get("onsets") or 0) >= FEW_EVENTS
    claim = "" if enough else f"; fewer than {FEW_EVENTS} onsets: no claim"
    return [_budget_table(rows, about, budget, claim) for budget in budgets]


def _budget_table(
    rows: Sequence[TableRow], about: dict[str, float | None], budget: float, claim: str
) -> Table:
    data = rows[0].data
    announced = about.get("onsets_with_precursor")
    counts = [f"{about['onsets']:.0f} onsets"]
    if announced is not None:
        counts.append(f"{announced:.0f} with precursor")
    counts.append(f"{about['quiet_days']:.0f} quiet days{claim}")
    title = f"{data}: {budget:g} false alarms a day ({', '.join(counts)})"
    note = "second lines: 95 % interval, resampled by weeks; for the lead: P10 and P90"
    table = Table(
        title=title,
        title_justify="left",
        caption=note,
        caption_justify="left",
        box=None,
        padding=(0, 1, 0, 0),
    )
    table.add_column("model", no_wrap=True)
    for heading, _ in METRICS.values():
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("best\nbaseline", no_wrap=True)
    table.add_column("gain\nover it", justify="right", no_wrap=True)
    suffix = f"@{budget:g}/day"
    names = list(dict.fromkeys(row.model for row in rows if row.model != "all"))
    prefix = commonprefix(names) if len(names) > 1 else ""  # noqa: RUF071 - names, not paths
    for model in names:
        own_rows = [row for row in rows if row.model == model and row.metric.endswith(suffix)]
        by_metric = {
            row.metric.removesuffix(suffix): row for row in own_rows if "gain" not in row.metric
        }
        recall = by_metric["event_recall"]
        gain = next(
            row
            for row in own_rows
            if row.metric == f"recall_gain{suffix}" and row.baseline == recall.baseline
        )
        cells = [_metric(by_metric, metric, form) for metric, (_, form) in METRICS.items()]
        baseline = f"{recall.baseline}\n{_value(recall.baseline_value, '{:.0%}')}"
        table.add_row(model.removeprefix(prefix), *cells, baseline, _cell(gain, "{:+.0%}"))
    return table


def _metric(by_metric: Mapping[str, TableRow], metric: str, form: str) -> str:
    row = by_metric.get(metric)
    if metric not in SPREAD or row is None or row.value is None:
        return _cell(row, form)
    low, high = (by_metric[name].value for name in SPREAD[metric])
    return f"{form.format(row.value)}\n{_value(low, '{:g}')}…{_value(high, '{:g}')}"


def _cell(row: TableRow | None, form: str) -> str:
    if row is None:
        return "–"
    if row.value is None:
        return "not\nmeasurable"
    if row.low is None or row.high is None:
        return form.format(row.value)
    plain = form.replace("%", "f").replace("+", "")
    scale = 100 if "%" in form else 1
    low, high = plain.format(row.low * scale), plain.format(row.high * scale)
    return f"{form.format(row.value)}\n{low}…{high}"


def _value(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)


def write_rows(rows: Sequence[TableRow], path: Path) -> Path:
    """Write an evaluation as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([row.record() for row in rows], indent=1, ensure_ascii=False))
    return path


__all__ = ["evaluation_tables", "plant_table", "training_table", "write_rows"]
