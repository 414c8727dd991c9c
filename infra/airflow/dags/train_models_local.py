"""All models are trained on the store's latest run, judged, and promoted where MODEL_PROMOTION_MODE
says so.

airflow dags trigger train_models_local
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Param, dag, task
from alarmstack_cli import alarmstack


@dag(
    schedule=None,
    catchup=False,
    params={
        "seed": Param(0, type="integer", minimum=0, description="Same seed, same models."),
        "days": Param(
            365,
            type="integer",
            minimum=28,
            maximum=3660,
            description="Length of each plant that judges them.",
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
    """Training, step by step."""

    @task
    def train(params: dict[str, int]) -> None:
        """Fit and register; nobody is promoted yet."""
        alarmstack("train", "--seed", str(params["seed"]), MODEL_PROMOTION_MODE="manual")

    @task
    def evaluate(params: dict[str, int]) -> None:
        """Judge the new versions by events, beside baselines; the tables are in the log."""
        alarmstack("evaluate", "--newest", "--days", str(params["days"]))

    @task
    def promote() -> None:
        """Promote the models that are better than their baseline, if the mode is auto."""
        alarmstack("promote", "--trained")

    train() >> evaluate() >> promote()


train_models_local()
