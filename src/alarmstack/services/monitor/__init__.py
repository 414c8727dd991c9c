"""The live loop: closed intervals of the feed in, stored assessments and active warnings out.

It runs whether or not a browser is open. `plan` decides what to fetch and what to assess,
`validation` checks the rows of the feed, `alarm_state` evaluates limits, `warning` turns
assessments into warnings, `model_checks` reports drift and compares challengers, `status` holds the
state of the sources: all pure. `upstream` calls the sensor and inference APIs, `loop` runs
everything. May import `runtime`, `schemas` and the layers below the services.
"""

from alarmstack.core.clock import Clock, SystemClock
from alarmstack.services.monitor.loop import RECALIBRATED, Monitor
from alarmstack.services.monitor.overview import RecentAssessments
from alarmstack.services.monitor.upstream import Upstream
from alarmstack.services.monitor.validation import Bounds
from alarmstack.services.monitor.warning import LEAD_IN

__all__ = [
    "LEAD_IN",
    "RECALIBRATED",
    "Bounds",
    "Clock",
    "Monitor",
    "RecentAssessments",
    "SystemClock",
    "Upstream",
]
