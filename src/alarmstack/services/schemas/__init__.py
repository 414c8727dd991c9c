"""Every API body, defined once.

`observations` plant data as rows, `instants` points in time, `sensors` the sensor API, `inference`
the inference API, `gateway` the gateway. May import the layers below the services.
"""
