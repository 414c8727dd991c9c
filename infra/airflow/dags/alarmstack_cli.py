"""How tasks call alarmstack: its command line, in its own environment, line by line into the task's
log.

ALARMSTACK_CLI names the program (default: `alarmstack` on the path). What it needs to know it reads
from the same variables as everywhere else, which Airflow's own environment passes on.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess

from airflow.sdk.exceptions import AirflowException, AirflowFailException

BAD_DROP = 3
"""Exit status of the command line where the data is at fault: trying again changes nothing."""
log = logging.getLogger(__name__)


def alarmstack(*words: str, **environment: str) -> None:
    """Run a command; what it prints is the log. Raises AirflowFailException (no retry) for bad
    data, AirflowException otherwise.
    """
    command = [os.environ.get("ALARMSTACK_CLI", "alarmstack"), *words]
    log.info("$ %s", " ".join(command))
    told = os.environ | {"COLUMNS": "160", "NO_COLOR": "1"} | environment
    process = subprocess.Popen(
        command,
        env=told,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    last = ""
    try:
        for line in process.stdout or ():
            last = line.rstrip() or last
            log.info("%s", line.rstrip())
        status = process.wait()
    finally:
        # A task that is stopped or runs out of time leaves nothing running.
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    if status == BAD_DROP:
        raise AirflowFailException(last)
    if status != 0:
        raise AirflowException(f"exit status {status}: {last}")
