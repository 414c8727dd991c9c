"""How MLflow opens a registered model.

`mlflow.pyfunc.load_model("models:/NAME@champion")` returns a model whose `predict` gives the
calibrated score of the Bundle. MLflow stores this file with each model and runs the stored copy
("models from code"); nothing is pickled. A stored copy must work with later releases. It therefore
imports nothing of alarmstack but the package's public name `alarmstack.registry.Bundle`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

from alarmstack.registry import Bundle


class BundleModel(PythonModel):  # type: ignore[misc]
    """A Bundle behind MLflow's interface. Input: a table with one column per feature."""

    def load_context(self, context: Any) -> None:
        """Open the published Bundle."""
        self.bundle = Bundle.load(Path(context.artifacts["bundle"]))

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> npt.NDArray[np.float64]:
        """Calibrated scores [rows], or [rows, classes]; missing values are NaN."""
        return self.bundle.score(np.asarray(model_input[list(self.bundle.names)], float))


set_model(BundleModel())
