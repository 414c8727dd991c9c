"""The rules of warnings and alarms, as pure functions.

`engine` turns scores into warnings, `budget` counts what they cost on normal rows and chooses a
threshold that keeps both sides of a false-alarm budget, `limits` turns values into limit alarms,
`drift` compares recent values with those in training, `comparison` compares the warnings of two
versions of a model, `retraining` decides whether to train again, and `wording` writes probabilities
as text.
In: scores and values. Out: states of warnings and alarms. Imports `preparation` and `core`.
"""

from alarmstack.alarms.engine import (
    IDLE,
    State,
    WarningRule,
    activations,
    step,
    warning_active,
)

__all__ = ["IDLE", "State", "WarningRule", "activations", "step", "warning_active"]
