"""What travels between the services and to the screen: one definition of every body, and of how plant data are written in it.

`observations` plant data as rows; `sensing` the sensor API; `scoring` the inference API; `screen` the gateway.
"""
