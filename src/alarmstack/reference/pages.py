"""The generated pages, and the function that generates each."""

from collections.abc import Callable, Mapping

from alarmstack.core.plant import Plant
from alarmstack.reference.access import access_page
from alarmstack.reference.api import api_page
from alarmstack.reference.configuration import configuration_page
from alarmstack.reference.models import models_page

PAGES: Mapping[str, Callable[[Plant], str]] = {
    "configuration.md": lambda _: configuration_page(),
    "api.md": api_page,
    "access.md": lambda _: access_page(),
    "models.md": models_page,
}
"""Name of each page in docs/ → its content for a plant."""

__all__ = ["PAGES"]
