"""The live loop: the feed's closed intervals in, stored assessments and standing warnings out, whether or not anybody looks.

`plan` decides what to fetch and what to assess, `warning` folds assessments into warnings, `living` finds drift and compares
challengers, `status` says how the sources are: pure.
`upstream` and `listening` talk to the sensor and inference APIs, `hub` passes events on to browsers, `loop` strings these together.
"""

from alarmstack.core.clock import Clock, SystemClock
from alarmstack.services.monitor.hub import Event, Hub
from alarmstack.services.monitor.loop import RECALIBRATED, Monitor
from alarmstack.services.monitor.overview import Seen
from alarmstack.services.monitor.upstream import Upstream
from alarmstack.services.monitor.validation import Bounds
from alarmstack.services.monitor.warning import LEAD_IN

__all__ = [
    "LEAD_IN",
    "RECALIBRATED",
    "Bounds",
    "Clock",
    "Event",
    "Hub",
    "Monitor",
    "Seen",
    "SystemClock",
    "Upstream",
]
