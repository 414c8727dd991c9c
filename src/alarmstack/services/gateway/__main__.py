"""Prints the OpenAPI document: `python -m alarmstack.services.gateway > ui/openapi.json`."""

from alarmstack.services.gateway.document import written

print(written(), end="")
