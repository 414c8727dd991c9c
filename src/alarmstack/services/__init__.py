"""The services: sensor API, inference API, and the gateway, which hosts the monitor.

`schemas` holds every API body, `runtime` what the services share. The services communicate over
HTTP. Only the gateway imports another service: the monitor.
In: HTTP requests, the readings of a feed, and Bundles. Out: HTTP responses, streams, and stored
assessments. Services serve models and do not train them: they import `registry`, `models` and the
layers below them, except `sources`.
"""
