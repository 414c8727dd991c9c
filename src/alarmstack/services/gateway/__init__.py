"""The gateway (port 7501): users, their history, the plant's own past, and the API that the screen talks to; it hosts the monitor.

`access` says who may, `logins` and `credentials` how they prove it, `routes/` what can be asked;
`trends` and `plant_view` turn what is kept into what is drawn; `page` serves the screen itself.
Everything a request needs is in `state`.
"""

from alarmstack.services.gateway.app import create_app
from alarmstack.services.gateway.serving import serve

__all__ = ["create_app", "serve"]
