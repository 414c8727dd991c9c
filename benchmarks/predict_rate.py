"""Predictions per second of one process, compared with a bare FastAPI endpoint.

    python benchmarks/predict_rate.py [--seconds 4] [--rounds 3]

The endpoint parses the same body. Both run on the same core, in turns; wrk sends requests with
eight connections from another core. The models are those of the data folder (ALARMSTACK_DATA_DIR);
`alarmstack demo --no-serve` makes them. Prints one row as JSON.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

AIM_RATIO = 0.6
CONNECTIONS = 8
SERVER_CORE, WRK_CORE = 0, 1
BODY = {
    "features": {
        "failure_frequency_48": 9,
        "pdt31008_max": 340.0,
        "lic31002_deviation": 20.5,
        "lt301031": 8.0,
    }
}
BARE = """
from fastapi import FastAPI
from alarmstack.services.runtime.server import listen, run
from alarmstack.services.schemas.inference import PredictRequest
app = FastAPI()

@app.post("/predict")
async def predict(body: PredictRequest) -> dict[str, int]:
    return {"features": len(body.features)}

@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}

run(app, [listen("127.0.0.1", PORT)])
"""
PORTS = {"bare": 7512, "inference": 7513}


def start(name: str) -> subprocess.Popen[bytes]:
    """Start a server on SERVER_CORE; return its process when it answers."""
    port = PORTS[name]
    bare = [sys.executable, "-c", BARE.replace("PORT", str(port))]
    ours = [sys.executable, "-m", "alarmstack.cli", "serve", "inference", "--port", str(port)]
    command = ["taskset", "-c", str(SERVER_CORE), *(bare if name == "bare" else ours)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            if (
                httpx.post(f"http://127.0.0.1:{port}/predict", json=BODY, timeout=2).status_code
                == 200
            ):
                return process
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    process.terminate()
    raise SystemExit(
        f"{name} does not answer: are there promoted models? "
        "`alarmstack demo --no-serve` makes them"
    )


def rate(name: str, script: Path, seconds: int) -> float:
    """Answered requests per second, by wrk. Raises SystemExit if a status code is not 2xx."""
    command = [
        "taskset",
        "-c",
        str(WRK_CORE),
        "wrk",
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{seconds}s",
        "-s",
        str(script),
    ]
    output = subprocess.run(
        [*command, f"http://127.0.0.1:{PORTS[name]}/predict"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    if "Non-2xx" in output:
        raise SystemExit(f"{name}: {output}")
    rate_line = re.search(r"Requests/sec:\s+([\d.]+)", output)
    assert rate_line is not None, output
    return float(rate_line[1])


def measure(seconds: int = 4, rounds: int = 3) -> dict[str, object]:
    """Run the benchmark; return its row."""
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is missing: `make system-deps` installs it")
    with tempfile.TemporaryDirectory() as scratch:
        script = Path(scratch) / "post.lua"
        script.write_text(
            f"wrk.method='POST'\nwrk.headers['Content-Type']='application/json'\nwrk.body='{json.dumps(BODY)}'\n"
        )
        servers = {name: start(name) for name in PORTS}
        try:
            pairs = [
                (rate("inference", script, seconds), rate("bare", script, seconds))
                for _ in range(rounds)
            ]
        finally:
            for server in servers.values():
                server.terminate()
                server.wait()
    value, baseline = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(ours / bare for ours, bare in pairs)
    row = {
        "name": "predictions_per_second_vs_bare_fastapi",
        "value": round(value),
        "baseline": round(baseline),
    }
    return row | {"ratio": round(ratio, 3), "aim": AIM_RATIO, "met": ratio >= AIM_RATIO}


def main() -> None:
    """Print the row."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seconds", type=int, default=4)
    arguments.add_argument("--rounds", type=int, default=3)
    print(json.dumps(measure(**vars(arguments.parse_args()))))


if __name__ == "__main__":
    main()
