"""Prints the OpenAPI document: `python -m alarmstack.gateway > ui/openapi.json`."""

from alarmstack.gateway.openapi import written

print(written(), end="")
