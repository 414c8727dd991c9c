"""A data folder with promoted models, created by the command line once for all tests."""

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import FURNISHED, REPOSITORY


def alarmstack(home: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command with this data folder. With `check`, it must succeed."""
    environment = os.environ | {
        "ALARMSTACK_DATA_DIR": str(home),
        "MODEL_PROMOTION_MODE": "auto",
        "COLUMNS": "160",
    }
    command = [str(Path(sys.executable).with_name("alarmstack")), *arguments]
    done = subprocess.run(
        command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 or not check, done.stderr[-2000:]
    return done


def furnish(home: Path) -> Path:
    """Simulate a year, train and promote. Also simulate a month."""
    home.mkdir(parents=True, exist_ok=True)
    alarmstack(
        home,
        "simulate",
        "--days",
        "365",
        "--seed",
        "1",
        "--format",
        "parquet",
        "--out",
        str(home / "training"),
    )
    alarmstack(home, "etl", str(home / "training"))
    alarmstack(home, "train", "--json", str(home / "trained.json"))
    alarmstack(home, "simulate", "--days", "28", "--seed", "7", "--out", str(home / "drop"))
    (home / FURNISHED).touch()
    return home


if __name__ == "__main__":
    shared = Path(os.environ["ALARMSTACK_TEST_HOME"])
    if not (shared / FURNISHED).exists():
        furnish(shared)
