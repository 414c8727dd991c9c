"""The benchmark's table for the terminal and for the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from alarmstack.bench.lines import Line

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


__all__ = ["benchmark_rows", "markdown", "skill_table"]
