"""Small promises of the mission: default ports, names of variables, targets of make."""

import subprocess

import pytest

from alarmstack.core.plant import Plant
from alarmstack.core.settings import Settings, load_settings
from alarmstack.models import recipes
from tests.conftest import REPOSITORY

HYPER_V = [(7914, 8113), (9202, 9801)]
"""Ports that Windows reserves on typical computers, as the mission text lists them."""


def test_services_have_the_default_ports_of_the_mission(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SENSORS", "GATEWAY", "INFERENCE", "PAGE"):
        monkeypatch.delenv(f"ALARMSTACK_{name}_PORT", raising=False)
    default = Settings()
    ports = (
        default.page_port,
        default.sensors_port,
        default.gateway_port,
        default.inference_port,
    )
    assert ports == (5173, 7500, 7501, 7502)
    assert not [port for port in ports for low, high in HYPER_V if low <= port <= high]


@pytest.mark.parametrize(
    ("variable", "value", "field"),
    [
        ("MODEL_PROMOTION_MODE", "auto", "promotion_mode"),
        ("MODEL_PROMOTION_METRIC", "roc_auc_anomaly", "promotion_metric"),
        ("MODEL_NAME", "plant_alarm_rf_soft_alarm", "model_name"),
        ("MLFLOW_TRACKING_URI", "http://mlflow:5000", "registry"),
        ("MLFLOW_S3_ENDPOINT_URL", "http://minio:9000", "s3_endpoint"),
        ("AIRFLOW_ADMIN_USER", "anna", "airflow_user"),
    ],
)
def test_variables_of_the_mission_are_read(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, field: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert getattr(load_settings(), field) == value


def test_promotion_is_manual_by_default_with_the_metric_of_the_mission(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MODEL_PROMOTION_MODE", raising=False)
    monkeypatch.delenv("MODEL_PROMOTION_METRIC", raising=False)
    assert (Settings().promotion_mode, Settings().promotion_metric) == ("manual", "f1_anomaly")


@pytest.mark.parametrize(
    ("engine", "program"), [([], "docker compose"), (["ENGINE=podman"], "podman-compose")]
)
@pytest.mark.parametrize(
    ("recipe", "ends"), [("up", "up -d"), ("down", "down"), ("logs", "logs -f"), ("ps", "ps")]
)
def test_the_stack_is_started_watched_and_stopped_by_either_engine(
    recipe: str, ends: str, engine: list[str], program: str
) -> None:
    # `make -n` prints the commands without running them. `make compose-test` runs them.
    done = subprocess.run(
        ["make", "-n", "--no-print-directory", recipe, *engine],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == f"{program} -f infra/compose.yml {ends}"


def test_the_isolation_forest_has_the_trees_of_the_mission(plant: Plant) -> None:
    recipe = next(one for one in recipes(plant) if one.name == "plant_alarm_isolation_forest")
    (make,) = recipe.candidates.values()
    assert vars(make(0))["model"].n_estimators == 300
