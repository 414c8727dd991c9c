"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.table import Table

from alarmstack.plant import Plant
from alarmstack.training.evaluate import FEW_EVENTS, Row
from alarmstack.training.train import Trained

FIGURES = {
    "event_recall": ("recall", "{:.0%}"),
    "precursor_recall": ("with precursor", "{:.0%}"),
    "false_alarms_per_day": ("false/day", "{:.2f}"),
    "lead_median_h": ("lead h", "{:.1f}"),
    "lead_p10_h": ("P10", "{:.1f}"),
    "lead_p90_h": ("P90", "{:.1f}"),
    "share_in_warning": ("in warning", "{:.1%}"),
}


def plant_table(plant: Plant) -> Table:
    """The plant's instruments with ranges and limits."""
    table = Table(title=f"{plant.title} ({plant.name}, {plant.fingerprint})", title_justify="left")
    for name in ("tag", "title", "unit", "range", "normal", "role"):
        table.add_column(name)
    for i in plant.instruments:
        table.add_row(i.tag, i.title, i.unit, "{:g} – {:g}".format(*i.range), "{:g} – {:g}".format(*i.normal), i.role)
    return table


def training_table(trained: Sequence[Trained], promoted: Iterable[str]) -> Table:
    """What was trained, how it stands beside its floor, and whether it was promoted."""
    table = Table(title="Registered models", title_justify="left")
    for name in ("model", "version", "figure", "value", "floor", "", "promoted"):
        table.add_column(name, justify="right" if name in ("value", "") else "left")
    for model in trained:
        v = model.verdict
        table.add_row(
            model.bundle.name,
            model.version,
            v.metric,
            f"{v.value:.3f}",
            v.floor,
            f"{v.floor_value:.3f}",
            "yes" if model.bundle.name in promoted else "no: loses to its floor" if not v.beaten else "no",
        )
    return table


def evaluation_tables(rows: Sequence[Row]) -> list[Table]:
    """One table a budget: each model with its intervals, the best floor beside it, and what it gains over that floor."""
    about = {row.metric: row.value for row in rows if row.model == "all"}
    budgets = sorted({float(row.metric.split("@")[1].removesuffix("/day")) for row in rows if "@" in row.metric})
    claim = "" if (about.get("onsets") or 0) >= FEW_EVENTS else f"; fewer than {FEW_EVENTS} onsets: no claim"
    return [_budget_table(rows, about, budget, claim) for budget in budgets]


def _budget_table(rows: Sequence[Row], about: dict[str, float | None], budget: float, claim: str) -> Table:
    data = rows[0].data
    announced = about.get("onsets_with_precursor")
    counts = [f"{about['onsets']:.0f} onsets", *([] if announced is None else [f"{announced:.0f} with precursor"])]
    title = f"{data}: {budget:g} false alarms a day ({', '.join(counts)}, {about['quiet_days']:.0f} quiet days{claim})"
    table = Table(title=title, title_justify="left")
    table.add_column("model", no_wrap=True)
    for heading, _ in FIGURES.values():
        table.add_column(heading, justify="right")
    table.add_column("best floor")
    table.add_column("gain over it [95 %]", justify="right")
    for model in dict.fromkeys(row.model for row in rows if row.model != "all"):
        found = {
            row.metric: row
            for row in rows
            if row.model == model and row.metric.endswith(f"@{budget:g}/day") and "gain" not in row.metric
        }
        recall = found[f"event_recall@{budget:g}/day"]
        gain = next(r for r in rows if r.model == model and r.metric == f"recall_gain@{budget:g}/day" and r.floor == recall.floor)
        cells = [_cell(found.get(f"{metric}@{budget:g}/day"), form) for metric, (_, form) in FIGURES.items()]
        table.add_row(model, *cells, f"{recall.floor} {_value(recall.floor_value, '{:.0%}')}", _cell(gain, "{:+.0%}"))
    return table


def _cell(row: Row | None, form: str) -> str:
    if row is None:
        return "–"
    if row.value is None:
        return "not measurable"
    interval = "" if row.low is None else f" [{form.format(row.low)}, {form.format(row.high)}]"
    return form.format(row.value) + interval


def _value(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)


__all__ = ["evaluation_tables", "plant_table", "training_table"]
