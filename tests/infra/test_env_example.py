"""infra/.env.example has every variable of Settings, of the contract and of the compose files.

`make init` makes an env file with generated secrets from it.
"""

import base64
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from alarmstack.core.settings import Settings
from tests.conftest import REPOSITORY

INFRA = REPOSITORY / "infra"
TEMPLATE = (INFRA / ".env.example").read_text()
CONTRACT = {
    "MODEL_PROMOTION_MODE",
    "MODEL_PROMOTION_METRIC",
    "MODEL_NAME",
    "MLFLOW_TRACKING_URI",
    "MLFLOW_S3_ENDPOINT_URL",
    "AIRFLOW_ADMIN_USER",
    "AIRFLOW_ADMIN_PASSWORD",
    "MINIO_ROOT_USER",
    "MINIO_ROOT_PASSWORD",
    "POSTGRES_USER",
    "POSTGRES_PASSWORD",
    "JWT_SECRET",
    "UI_PORT",
    "TZ",
    "VITE_FRONTEND_API_URL",
    "VITE_SENSOR_API_URL",
}
"""Variables that the contract names."""
FOR_BUILDS = {"ALARMSTACK_SOURCES"}
"""Set by `make`, never by an env file."""


def variables(text: str) -> dict[str, str]:
    """Variables of an env file and their values. Lines that only show a default are included."""
    return dict(re.findall(r"(?m)^(?:# )?([A-Z][A-Z0-9_]+)=(.*)$", text))


def used_by_compose() -> set[str]:
    texts = [(INFRA / name).read_text() for name in ("compose.yml", "compose.frontend.yml")]
    return {name for text in texts for name in re.findall(r"(?<!\$)\$\{(\w+)", text)} - FOR_BUILDS


def test_the_names_are_those_of_settings_of_the_contract_and_of_the_compose_files() -> None:
    settings = {str(field.alias) for field in Settings.model_fields.values()}
    assert set(variables(TEMPLATE)) == settings | CONTRACT | used_by_compose()


def test_each_variable_is_listed_once() -> None:
    lines = re.findall(r"(?m)^(?:# )?([A-Z][A-Z0-9_]+)=", TEMPLATE)
    assert len(lines) == len(set(lines))


@pytest.mark.parametrize(
    "alias", sorted(str(field.alias) for field in Settings.model_fields.values())
)
def test_settings_accepts_every_default_that_is_shown(
    alias: str,
) -> None:
    value = variables(TEMPLATE)[alias]
    field = next(name for name, one in Settings.model_fields.items() if one.alias == alias)
    if value:
        Settings.model_validate({field: value})
    else:
        assert (
            Settings.model_fields[field].default in (None, "")
            or "SECRET" in alias
            or "TOKEN" in alias
            or "PASSWORD" in alias
        )


def initialised(folder: Path) -> "subprocess.CompletedProcess[str]":
    """The result of `make init` in a copy of the folder."""
    (folder / "infra").mkdir(exist_ok=True)
    for name in ("init.py", ".env.example"):
        (folder / "infra" / name).write_text((INFRA / name).read_text())
    return subprocess.run(
        [sys.executable, str(folder / "infra/init.py")], capture_output=True, text=True, check=False
    )


def test_init_fills_every_secret_for_the_owner_alone(tmp_path: Path) -> None:
    assert initialised(tmp_path).returncode == 0
    file = tmp_path / "infra/.env"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and (tmp_path / "data_drop").is_dir()
    generated = re.findall(r"(?m)^([A-Z0-9_]+)=(.*)$", file.read_text())
    assert {name for name, _ in generated} == {
        name for name, _ in re.findall(r"(?m)^([A-Z0-9_]+)=(.*)$", TEMPLATE)
    }
    assert all(value for _, value in generated)
    secrets = [
        value
        for name, value in generated
        if not dict(re.findall(r"(?m)^([A-Z0-9_]+)=(.*)$", TEMPLATE))[name]
    ]
    assert len(set(secrets)) == len(secrets) > 10 and all(len(value) >= 44 for value in secrets)
    assert len(base64.urlsafe_b64decode(dict(generated)["AIRFLOW_FERNET_KEY"])) == 32
    # Settings accepts the generated secrets.
    assert Settings.model_validate(
        {
            "jwt_secret": dict(generated)["JWT_SECRET"],
            "metrics_token": dict(generated)["ALARMSTACK_METRICS_TOKEN"],
        }
    )


def test_init_keeps_an_existing_file_and_reports_it(tmp_path: Path) -> None:
    initialised(tmp_path)
    before = (tmp_path / "infra/.env").read_bytes()
    again = initialised(tmp_path)
    assert again.returncode == 1 and "was not changed" in again.stderr
    assert (tmp_path / "infra/.env").read_bytes() == before


def test_every_secret_that_compose_asks_for_is_one_that_init_makes(tmp_path: Path) -> None:
    initialised(tmp_path)
    generated = dict(re.findall(r"(?m)^([A-Z0-9_]+)=(.*)$", (tmp_path / "infra/.env").read_text()))
    required = set(re.findall(r"\$\{(\w+):\?", (INFRA / "compose.yml").read_text()))
    assert required and not [name for name in required if not generated.get(name)]


def test_the_env_file_is_never_committed() -> None:
    ignored = subprocess.run(
        ["git", "check-ignore", "infra/.env"],
        cwd=REPOSITORY,
        capture_output=True,
        check=False,
        env=os.environ,
    )
    assert ignored.returncode == 0
