"""The gateway (port 7501): users, their history, the plant's past, and the API of the screen.

It hosts the monitor. `access` checks who may do what, `logins` and `credentials` prove who somebody
is, `routes/` has the endpoints, `trends` and `plant_view` convert stored data for charts, `page`
serves the screen. `state` has everything that a request needs. May import the monitor, `runtime`,
`schemas` and the layers below the services.
"""

from alarmstack.services.gateway.app import create_app
from alarmstack.services.gateway.serving import serve

__all__ = ["create_app", "serve"]
