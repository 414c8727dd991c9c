"""Code metrics per package: sizes of functions, long lines and comprehensions.

`make metrics` prints the tables. The metrics show a trend and are not a limit: a function is split
where a reader needs a named step, not to lower a count. `python -m tools.code_metrics FOLDER`
measures the packages of another project.
"""

from __future__ import annotations

import argparse
import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

REPOSITORY = Path(__file__).parent.parent
PACKAGE = REPOSITORY / "src/alarmstack"
OTHER_FOLDERS = ("chaos", "benchmarks", "tools", "tests")
LONGEST_LINE = 100
"""Columns: `line-length` in pyproject.toml."""
LARGEST_SHOWN = 10
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
TABLE_COLUMNS = 120


@dataclass(frozen=True)
class Function:
    """A function or method: place, number of lines, and number of nodes in its syntax tree."""

    place: str
    name: str
    lines: int
    nodes: int


@dataclass(frozen=True)
class CodeMetrics:
    """The counts of some files. Metrics can be added."""

    files: int = 0
    lines: int = 0
    """Lines that are not blank."""
    long_lines: int = 0
    statements: int = 0
    comprehensions: int = 0
    functions: tuple[Function, ...] = ()

    def __add__(self, other: CodeMetrics) -> CodeMetrics:
        return CodeMetrics(
            self.files + other.files,
            self.lines + other.lines,
            self.long_lines + other.long_lines,
            self.statements + other.statements,
            self.comprehensions + other.comprehensions,
            self.functions + other.functions,
        )

    @property
    def median_nodes(self) -> float:
        """Syntax nodes of the median function; 0 where there is no function."""
        return float(median(function.nodes for function in self.functions or (NO_FUNCTION,)))

    @property
    def long_line_percent(self) -> float:
        """Per cent of the lines that are longer than LONGEST_LINE."""
        return 100 * self.long_lines / max(self.lines, 1)

    @property
    def comprehensions_per_100_statements(self) -> float:
        """Comprehensions and generator expressions per 100 statements."""
        return 100 * self.comprehensions / max(self.statements, 1)


NO_FUNCTION = Function("", "", 0, 0)


@dataclass(frozen=True)
class Reference:
    """The same metrics for a reference project."""

    name: str
    median_nodes: float
    long_line_percent: float
    comprehensions_per_100_statements: float


REFERENCES = (
    Reference("httpx 0.28.1", 45, 0.0, 1.7),
    Reference("river 0.26.1", 40, 1.0, 2.3),
)
"""Measured by this program on the packages from PyPI."""


def measure_text(text: str, place: str) -> CodeMetrics:
    """The metrics of the text of one file; `place` is the location in the table of functions.

    Nodes are those of `ast.walk`: docstrings, arguments, annotations, decorators and nested
    functions count.

    >>> measured = measure_text("def double(x):\\n    return 2 * x\\n", "double.py")
    >>> measured.statements, measured.median_nodes
    (2, 9.0)
    """
    tree = list(ast.walk(ast.parse(text)))
    lines = [line for line in text.splitlines() if line.strip()]
    functions = [_function(node, place) for node in tree if isinstance(node, FUNCTIONS)]
    return CodeMetrics(
        files=1,
        lines=len(lines),
        long_lines=sum(len(line) > LONGEST_LINE for line in lines),
        statements=sum(isinstance(node, ast.stmt) for node in tree),
        comprehensions=sum(isinstance(node, COMPREHENSIONS) for node in tree),
        functions=tuple(functions),
    )


def measure_files(files: Iterable[Path]) -> CodeMetrics:
    """The metrics of several files."""
    measured = CodeMetrics()
    for file in sorted(files):
        measured += measure_text(file.read_text(encoding="utf-8"), _place(file))
    return measured


def measure_packages(folder: Path) -> dict[str, CodeMetrics]:
    """The metrics of every package in a folder, by name. Other modules count together."""
    packages = {
        child.name: measure_files(child.rglob("*.py"))
        for child in sorted(folder.iterdir())
        if child.is_dir()
    }
    measured = {"(loose modules)": measure_files(folder.glob("*.py")), **packages}
    return {name: metrics for name, metrics in measured.items() if metrics.files}


def metrics_table(measured: dict[str, CodeMetrics], others: dict[str, CodeMetrics]) -> Table:
    """The packages, their total, the other folders and the reference projects."""
    table = Table(title="Density of the code")
    table.add_column("package")
    for heading in (
        "files",
        "functions",
        "nodes of the median function",
        f"lines over {LONGEST_LINE} columns, %",
        "comprehensions per 100 statements",
    ):
        table.add_column(heading, justify="right")
    for name, metrics in measured.items():
        table.add_row(name, *_counts(metrics), *_densities(metrics))
    total = sum(measured.values(), CodeMetrics())
    table.add_row("total", *_counts(total), *_densities(total), style="bold", end_section=True)
    for name, metrics in others.items():
        table.add_row(name, *_counts(metrics), *_densities(metrics))
    table.add_section()
    for reference in REFERENCES:
        table.add_row(reference.name, "", "", *_densities(reference))
    return table


def largest_table(functions: Sequence[Function]) -> Table:
    """The functions with the most syntax nodes."""
    table = Table("function", "place", title="Largest functions")
    table.add_column("nodes", justify="right")
    table.add_column("lines", justify="right")
    by_size = sorted(functions, key=lambda function: function.nodes, reverse=True)
    for function in by_size[:LARGEST_SHOWN]:
        table.add_row(function.name, function.place, str(function.nodes), str(function.lines))
    return table


def main() -> None:
    """Measure this repository, or the given folder, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m tools.code_metrics", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="measure this folder instead")
    folder = parser.parse_args().folder
    measured = measure_packages(folder or PACKAGE)
    other_folders = () if folder else OTHER_FOLDERS
    others = {name: measure_files((REPOSITORY / name).rglob("*.py")) for name in other_folders}
    console = Console(width=TABLE_COLUMNS)
    console.print(metrics_table(measured, others))
    console.print(largest_table(sum(measured.values(), CodeMetrics()).functions))


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef, place: str) -> Function:
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    return Function(f"{place}:{node.lineno}", node.name, lines, sum(1 for _ in ast.walk(node)))


def _place(file: Path) -> str:
    inside = file.is_relative_to(REPOSITORY)
    return str(file.relative_to(REPOSITORY) if inside else file)


def _counts(metrics: CodeMetrics) -> tuple[str, str]:
    return str(metrics.files), str(len(metrics.functions))


def _densities(metrics: CodeMetrics | Reference) -> tuple[str, str, str]:
    return (
        f"{metrics.median_nodes:g}",
        f"{metrics.long_line_percent:.1f}",
        f"{metrics.comprehensions_per_100_statements:.1f}",
    )


if __name__ == "__main__":
    main()
