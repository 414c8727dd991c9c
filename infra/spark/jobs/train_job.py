"""Entry point for spark-submit: `alarmstack train` on the driver.

The training data is the run that the cluster published.

Example: spark-submit --master spark://localhost:7077 infra/spark/jobs/train_job.py
"""

import sys

from alarmstack.cli import main

sys.argv[1:] = ["train", *sys.argv[1:]]
main()
