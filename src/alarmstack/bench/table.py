"""The tables of the benchmarks, for the terminal and for the reports."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from alarmstack.bench.lines import Line
from alarmstack.bench.transfer import KEPT, OURS, Cell, RuleSummary, summaries

SUMMARY_HEADINGS = ("rule", "cells", "within 2×", "beyond 4×", "worst", "median", "no warning")
CELL_HEADINGS = (
    "set",
    "budget",
    "tested on",
    "requested a day",
    "realised",
    "requested share",
    "realised share",
    "ratio",
)
MET = {True: "met", False: "missed", None: ""}


def skill_table(title: str, lines: Sequence[Line]) -> Table:
    """A row for each metric: our value with its interval, baselines, published results, the aim."""
    table = Table(
        title=title, title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0), caption_justify="left"
    )
    for name in ("metric", "ours", "of", "baselines", "published", "aim", ""):
        table.add_column(name, justify="right" if name in ("ours", "of") else "left")
    for line in lines:
        interval = _interval(line, "…")
        table.add_row(
            line.metric,
            f"{_value(line.value)}\n{interval}" if interval else _value(line.value),
            _count(line),
            _pairs(line.baselines),
            _pairs(line.published),
            line.aim or "",
            MET[line.met],
        )
    return table


def transfer_tables(cells: Sequence[Cell]) -> tuple[Table, Table]:
    """How well each rule keeps the budgets, and every cell of the rule that counts both sides."""
    rules = Table(title="Budgets by rule", title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))
    for name in SUMMARY_HEADINGS:
        rules.add_column(name, justify="left" if name == "rule" else "right")
    for line in summaries(cells):
        rules.add_row(*_rule_cells(line))
    ours = Table(title=OURS.capitalize(), title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))
    for name in CELL_HEADINGS:
        ours.add_column(name, justify="left" if name in CELL_HEADINGS[:3] else "right")
    for cell in _ours_of(cells):
        ours.add_row(*_cell_cells(cell))
    return rules, ours


def transfer_rows(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """Every cell, as `--json` writes it.

    `value` is the ratio of realised to requested; `baseline` that of a quantile in the same cell.
    """
    quantiles = {_place(cell): cell.ratio for cell in cells if cell.rule == "quantile"}
    return [
        {
            "name": f"{cell.set}/{cell.rule}/{cell.factor:g}/{cell.tested_on}",
            "value": cell.ratio,
            "baseline": quantiles[_place(cell)],
            "ratio": cell.ratio / quantiles[_place(cell)] if quantiles[_place(cell)] else None,
            "aim": f"≤ {KEPT:g}",
            "met": cell.kept,
            "requested_per_day": cell.requested.per_day,
            "requested_share": cell.requested.share,
            "realised_per_day": cell.realised.per_day,
            "realised_share": cell.realised.share,
            "threshold": cell.threshold if isfinite(cell.threshold) else None,
        }
        for cell in cells
    ]


def transfer_markdown(cells: Sequence[Cell]) -> str:
    """Both tables for the docs."""
    rules = [
        "### Budgets by rule",
        "",
        f"| {' | '.join(SUMMARY_HEADINGS)} |",
        f"| --- |{' ---: |' * (len(SUMMARY_HEADINGS) - 1)}",
        *[f"| {' | '.join(_rule_cells(line))} |" for line in summaries(cells)],
    ]
    ours = [
        "",
        f"### {OURS.capitalize()}",
        "",
        f"| {' | '.join(CELL_HEADINGS)} |",
        f"|{' --- |' * 3}{' ---: |' * (len(CELL_HEADINGS) - 3)}",
        *[f"| {' | '.join(_cell_cells(cell))} |" for cell in _ours_of(cells)],
    ]
    return "\n".join([*rules, *ours]) + "\n"


def _place(cell: Cell) -> tuple[str, float, str]:
    return cell.set, cell.factor, cell.tested_on


def _ours_of(cells: Sequence[Cell]) -> list[Cell]:
    return [cell for cell in cells if cell.rule == OURS]


def _rule_cells(line: RuleSummary) -> tuple[str, ...]:
    return (
        line.rule,
        str(line.cells),
        f"{line.kept:.2f}",
        str(line.far_off),
        f"{line.worst:.1f}",
        f"{line.median:.2f}",
        str(line.without_warning),
    )


def _cell_cells(cell: Cell) -> tuple[str, ...]:
    return (
        cell.set,
        f"{cell.factor:g} ×",
        cell.tested_on,
        f"{cell.requested.per_day:.4g}",
        f"{cell.realised.per_day:.4g}",
        f"{cell.requested.share:.2%}",
        f"{cell.realised.share:.2%}",
        f"{cell.ratio:.1f}",
    )


def benchmark_rows(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """Lines in the form of the other benchmarks.

    `baseline` is the best published result, or the best baseline if nothing is published.
    """
    rows = []
    for line in lines:
        references = line.published or line.baselines
        lower_is_better = (line.aim or "").startswith("≤")
        best = (min if lower_is_better else max)(references.values(), default=None)
        ratio = line.value / best if best else None
        head = {"name": f"{line.set}/{line.metric}", "baseline": best, "ratio": ratio}
        rows.append(head | line.record())
    return rows


def markdown(title: str, lines: Sequence[Line]) -> str:
    """The same table for docs/skill.md."""
    head = [
        f"### {title}",
        "",
        "| metric | ours | 95 % | of | baselines | published | aim | |",
        "| --- | ---: | --- | ---: | --- | --- | --- | --- |",
    ]
    return "\n".join([*head, *map(_markdown_row, lines)]) + "\n"


def _markdown_row(line: Line) -> str:
    cells = (
        line.metric,
        _value(line.value),
        _interval(line, " … "),
        _count(line),
        _pairs(line.baselines, ", "),
        _pairs(line.published, ", "),
        line.aim or "",
        MET[line.met],
    )
    return f"| {' | '.join(cells)} |"


def _interval(line: Line, between: str) -> str:
    if line.low is None or line.high is None:
        return ""
    return f"{_value(line.low)}{between}{_value(line.high)}"


def _count(line: Line) -> str:
    return "" if line.count is None else str(line.count)


def _pairs(values: dict[str, float], between: str = "\n") -> str:
    return between.join(f"{name} {_value(value)}" for name, value in values.items())


def _value(value: float) -> str:
    return f"{value:.3g}"


__all__ = [
    "benchmark_rows",
    "markdown",
    "skill_table",
    "transfer_markdown",
    "transfer_rows",
    "transfer_tables",
]
