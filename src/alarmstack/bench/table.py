"""The benchmark's table for the terminal and for the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from alarmstack.bench.lines import Line

MET = {True: "met", False: "missed", None: ""}


def skill_table(title: str, lines: Sequence[Line]) -> Table:
    """One line a figure: ours with its interval, the baselines, what others published, the aim."""
    table = Table(
        title=title, title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0), caption_justify="left"
    )
    for name in ("figure", "ours", "of", "baselines", "published", "aim", ""):
        table.add_column(name, justify="right" if name in ("ours", "of") else "left")
    for line in lines:
        table.add_row(
            line.metric,
            _value(line.value)
            + (
                ""
                if line.low is None or line.high is None
                else f"\n{_value(line.low)}…{_value(line.high)}"
            ),
            "" if line.count is None else str(line.count),
            _pairs(line.baselines),
            _pairs(line.published),
            line.aim or "",
            MET[line.met],
        )
    return table


def benchmark_rows(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """Lines in the form of the other benchmarks; the baseline is the best published figure, else the best baseline."""
    rows = []
    for line in lines:
        known = line.published or line.baselines
        best = (min if (line.aim or "").startswith("≤") else max)(known.values(), default=None)
        ratio = line.value / best if best else None
        head = {"name": f"{line.set}/{line.metric}", "baseline": best, "ratio": ratio}
        rows.append(head | line.record())
    return rows


def markdown(title: str, lines: Sequence[Line]) -> str:
    """The same table for docs/skill.md."""
    head = f"### {title}\n\n| figure | ours | 95 % | of | baselines | published | aim | |\n"
    head += "| --- | ---: | --- | ---: | --- | --- | --- | --- |\n"
    body = [
        f"| {line.metric} | {_value(line.value)} | "
        f"{'' if line.low is None or line.high is None else f'{_value(line.low)} … {_value(line.high)}'} | "
        f"{'' if line.count is None else line.count} | {_pairs(line.baselines, ', ')} | {_pairs(line.published, ', ')} | "
        f"{line.aim or ''} | {MET[line.met]} |"
        for line in lines
    ]
    return head + "\n".join(body) + "\n"


def _pairs(figures: dict[str, float], between: str = "\n") -> str:
    return between.join(f"{name} {_value(value)}" for name, value in figures.items())


def _value(value: float) -> str:
    return f"{value:.3g}"


__all__ = ["benchmark_rows", "markdown", "skill_table"]
