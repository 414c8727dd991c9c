"""Normal behaviour: what a plant does when nothing is wrong, learnt without labels, and how far it is from that now."""

from alarmstack.normality.budget import HeldBack, threshold_for
from alarmstack.normality.lesson import Lesson
from alarmstack.normality.model import Assessed, NormalModel, learn_normal, stretches
from alarmstack.normality.offset import Verdict, threshold_offset
from alarmstack.normality.seen import monitored

__all__ = [
    "Assessed",
    "HeldBack",
    "Lesson",
    "NormalModel",
    "Verdict",
    "learn_normal",
    "monitored",
    "stretches",
    "threshold_for",
    "threshold_offset",
]
