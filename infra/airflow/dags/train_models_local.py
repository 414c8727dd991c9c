"""Train all models on the latest run in the store, evaluate them, and promote them.

    airflow dags trigger train_models_local

Models are promoted only if MODEL_PROMOTION_MODE is auto.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Param, dag, task
from alarmstack_cli import alarmstack


@dag(
    schedule=None,
    catchup=False,
    params={
        "seed": Param(
            0, type="integer", minimum=0, description="The same seed gives the same models."
        ),
        "days": Param(
            365,
            type="integer",
            minimum=28,
            maximum=3660,
            description="Days of each simulated plant on which they are evaluated.",
        ),
    },
    max_active_runs=1,
    default_args={
        "retries": 1,
        "retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(hours=2),
    },
    tags=["alarmstack"],
    doc_md=__doc__,
)
def train_models_local() -> None:
    """The steps of a training."""

    @task
    def train(params: dict[str, int]) -> None:
        """Fit and register the models without promotion."""
        alarmstack("train", "--seed", str(params["seed"]), MODEL_PROMOTION_MODE="manual")

    @task
    def evaluate(params: dict[str, int]) -> None:
        """Evaluate the new versions and their baselines by events; the log has the tables."""
        alarmstack("evaluate", "--newest", "--days", str(params["days"]))

    @task
    def promote() -> None:
        """Promote the models that are better than their baseline, if the mode is auto."""
        alarmstack("promote", "--trained")

    train() >> evaluate() >> promote()


train_models_local()
