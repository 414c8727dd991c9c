"""Normal behaviour: what a plant does when nothing is wrong, learnt without labels, and how far it is from that now."""

from alarmstack.models.normality.model import Assessed, NormalModel, learn_normal, stretches
from alarmstack.models.normality.offset import Verdict, threshold_offset
from alarmstack.models.normality.preprocessing import monitored
from alarmstack.models.normality.segment import TrainingSegment
from alarmstack.models.normality.threshold import HeldBack, threshold_for

__all__ = [
    "Assessed",
    "HeldBack",
    "NormalModel",
    "TrainingSegment",
    "Verdict",
    "learn_normal",
    "monitored",
    "stretches",
    "threshold_for",
    "threshold_offset",
]
