"""Run alarmstack commands from Airflow tasks; their output goes to the log of the task.

ALARMSTACK_CLI is the program (default: `alarmstack` on the path). It runs in its own Python
environment and reads the usual environment variables, which it inherits from Airflow.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess

from airflow.sdk.exceptions import AirflowException, AirflowFailException

BAD_DROP = 3
"""Exit status of alarmstack for invalid data, for which a retry is useless."""
log = logging.getLogger(__name__)


def alarmstack(*words: str, **environment: str) -> None:
    """Run a command with `environment` added to the variables of the task, and log its output.

    Raises AirflowFailException (no retry) for invalid data, and AirflowException for other errors.
    """
    command = [os.environ.get("ALARMSTACK_CLI", "alarmstack"), *words]
    log.info("$ %s", " ".join(command))
    variables = os.environ | {"COLUMNS": "160", "NO_COLOR": "1"} | environment
    process = subprocess.Popen(
        command,
        env=variables,
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
        # No process is left when a task is stopped or reaches its time limit.
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    if status == BAD_DROP:
        raise AirflowFailException(last)
    if status != 0:
        raise AirflowException(f"exit status {status}: {last}")
