"""The models: a catalogue of recipes, one way to fit them, one way to export them."""

from alarmstack.models.calibration import Calibration
from alarmstack.models.catalogue import Recipe, recipes
from alarmstack.models.fit import Fitted, More, fit, refit, side_by_side
from alarmstack.models.graph import parity, to_graph

__all__ = [
    "Calibration",
    "Fitted",
    "More",
    "Recipe",
    "fit",
    "parity",
    "recipes",
    "refit",
    "side_by_side",
    "to_graph",
]
