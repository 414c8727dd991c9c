"""How MLflow opens a registered model: `mlflow.pyfunc.load_model("models:/NAME@champion")` gives the Bundle's calibrated score.

MLflow keeps this file with the model and runs it ("models from code"): nothing is pickled.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

from alarmstack.core.intervals import Floats
from alarmstack.registry.bundles import Bundle


class BundleModel(PythonModel):  # type: ignore[misc]
    """A Bundle behind MLflow's interface: a table with one column a feature in, scores out."""

    def load_context(self, context: Any) -> None:
        """Open the Bundle that was published."""
        self.bundle = Bundle.load(Path(context.artifacts["bundle"]))

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> Floats:
        """Calibrated scores [rows], or [rows, classes]; missing values are NaN."""
        return self.bundle.score(np.asarray(model_input[list(self.bundle.names)], float))


set_model(BundleModel())
