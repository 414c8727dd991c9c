"""spark-submit's way to `alarmstack etl --engine spark`: the same command, on the cluster that
spark-submit names.

Example: spark-submit --master spark://localhost:7077 infra/spark/jobs/etl_job.py data/fleet
"""

import sys

from alarmstack.cli import main

sys.argv[1:] = ["etl", "--engine", "spark", "--master", "", *sys.argv[1:]]
main()
