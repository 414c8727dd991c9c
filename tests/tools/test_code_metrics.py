"""The code metrics count what their table's headings name."""

from pathlib import Path

import pytest
from rich.console import Console
from tools.code_metrics import (
    CodeMetrics,
    largest_table,
    measure_packages,
    measure_text,
    metrics_table,
)

SAMPLE = '''\
"""A module."""


def squares(numbers):
    return [number * number for number in numbers]


class Counter:
    async def count(self, words):
        total = sum(1 for word in words if word)
        return total
'''
LONG_LINE = f"# {'x' * 99}\n"
FITTING_LINE = f"# {'x' * 98}\n"


def test_a_sample_is_counted() -> None:
    measured = measure_text(SAMPLE, "sample.py")
    assert (measured.files, measured.lines, measured.long_lines) == (1, 7, 0)
    # The docstring, two functions, a class, an assignment and two returns.
    assert (measured.statements, measured.comprehensions) == (7, 2)
    assert [(function.name, function.place, function.lines) for function in measured.functions] == [
        ("squares", "sample.py:4", 2),
        ("count", "sample.py:9", 3),
    ]


def test_nodes_are_those_of_the_syntax_tree() -> None:
    # Function, arguments, return, constant.
    assert measure_text("def one():\n    return 1\n", "one.py").median_nodes == 4
    # A second function of five nodes (`-1` has an operand and an operator more): the median.
    text = "def one():\n    return 1\n\ndef minus():\n    return -1\n"
    assert measure_text(text, "two.py").median_nodes == pytest.approx(5)


def test_lines_over_100_columns_are_a_share_of_the_lines_that_are_not_blank() -> None:
    measured = measure_text(LONG_LINE + "\n\n" + 3 * FITTING_LINE, "lines.py")
    assert measured.long_lines == 1 and measured.long_line_percent == 25


def test_comprehensions_are_counted_per_100_statements() -> None:
    measured = measure_text("a = 1\nb = {c: {d for d in c} for c in []}\n", "comprehensions.py")
    assert measured.comprehensions_per_100_statements == 100


def test_no_code_has_no_density() -> None:
    empty = CodeMetrics()
    assert empty.median_nodes == 0 == empty.long_line_percent
    assert empty.comprehensions_per_100_statements == 0


def test_the_tables_show_each_package_the_total_the_references_and_the_largest_functions(
    tmp_path: Path,
) -> None:
    for name, text in {"core/a.py": SAMPLE, "core/b.py": LONG_LINE, "edge/c.py": SAMPLE}.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    measured = measure_packages(tmp_path)
    assert list(measured) == ["core", "edge"]
    console = Console(width=160)
    with console.capture() as printed:
        console.print(metrics_table(measured, {}), largest_table(measured["core"].functions))
    rows = [line.replace("│", " ").split() for line in printed.get().splitlines()]
    assert ["core", "2", "2", "19", "12.5", "28.6"] in rows
    assert ["total", "3", "4", "19", "6.7", "28.6"] in rows
    assert ["httpx", "0.28.1", "45", "0.0", "1.7"] in rows
    assert ["river", "0.26.1", "40", "1.0", "2.3"] in rows
    largest = [row[0] for row in rows if row and row[0] in ("squares", "count")]
    assert largest == ["count", "squares"]
