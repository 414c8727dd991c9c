"""The services: sensor API, inference API, and the gateway, which hosts the monitor.

`schemas` holds every API body, `runtime` what the services share. The services communicate over
HTTP. Only the gateway imports another service: the monitor.
"""
