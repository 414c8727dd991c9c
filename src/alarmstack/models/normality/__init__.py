"""Normal behaviour of a plant, learnt without labels, and how far the plant is from it now.

In: intervals. Out: a score for each row and each tag's share of it. `preprocessing` selects the
tags, `experts` (and `held`) predict each tag, `evidence` weighs the residuals, `tail` states how
rare they are, `model` combines the experts, `threshold` chooses the threshold for a budget, and
`offset` corrects it for one asset.
"""

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
