"""Settings: the environment, read once, as one validated object."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from alarmstack.errors import AlarmstackError


class Settings(BaseSettings):
    """What may differ between two installations. Every field is an environment variable."""

    model_config = SettingsConfigDict(frozen=True, populate_by_name=True)

    plant: Path = Field(default=Path("plants/gas_treatment/plant.toml"), alias="ALARMSTACK_PLANT")
    data: Path = Field(default=Path("data"), alias="ALARMSTACK_DATA_DIR")
    store_url: str | None = Field(default=None, alias="ALARMSTACK_STORE_URL")
    tracking_uri: str | None = Field(default=None, alias="MLFLOW_TRACKING_URI")
    promotion_mode: Literal["manual", "auto"] = Field(default="manual", alias="MODEL_PROMOTION_MODE")
    promotion_metric: str = Field(default="f1_anomaly", alias="MODEL_PROMOTION_METRIC")

    @property
    def store(self) -> str:
        """URL of the feature store; by default a folder of the data folder."""
        return self.store_url or (self.data / "store").resolve().as_uri()

    @property
    def registry(self) -> str:
        """URI of the model registry; by default an SQLite file of the data folder."""
        return self.tracking_uri or f"sqlite:///{(self.data / 'mlflow.db').resolve()}"


def load_settings() -> Settings:
    """Settings from the environment. Raises AlarmstackError that names the variable and what it may be."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        raise AlarmstackError(f"{first['loc'][0]}={first['input']!r}: {first['msg']}") from error


__all__ = ["Settings", "load_settings"]
