"""The models: which there are, how they are fitted, and how they are exported.

`catalogue` lists the recipes, `estimators` builds their estimators, `fit` fits them, `balance` adds
rows of the rarer label, `calibration` turns scores into probabilities, `graph` exports to ONNX,
`native` to the library's own format, `contributions` explains scores, and `normality` learns normal
behaviour without labels.
In: features or intervals. Out: fitted models and scores. Imports `features` and the layers below.
"""

from alarmstack.models.calibration import Calibration
from alarmstack.models.catalogue import Recipe, recipes
from alarmstack.models.fit import ExtraRows, Fitted, fit, refit, side_by_side
from alarmstack.models.graph import parity, to_graph

__all__ = [
    "Calibration",
    "ExtraRows",
    "Fitted",
    "Recipe",
    "fit",
    "parity",
    "recipes",
    "refit",
    "side_by_side",
    "to_graph",
]
