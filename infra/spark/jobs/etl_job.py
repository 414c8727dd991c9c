"""Entry point for spark-submit: `alarmstack etl --engine spark` on the cluster of spark-submit.

Example: spark-submit --master spark://localhost:7077 infra/spark/jobs/etl_job.py data/fleet
"""

import sys

from alarmstack.cli import main

sys.argv[1:] = ["etl", "--engine", "spark", "--master", "", *sys.argv[1:]]
main()
