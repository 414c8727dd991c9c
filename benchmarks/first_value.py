"""Time until a browser shows the first live value of a page, with the real services.

    python -m benchmarks.first_value [--visits 5]

The baseline is the time until the page is loaded, in the same visits. The models are those of the
folder ALARMSTACK_TEST_HOME; `alarmstack demo --no-serve` makes such a folder. Chromium and the
built page are required.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import tempfile
from functools import partial
from pathlib import Path

from chaos.stack import running
from tests.object_store import free_ports

AIM_SECONDS = 1.0
PORTS = 5
PAGE_PORT = 3
"""Position of the page's port among the ports."""
LONGEST = 300.0
"""Limit of seconds for all visits together."""
UI = Path(__file__).parent.parent / "ui"


async def run(visits: int) -> dict[str, object]:
    """Run the benchmark; return its row."""
    home = Path(os.environ.get("ALARMSTACK_TEST_HOME", "data"))
    ports = free_ports(PORTS)
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch) / "data"
        data.mkdir()
        async with running(home, data, ports, Path(scratch) / "logs") as stack:
            user, password = stack.login
            environment = {
                "ALARMSTACK_UI_URL": f"http://127.0.0.1:{ports[PAGE_PORT]}",
                "ALARMSTACK_UI_USER": user,
                "ALARMSTACK_UI_PASSWORD": password,
            }
            command = ["node", "scripts/first-value.js", str(visits)]
            visit = partial(
                subprocess.run,
                command,
                cwd=UI,
                env=os.environ | environment,
                timeout=LONGEST,
                check=True,
            )
            done = await asyncio.to_thread(visit, capture_output=True, text=True)
    seconds = json.loads(done.stdout)
    value, baseline = (statistics.median(seconds[name]) for name in ("live", "loaded"))
    row = {
        "name": "first_live_value_seconds",
        "value": round(value, 2),
        "baseline": round(baseline, 2),
    }
    return row | {
        "ratio": round(value / baseline, 2),
        "aim": AIM_SECONDS,
        "met": value <= AIM_SECONDS,
    }


def measure(visits: int = 5) -> dict[str, object]:
    """Run the benchmark; return its row."""
    return asyncio.run(run(visits))


def main() -> None:
    """Print the row."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--visits", type=int, default=5)
    print(json.dumps(measure(**vars(arguments.parse_args()))))


if __name__ == "__main__":
    main()
