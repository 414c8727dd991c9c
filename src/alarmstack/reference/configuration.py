"""docs/configuration.md: every environment variable, from `Settings` and from the table of those
that other programs read.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from alarmstack.core.settings import EVERYTHING, Readers, Settings
from alarmstack.reference.markdown import page, table


@dataclass(frozen=True)
class Variable:
    """One environment variable as the page shows it."""

    name: str
    type: str
    default: str
    meaning: str
    readers: str


ELSEWHERE = (
    Variable(
        "POSTGRES_USER", "text", "", "Owner of the Postgres server, by `make init`.", "postgres"
    ),
    Variable("POSTGRES_PASSWORD", "secret", "", "Its password, drawn by `make init`.", "postgres"),
    Variable(
        "MINIO_ROOT_USER",
        "text",
        "",
        "Access key of the object store, by `make init`.",
        "minio, and who reads it",
    ),
    Variable(
        "MINIO_ROOT_PASSWORD",
        "secret",
        "",
        "Its secret key, drawn by `make init`.",
        "minio, and who reads it",
    ),
    Variable(
        "ALARMSTACK_DB_PASSWORD",
        "secret",
        "",
        "Password of the gateway's role in Postgres.",
        "postgres, gateway",
    ),
    Variable(
        "MLFLOW_DB_PASSWORD",
        "secret",
        "",
        "Password of MLflow's role in Postgres.",
        "postgres, mlflow",
    ),
    Variable(
        "AIRFLOW_DB_PASSWORD",
        "secret",
        "",
        "Password of Airflow's role in Postgres.",
        "postgres, airflow",
    ),
    Variable(
        "EXPORTER_DB_PASSWORD",
        "secret",
        "",
        "Password of the role that sees how Postgres is.",
        "postgres, postgres-exporter",
    ),
    Variable(
        "PIPELINE_S3_SECRET_KEY",
        "secret",
        "",
        "S3 secret key of the steps: raw, curated, features, models.",
        "minio, airflow, spark",
    ),
    Variable(
        "MLFLOW_S3_SECRET_KEY",
        "secret",
        "",
        "S3 secret key of MLflow: its artifacts.",
        "minio, mlflow",
    ),
    Variable("AIRFLOW_JWT_SECRET", "secret", "", "Signs the tokens of Airflow's API.", "airflow"),
    Variable(
        "AIRFLOW_SECRET_KEY", "secret", "", "Signs the sessions of Airflow's pages.", "airflow"
    ),
    Variable("AIRFLOW_FERNET_KEY", "secret", "", "Encrypts Airflow's connections.", "airflow"),
    Variable("GRAFANA_ADMIN_PASSWORD", "secret", "", "Password of Grafana's `admin`.", "grafana"),
    Variable(
        "AWS_ACCESS_KEY_ID",
        "text",
        "",
        "Access key for `s3://` URLs.",
        "steps, sensors, inference, mlflow",
    ),
    Variable(
        "AWS_SECRET_ACCESS_KEY",
        "secret",
        "",
        "Its secret key.",
        "steps, sensors, inference, mlflow",
    ),
    Variable(
        "AWS_REGION",
        "text",
        "us-east-1",
        "Region of the bucket; our own server takes any.",
        "steps, sensors, inference",
    ),
    Variable("UI_PORT", "port", "8088", "Host port of the reverse proxy.", "nginx"),
    Variable(
        "UI_BIND",
        "address",
        "0.0.0.0",
        "Address of the host that the reverse proxy listens on.",
        "nginx",
    ),
    Variable(
        "UI_TLS_CERTIFICATE_FILE",
        "path",
        "/dev/null",
        "Certificate of the reverse proxy with its chain (PEM). Empty: plain HTTP.",
        "nginx",
    ),
    Variable(
        "UI_TLS_KEY_FILE",
        "path",
        "/dev/null",
        "Its private key (PEM), readable for user 101.",
        "nginx",
    ),
    Variable(
        "MLFLOW_CONSOLE_PORT", "port", "5000", "Port of this computer for MLflow's page.", "mlflow"
    ),
    Variable(
        "AIRFLOW_CONSOLE_PORT",
        "port",
        "8080",
        "Port of this computer for Airflow's page and API.",
        "airflow-webserver",
    ),
    Variable(
        "SPARK_CONSOLE_PORT",
        "port",
        "8081",
        "Port of this computer for the Spark master's page.",
        "spark-master",
    ),
    Variable("S3_PORT", "port", "9000", "Port of this computer for the object store.", "minio"),
    Variable(
        "S3_CONSOLE_PORT",
        "port",
        "9001",
        "Port of this computer for the object store's page.",
        "minio",
    ),
    Variable(
        "PROMETHEUS_CONSOLE_PORT",
        "port",
        "9090",
        "Port of this computer for Prometheus.",
        "prometheus",
    ),
    Variable(
        "GRAFANA_CONSOLE_PORT", "port", "3000", "Port of this computer for Grafana.", "grafana"
    ),
    Variable(
        "TZ",
        "text",
        "UTC",
        "Time zone of the containers' logs. Plant time is the plant file's.",
        "every container",
    ),
    Variable(
        "VITE_FRONTEND_API_URL",
        "URL",
        "http://localhost:7501",
        "Gateway behind the development server.",
        "npm run dev",
    ),
    Variable(
        "VITE_SENSOR_API_URL",
        "URL",
        "http://localhost:7500",
        "Feed behind the development server: `/sensors/…`.",
        "npm run dev",
    ),
    Variable(
        "ALARMSTACK_CLI",
        "path",
        "alarmstack",
        "Program that DAGs call, in an environment of its own.",
        "airflow",
    ),
    Variable(
        "ALARMSTACK_DATA",
        "folder",
        "../shared/data",
        "Public data sets that some tests read.",
        "tests",
    ),
    Variable(
        "ALARMSTACK_TEST_ALL", "1", "", "A test that would be left out fails instead.", "tests"
    ),
    Variable(
        "ALARMSTACK_TEST_HOME",
        "folder",
        "",
        "A finished data folder that tests use again.",
        "tests",
    ),
)
"""Variables that `Settings` does not read: those of other programs, and of tests."""


def variables() -> tuple[Variable, ...]:
    """Those of alarmstack itself, in the order of `Settings`."""
    return tuple(_variable(name, field) for name, field in Settings.model_fields.items())


def configuration_page() -> str:
    """The page."""
    return page(
        "# Configuration",
        "",
        "All settings of an installation are environment variables; the plant is in plant.toml.",
        "An invalid value is refused at the start, with its name. *Steps* are the commands simulate,",
        "ingest, etl, train, evaluate, promote, score and export.",
        "",
        *_table(variables()),
        "",
        "## Read by others",
        "",
        "Containers of the full stack, the development server and tests read these variables.",
        "Secrets have no default: `make init` generates them.",
        "",
        *_table(ELSEWHERE),
    )


def _table(rows: tuple[Variable, ...]) -> list[str]:
    head = ("variable", "type", "default", "meaning", "read by")
    return table(
        head,
        (
            (f"`{v.name}`", v.type, f"`{v.default}`" if v.default else "–", v.meaning, v.readers)
            for v in rows
        ),
    )


def _variable(name: str, field: FieldInfo) -> Variable:
    readers = next((m for m in field.metadata if isinstance(m, Readers)), None)
    if readers is None or not field.description or not field.alias:
        raise TypeError(f"Settings.{name} needs an alias, a description and its readers: add them")
    said = "everything" if readers == EVERYTHING else ", ".join(readers.names)
    return Variable(field.alias, _type(field), _default(field.default), field.description, said)


def _type(field: FieldInfo) -> str:
    """A type in words; choices are spelled out."""
    kind: Any = field.annotation
    if get_origin(kind) in (Union, UnionType):
        kind = next(one for one in get_args(kind) if one is not NoneType)
    if get_origin(kind) is Literal:
        return " · ".join(get_args(kind))
    if field.alias and field.alias.endswith("_PORT"):
        return "port"
    if field.alias and field.alias.endswith(("_URL", "_URI")):
        return "URL"
    return {
        "str": "text",
        "SecretStr": "secret",
        "bool": "true · false",
        "int": "whole number",
        "float": "number",
        "Path": "path",
    }[kind.__name__]


def _default(value: object) -> str:
    match value:
        case None | SecretStr():
            return ""
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
    return str(value)


__all__ = ["ELSEWHERE", "Variable", "configuration_page", "variables"]
