"""Settings: the environment, read once, as one validated object."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from alarmstack.core.errors import AlarmstackError
from alarmstack.core.formats import SUFFIXES

SHORTEST_SECRET = 32
"""Characters of a JWT_SECRET: HS256 keys shorter than its 256-bit hash are weak (RFC 7518, 3.2)."""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""Names of this computer for itself."""
FEWEST_DIFFERENT = 10
"""A secret with fewer different characters was typed by hand, not generated."""
LONGEST_KEPT_DAYS = 36_600.0
"""A hundred years: longer than a plant runs, and short enough for every calendar."""


@dataclass(frozen=True)
class Readers:
    """The parts of alarmstack that read a variable."""

    names: tuple[str, ...]

    def __or__(self, other: Readers) -> Readers:
        return Readers(self.names + other.names)


STEPS, WATCHER = Readers(("steps",)), Readers(("watcher",))
"""`STEPS`: the commands that simulate, ingest, train, evaluate, promote and score."""
SENSORS, INFERENCE, GATEWAY = Readers(("sensors",)), Readers(("inference",)), Readers(("gateway",))
SERVICES = SENSORS | INFERENCE | GATEWAY
EVERYTHING = STEPS | WATCHER | SERVICES

Engine = Literal["local", "spark"]
Port = Annotated[int, Field(ge=1, le=65535)]


class Settings(BaseSettings):
    """What may differ between two installations.

    Every field is an environment variable. docs/configuration.md is generated from this class.
    """

    model_config = SettingsConfigDict(frozen=True, populate_by_name=True)

    plant: Annotated[Path, EVERYTHING] = Field(
        default=Path("plants/gas_treatment/plant.toml"),
        alias="ALARMSTACK_PLANT",
        description="The plant description: tags, limits, durations and models.",
    )
    data: Annotated[Path, EVERYTHING] = Field(
        default=Path("data"),
        alias="ALARMSTACK_DATA_DIR",
        description="Folder of all results: store, registry, database, live plant, logs.",
    )
    store_url: Annotated[str | None, STEPS] = Field(
        default=None,
        alias="ALARMSTACK_STORE_URL",
        description="Where runs of feature tables are published: `file://` or `s3://`. Default: "
        "`store` in the data folder.",
    )
    raw_url: Annotated[str | None, STEPS | SENSORS] = Field(
        default=None,
        alias="ALARMSTACK_RAW_URL",
        description="Where incoming data is kept unchanged. Default: `raw` in the store.",
    )
    curated_url: Annotated[str | None, STEPS] = Field(
        default=None,
        alias="ALARMSTACK_CURATED_URL",
        description="Where cleaned and labelled datasets are kept. Default: `curated` in the "
        "store.",
    )
    models_url: Annotated[str | None, STEPS | INFERENCE] = Field(
        default=None,
        alias="ALARMSTACK_MODELS_URL",
        description="Models published as files. They are served until a registry answers. Default: "
        "`models` in the store.",
    )
    s3_endpoint: Annotated[str | None, STEPS | SENSORS | INFERENCE] = Field(
        default=None,
        alias="MLFLOW_S3_ENDPOINT_URL",
        description="Address of the S3 server behind `s3://` URLs, for MLflow as well; unset: AWS.",
    )
    tracking_uri: Annotated[str | None, STEPS | INFERENCE] = Field(
        default=None,
        alias="MLFLOW_TRACKING_URI",
        description="The model registry: an MLflow server or an SQLite file. Default: `mlflow.db` "
        "in the data folder.",
    )
    drop: Annotated[Path, WATCHER] = Field(
        default=Path("data_drop"),
        alias="ALARMSTACK_DROP_DIR",
        description=f"Folder that is watched for data files: {', '.join(SUFFIXES)}.",
    )
    notebook_data: Annotated[Path | None, STEPS] = Field(
        default=None,
        alias="ALARMSTACK_NOTEBOOK_DATA",
        description="What the notebooks read: a drop or a file. Default: the month of the demo, "
        "which is simulated if it is missing.",
    )
    watch_polling: Annotated[bool, WATCHER] = Field(
        default=False,
        alias="ALARMSTACK_WATCH_POLLING",
        description="Look at the folder at intervals instead of waiting for file events. Needed on "
        "network mounts and Windows volumes.",
    )
    settle_seconds: Annotated[float, WATCHER] = Field(
        default=2.0,
        gt=0,
        le=3600,
        alias="ALARMSTACK_SETTLE_SECONDS",
        description="Seconds that a file must stay unchanged before it counts as complete.",
    )
    read_unpacked: Annotated[int, STEPS | WATCHER] = Field(
        default=1024,
        ge=1,
        le=1_000_000,
        alias="ALARMSTACK_READ_UNPACKED_MB",
        description="Megabytes that a data file may have after unpacking. A larger one is refused.",
    )
    read_cells: Annotated[int, STEPS | WATCHER] = Field(
        default=25_000_000,
        ge=1,
        alias="ALARMSTACK_READ_CELLS",
        description="Cells that a sheet of a data file may have, blank ones included.",
    )
    read_columns: Annotated[int, STEPS | WATCHER] = Field(
        default=5_000,
        ge=1,
        alias="ALARMSTACK_READ_COLUMNS",
        description="Columns that a sheet of a data file may have.",
    )
    read_memory: Annotated[int, STEPS | WATCHER] = Field(
        default=4096,
        ge=2048,
        le=1_000_000,
        alias="ALARMSTACK_READ_MEMORY_MB",
        description="Megabytes of address space for the process that reads a drop. The process "
        "itself needs about 1,300.",
    )
    read_seconds: Annotated[float, STEPS | WATCHER] = Field(
        default=300.0,
        gt=0,
        le=86_400,
        alias="ALARMSTACK_READ_SECONDS",
        description="Seconds that reading a drop may take.",
    )
    airflow_url: Annotated[str | None, WATCHER] = Field(
        default=None,
        alias="ALARMSTACK_AIRFLOW_URL",
        description="Airflow server that processes drops, by REST. Unset: the ETL runs in the "
        "watcher.",
    )
    airflow_user: Annotated[str, WATCHER] = Field(
        default="",
        alias="AIRFLOW_ADMIN_USER",
        description="Account that the watcher uses at Airflow; `make init` also creates it as the "
        "first account.",
    )
    airflow_password: Annotated[SecretStr, WATCHER] = Field(
        default=SecretStr(""),
        alias="AIRFLOW_ADMIN_PASSWORD",
        description="Password of that account.",
    )
    etl_engine: Annotated[Engine, STEPS] = Field(
        default="local",
        alias="ALARMSTACK_ETL_ENGINE",
        description="What runs the ETL: this process or Spark. The results are the same.",
    )
    spark_master: Annotated[str, STEPS] = Field(
        default="local[*]",
        alias="SPARK_MASTER_URL",
        description="The Spark cluster of the engine `spark`; `local[*]` starts one in the "
        "process.",
    )
    clock_step: Annotated[float, STEPS] = Field(
        default=86_400.0,
        gt=0,
        le=316_224_000,
        alias="ALARMSTACK_CLOCK_STEP_SECONDS",
        description="Seconds that the clock of a streamed asset may move at once. A reading "
        "further ahead is used only when others agree with it.",
    )
    promotion_mode: Annotated[Literal["manual", "auto"], STEPS] = Field(
        default="manual",
        alias="MODEL_PROMOTION_MODE",
        description="`auto` makes the best version @champion after training. The demo always does "
        "so.",
    )
    promotion_metric: Annotated[str, STEPS] = Field(
        default="f1_anomaly",
        alias="MODEL_PROMOTION_METRIC",
        description="Metric that defines the best version: any logged metric, such as "
        "roc_auc_anomaly.",
    )
    model_name: Annotated[str | None, INFERENCE] = Field(
        default=None,
        alias="MODEL_NAME",
        description="Registry name behind /predict. Default: the plant's champion, such as "
        "plant_alarm_champion.",
    )
    database_url: Annotated[str | None, GATEWAY] = Field(
        default=None,
        alias="ALARMSTACK_DATABASE_URL",
        description="Database of accounts, history and past intervals: SQLite or Postgres. "
        "Default: `alarmstack.db` in the data folder.",
    )
    database_busy_seconds: Annotated[float, GATEWAY] = Field(
        default=10.0,
        gt=0,
        le=60,
        alias="ALARMSTACK_DATABASE_BUSY_SECONDS",
        description="Seconds that a writer waits for another writer on SQLite before it reports an "
        "error.",
    )
    feed_ahead_seconds: Annotated[float, GATEWAY] = Field(
        default=86_400.0,
        ge=0,
        le=3_155_760_000,
        alias="ALARMSTACK_FEED_AHEAD_SECONDS",
        description="A row of the feed whose time is further ahead of the plant clock is "
        "quarantined.",
    )
    feed_behind_seconds: Annotated[float, GATEWAY] = Field(
        default=315_576_000.0,
        ge=0,
        le=3_155_760_000,
        alias="ALARMSTACK_FEED_BEHIND_SECONDS",
        description="A row of the feed whose time is further behind the plant clock is "
        "quarantined. Default: ten years.",
    )
    quarantine_rows: Annotated[int, GATEWAY] = Field(
        default=1000,
        ge=1,
        le=1_000_000,
        alias="ALARMSTACK_QUARANTINE_ROWS",
        description="Number of quarantined rows of the feed that are kept. The oldest ones are "
        "removed.",
    )
    sensors_url: Annotated[str, GATEWAY] = Field(
        default="http://127.0.0.1:7500",
        alias="ALARMSTACK_SENSORS_URL",
        description="Address of the feed that the monitor reads.",
    )
    inference_url: Annotated[str, GATEWAY] = Field(
        default="http://127.0.0.1:7502",
        alias="ALARMSTACK_INFERENCE_URL",
        description="Address of the inference service, which scores each closed interval.",
    )
    registration: Annotated[Literal["open", "invitation", "closed"], GATEWAY] = Field(
        default="invitation",
        alias="ALARMSTACK_REGISTRATION",
        description="Who may create an account: everybody (as a viewer), people with an "
        "invitation, or nobody.",
    )
    jwt_secret: Annotated[SecretStr | None, GATEWAY] = Field(
        default=None,
        alias="JWT_SECRET",
        description="Key that signs access tokens: at least 32 random characters. The gateway does "
        "not start without it. The demo generates one.",
    )
    metrics_token: Annotated[SecretStr | None, GATEWAY] = Field(
        default=None,
        alias="ALARMSTACK_METRICS_TOKEN",
        description="Token that gives access to the gateway's /metrics from other computers.",
    )
    public_origins: Annotated[str, GATEWAY] = Field(
        default="",
        alias="ALARMSTACK_PUBLIC_ORIGINS",
        description="Further origins whose pages may change state, separated by commas.",
    )
    allowed_hosts: Annotated[str, SERVICES] = Field(
        default="",
        alias="ALARMSTACK_ALLOWED_HOSTS",
        description="Further host names that requests may use, separated by commas. Always "
        "allowed: loopback, ALARMSTACK_HOST and the hosts of ALARMSTACK_PUBLIC_ORIGINS. "
        "`*.example.org` allows every name below it.",
    )
    trusted_proxies: Annotated[str, GATEWAY] = Field(
        default="",
        alias="ALARMSTACK_TRUSTED_PROXIES",
        description="Proxies whose X-Forwarded-For header is trusted, separated by commas: "
        "addresses, networks or names. Unset: none.",
    )
    session_hours: Annotated[float, GATEWAY] = Field(
        default=168.0,
        gt=0,
        le=8760,
        alias="ALARMSTACK_SESSION_HOURS",
        description="Hours after which a login ends, even when it is in use.",
    )
    page: Annotated[Path, GATEWAY] = Field(
        default=Path("ui/dist"),
        alias="ALARMSTACK_PAGE_DIR",
        description="The built page that the gateway serves.",
    )
    host: Annotated[str, SERVICES] = Field(
        default="127.0.0.1",
        alias="ALARMSTACK_HOST",
        description="Address that the services listen on.",
    )
    sensors_port: Annotated[Port, SENSORS] = Field(
        default=7500, alias="ALARMSTACK_SENSORS_PORT", description="Port of the sensor API."
    )
    gateway_port: Annotated[Port, GATEWAY] = Field(
        default=7501, alias="ALARMSTACK_GATEWAY_PORT", description="Port of the gateway's API."
    )
    inference_port: Annotated[Port, INFERENCE] = Field(
        default=7502, alias="ALARMSTACK_INFERENCE_PORT", description="Port of the inference API."
    )
    page_port: Annotated[Port, GATEWAY] = Field(
        default=5173, alias="ALARMSTACK_PAGE_PORT", description="Port of the screen."
    )
    log_bytes: Annotated[int, SERVICES] = Field(
        default=10_000_000,
        ge=10_000,
        alias="ALARMSTACK_LOG_BYTES",
        description="Size in bytes at which the log file of a service is rotated. Three old files "
        "are kept.",
    )
    requests_per_minute: Annotated[int, GATEWAY] = Field(
        default=1200,
        ge=10,
        le=1_000_000,
        alias="ALARMSTACK_REQUESTS_PER_MINUTE",
        description="Requests that one account may send in a minute. Further ones get status 429.",
    )
    heavy_reads_per_minute: Annotated[int, GATEWAY] = Field(
        default=120,
        ge=1,
        le=1_000_000,
        alias="ALARMSTACK_HEAVY_READS_PER_MINUTE",
        description="Trends, views of drift, comparisons and CSV exports that one account may "
        "request in a minute.",
    )
    keep_assessments_days: Annotated[float, GATEWAY] = Field(
        default=30.0,
        gt=0,
        le=LONGEST_KEPT_DAYS,
        alias="ALARMSTACK_KEEP_ASSESSMENTS_DAYS",
        description="Plant days that complete assessments are kept. Values, scores and warnings of "
        "older intervals stay.",
    )
    keep_intervals_days: Annotated[float, GATEWAY] = Field(
        default=3660.0,
        gt=0,
        le=LONGEST_KEPT_DAYS,
        alias="ALARMSTACK_KEEP_INTERVALS_DAYS",
        description="Plant days that intervals are kept. Ten years of hourly intervals take about "
        "160 MB.",
    )
    keep_deleted_days: Annotated[float, GATEWAY] = Field(
        default=30.0,
        gt=0,
        le=LONGEST_KEPT_DAYS,
        alias="ALARMSTACK_KEEP_DELETED_DAYS",
        description="Days that a deleted history entry can be restored. It is then removed "
        "permanently.",
    )
    keep_readings_days: Annotated[float, SENSORS] = Field(
        default=90.0,
        gt=0,
        le=LONGEST_KEPT_DAYS,
        alias="ALARMSTACK_KEEP_READINGS_DAYS",
        description="Plant days that readings of ALARMSTACK_FLUSH_READINGS are kept.",
    )
    keep_drops_days: Annotated[float, STEPS | WATCHER] = Field(
        default=90.0,
        gt=0,
        le=LONGEST_KEPT_DAYS,
        alias="ALARMSTACK_KEEP_DROPS_DAYS",
        description="Days that copies of drops are kept in ALARMSTACK_RAW_URL, and refused drops "
        "in the data folder. The datasets and tables made from them stay.",
    )
    speed: Annotated[float, SENSORS] = Field(
        default=720.0,
        gt=0,
        le=36_000,
        alias="ALARMSTACK_SPEED",
        description="Plant seconds in one second of wall time: 720 is one hour in five seconds, 1 "
        "is real time.",
    )
    flush_readings: Annotated[bool, SENSORS] = Field(
        default=False,
        alias="ALARMSTACK_FLUSH_READINGS",
        description="Store the readings of closed hours in ALARMSTACK_RAW_URL.",
    )
    unflushed_readings: Annotated[int, SENSORS] = Field(
        default=200_000,
        ge=1,
        le=10_000_000,
        alias="ALARMSTACK_UNFLUSHED_READINGS",
        description="Number of readings that are kept in memory while the store cannot be written. "
        "The oldest ones are discarded and counted.",
    )
    serve_unpromoted: Annotated[bool, INFERENCE] = Field(
        default=False,
        alias="ALARMSTACK_SERVE_UNPROMOTED",
        description="Serve the newest version, marked as unpromoted, when none is @champion. For "
        "the demo.",
    )

    @field_validator("jwt_secret", "metrics_token")
    @classmethod
    def _strong(cls, secret: SecretStr | None) -> SecretStr | None:
        """Refuse a secret that can be guessed. An empty value counts as unset (compose files)."""
        if secret is None or not secret.get_secret_value():
            return None
        length, different = len(secret.get_secret_value()), len(set(secret.get_secret_value()))
        if length < SHORTEST_SECRET or different < FEWEST_DIFFERENT:
            raise ValueError(
                f"too weak ({length} characters, {different} different ones): use at least "
                f"{SHORTEST_SECRET} random ones, for example from `openssl rand -hex 32`"
            )
        return secret

    @property
    def store(self) -> str:
        """URL of the feature store; by default a folder of the data folder."""
        return self.store_url or (self.data / "store").resolve().as_uri()

    @property
    def raw(self) -> str:
        """URL of unchanged input: accepted drops and live readings; by default in the store."""
        return self.raw_url or f"{self.store}/raw"

    @property
    def curated(self) -> str:
        """URL of the cleaned and labelled datasets behind the runs; by default in the store."""
        return self.curated_url or f"{self.store}/curated"

    @property
    def models(self) -> str:
        """URL of exported models, which are served without a registry; by default in the store."""
        return self.models_url or f"{self.store}/models"

    @property
    def registry(self) -> str:
        """URI of the model registry; by default an SQLite file of the data folder."""
        return self.tracking_uri or f"sqlite:///{(self.data / 'mlflow.db').resolve()}"

    @property
    def database(self) -> str:
        """URL of the database of users, history and journal; by default an SQLite file."""
        return self.database_url or f"sqlite:///{(self.data / 'alarmstack.db').resolve()}"

    @property
    def origins(self) -> frozenset[str]:
        """Further origins whose pages may change state (ALARMSTACK_PUBLIC_ORIGINS)."""
        return frozenset(origin.rstrip("/") for origin in _listed(self.public_origins))

    @property
    def hosts(self) -> frozenset[str]:
        """Host names that requests may use: loopback, the service address, configured names."""
        origins = (urlsplit(origin).hostname or "" for origin in self.origins)
        named = {self.host, *origins, *_listed(self.allowed_hosts)} - {"", "0.0.0.0", "::"}
        return LOOPBACK | {name.lower().strip("[]") for name in named}

    @property
    def session_life(self) -> timedelta:
        """The longest duration of a login."""
        return timedelta(hours=self.session_hours)

    @property
    def proxies(self) -> tuple[str, ...]:
        """Proxies that may state the address of a client."""
        return _listed(self.trusted_proxies)


def _listed(written: str) -> tuple[str, ...]:
    """The entries of a list that is separated by commas."""
    return tuple(entry.strip() for entry in written.split(",") if entry.strip())


def load_settings() -> Settings:
    """Settings from the environment.

    Raises AlarmstackError that names the variable and the allowed values.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        # A value that a validator refused may be a secret: it is not shown.
        value = "" if first["type"] == "value_error" else f"={first['input']!r}"
        reason = first["msg"].removeprefix("Value error, ")
        raise AlarmstackError(f"{first['loc'][0]}{value}: {reason}") from error


__all__ = ["EVERYTHING", "Engine", "Readers", "Settings", "load_settings"]
