"""What an operator sees of a score: warnings that begin, stand and end."""

from alarmstack.alarms.engine import IDLE, State, WarningRule, activations, standing, step

__all__ = ["IDLE", "State", "WarningRule", "activations", "standing", "step"]
