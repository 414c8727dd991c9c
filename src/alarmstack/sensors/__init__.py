"""The sensor API: a plant that is not there, played live on its own clock."""

from alarmstack.sensors.app import create_app
from alarmstack.sensors.live import LivePlant

__all__ = ["LivePlant", "create_app"]
