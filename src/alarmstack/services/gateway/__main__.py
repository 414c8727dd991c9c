"""Prints the OpenAPI document: `python -m alarmstack.services.gateway > ui/openapi.json`."""

from alarmstack.services.gateway.openapi import written

print(written(), end="")
