"""Run the short benchmarks: `python -m benchmarks` prints their rows.

The rows are also written to benchmarks/results.json.
"""

import json
from pathlib import Path

from benchmarks import csv_export, first_value, predict_rate, read_excel, viewer_load

RESULTS = Path(__file__).with_name("results.json")


def main() -> None:
    """Run each benchmark, print its row, and write all rows."""
    rows = []
    for benchmark in (read_excel, predict_rate, viewer_load, csv_export, first_value):
        rows.append(benchmark.measure())
        print(json.dumps(rows[-1]), flush=True)
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
