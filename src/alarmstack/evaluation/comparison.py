"""A model's metric beside that of its baseline: only a model that is better may be promoted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BaselineComparison:
    """The metric of a model and of the baseline that it must be better than."""

    metric: str
    value: float
    baseline: str
    baseline_value: float
    lower_is_better: bool = False

    @property
    def better(self) -> bool:
        """Whether the model is better than its baseline; an unknown value (NaN) is not better."""
        if self.lower_is_better:
            return self.value < self.baseline_value
        return self.value > self.baseline_value

    @property
    def compared(self) -> str:
        """Both values as text.

        >>> BaselineComparison("rmse", 0.5, "last value", 0.7, lower_is_better=True).compared
        'rmse 0.500 against 0.700 (last value)'
        """
        return f"{self.metric} {self.value:.3f} against {self.baseline_value:.3f} ({self.baseline})"


__all__ = ["BaselineComparison"]
