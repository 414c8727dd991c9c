"""The services: sensor API, inference API, and the gateway with the monitor in it.

`schemas` holds every API body, `runtime` what the services share. The services talk to each other over HTTP; only the gateway
imports another one, the monitor that it hosts.
"""
