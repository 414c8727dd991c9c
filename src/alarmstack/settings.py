"""Settings: the environment, read once, as one validated object."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from alarmstack.errors import AlarmstackError

SHORTEST_SECRET = 32
"""Characters of a JWT_SECRET: HS256 keys shorter than its 256-bit hash are weak (RFC 7518, 3.2)."""
FEWEST_DIFFERENT = 10
"""A secret with fewer different characters than this was typed, not generated."""


Engine = Literal["local", "spark"]
Port = Annotated[int, Field(ge=1, le=65535)]


class Settings(BaseSettings):
    """What may differ between two installations. Every field is an environment variable."""

    model_config = SettingsConfigDict(frozen=True, populate_by_name=True)

    plant: Path = Field(default=Path("plants/gas_treatment/plant.toml"), alias="ALARMSTACK_PLANT")
    data: Path = Field(default=Path("data"), alias="ALARMSTACK_DATA_DIR")
    store_url: str | None = Field(default=None, alias="ALARMSTACK_STORE_URL")
    raw_url: str | None = Field(default=None, alias="ALARMSTACK_RAW_URL")
    curated_url: str | None = Field(default=None, alias="ALARMSTACK_CURATED_URL")
    models_url: str | None = Field(default=None, alias="ALARMSTACK_MODELS_URL")
    s3_endpoint: str | None = Field(default=None, alias="MLFLOW_S3_ENDPOINT_URL")
    tracking_uri: str | None = Field(default=None, alias="MLFLOW_TRACKING_URI")
    drop: Path = Field(default=Path("data_drop"), alias="ALARMSTACK_DROP_DIR")
    notebook_data: Path | None = Field(default=None, alias="ALARMSTACK_NOTEBOOK_DATA")
    watch_polling: bool = Field(default=False, alias="ALARMSTACK_WATCH_POLLING")
    settle_seconds: float = Field(default=2.0, gt=0, le=3600, alias="ALARMSTACK_SETTLE_SECONDS")
    airflow_url: str | None = Field(default=None, alias="ALARMSTACK_AIRFLOW_URL")
    airflow_user: str = Field(default="", alias="AIRFLOW_ADMIN_USER")
    airflow_password: SecretStr = Field(default=SecretStr(""), alias="AIRFLOW_ADMIN_PASSWORD")
    etl_engine: Engine = Field(default="local", alias="ALARMSTACK_ETL_ENGINE")
    spark_master: str = Field(default="local[*]", alias="SPARK_MASTER_URL")
    promotion_mode: Literal["manual", "auto"] = Field(default="manual", alias="MODEL_PROMOTION_MODE")
    promotion_metric: str = Field(default="f1_anomaly", alias="MODEL_PROMOTION_METRIC")
    model_name: str | None = Field(default=None, alias="MODEL_NAME")
    database_url: str | None = Field(default=None, alias="ALARMSTACK_DATABASE_URL")
    sensors_url: str = Field(default="http://127.0.0.1:7500", alias="ALARMSTACK_SENSORS_URL")
    inference_url: str = Field(default="http://127.0.0.1:7502", alias="ALARMSTACK_INFERENCE_URL")
    registration: Literal["open", "invitation", "closed"] = Field(default="invitation", alias="ALARMSTACK_REGISTRATION")
    jwt_secret: SecretStr | None = Field(default=None, alias="JWT_SECRET")
    metrics_token: SecretStr | None = Field(default=None, alias="ALARMSTACK_METRICS_TOKEN")
    public_origins: str = Field(default="", alias="ALARMSTACK_PUBLIC_ORIGINS")
    page: Path = Field(default=Path("ui/dist"), alias="ALARMSTACK_PAGE_DIR")
    host: str = Field(default="127.0.0.1", alias="ALARMSTACK_HOST")
    sensors_port: Port = Field(default=7500, alias="ALARMSTACK_SENSORS_PORT")
    gateway_port: Port = Field(default=7501, alias="ALARMSTACK_GATEWAY_PORT")
    inference_port: Port = Field(default=7502, alias="ALARMSTACK_INFERENCE_PORT")
    page_port: Port = Field(default=5173, alias="ALARMSTACK_PAGE_PORT")
    speed: float = Field(default=720.0, gt=0, le=36_000, alias="ALARMSTACK_SPEED")
    flush_readings: bool = Field(default=False, alias="ALARMSTACK_FLUSH_READINGS")
    serve_unpromoted: bool = Field(default=False, alias="ALARMSTACK_SERVE_UNPROMOTED")

    @field_validator("jwt_secret", "metrics_token")
    @classmethod
    def _strong(cls, secret: SecretStr | None) -> SecretStr | None:
        """Refuse what can be guessed. An empty value is what a compose file passes for an unset one."""
        if secret is None or not secret.get_secret_value():
            return None
        length, different = len(secret.get_secret_value()), len(set(secret.get_secret_value()))
        if length < SHORTEST_SECRET or different < FEWEST_DIFFERENT:
            raise ValueError(
                f"too weak ({length} characters, {different} different ones): use at least {SHORTEST_SECRET} random ones, "
                "such as `openssl rand -hex 32` prints"
            )
        return secret

    @property
    def store(self) -> str:
        """URL of the feature store; by default a folder of the data folder."""
        return self.store_url or (self.data / "store").resolve().as_uri()

    @property
    def raw(self) -> str:
        """URL of what came in, as it came: drops that passed the gate and readings of the live feed; by default in the store."""
        return self.raw_url or f"{self.store}/raw"

    @property
    def curated(self) -> str:
        """URL of the cleaned and labelled datasets that runs were made from; by default in the store."""
        return self.curated_url or f"{self.store}/curated"

    @property
    def models(self) -> str:
        """URL of exported models, which serve without a registry; by default in the store."""
        return self.models_url or f"{self.store}/models"

    @property
    def registry(self) -> str:
        """URI of the model registry; by default an SQLite file of the data folder."""
        return self.tracking_uri or f"sqlite:///{(self.data / 'mlflow.db').resolve()}"

    @property
    def database(self) -> str:
        """URL of the database of users, history and journal; by default an SQLite file of the data folder."""
        return self.database_url or f"sqlite:///{(self.data / 'alarmstack.db').resolve()}"

    @property
    def origins(self) -> frozenset[str]:
        """Origins whose pages may change state beside the one a request is sent to (ALARMSTACK_PUBLIC_ORIGINS, comma-separated)."""
        return frozenset(origin.strip().rstrip("/") for origin in self.public_origins.split(",") if origin.strip())


def load_settings() -> Settings:
    """Settings from the environment. Raises AlarmstackError that names the variable and what it may be."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        said = "" if first["type"] == "value_error" else f"={first['input']!r}"
        raise AlarmstackError(f"{first['loc'][0]}{said}: {first['msg'].removeprefix('Value error, ')}") from error


__all__ = ["Engine", "Settings", "load_settings"]
