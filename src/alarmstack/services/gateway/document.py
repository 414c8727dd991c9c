"""The OpenAPI document of the gateway as a file: the source of the page's client."""

from __future__ import annotations

import json
from typing import Any

from pydantic import SecretStr

from alarmstack.core.settings import Settings
from alarmstack.services.gateway.app import create_app
from alarmstack.services.gateway.credentials import new_token


def document() -> dict[str, Any]:
    """The document, without a running service."""
    settings = Settings(jwt_secret=SecretStr(new_token()), database_url="sqlite:///:memory:")
    return create_app(settings, monitored=False).openapi()


def written() -> str:
    """The text of ui/openapi.json."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


__all__ = ["document", "written"]
