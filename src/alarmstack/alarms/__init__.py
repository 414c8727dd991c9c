"""What an operator sees: warnings, which begin and end by a score, and limit alarms, which begin and end by a value.

`engine` is about scores, `limits` about values and their limits, `wording` about probabilities in words. All are pure.
"""

from alarmstack.alarms.engine import IDLE, State, WarningRule, activations, standing, step

__all__ = ["IDLE", "State", "WarningRule", "activations", "standing", "step"]
