"""A model beside the baseline that it must beat: this decides whether it may be promoted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BaselineComparison:
    """A model's metric beside that of the baseline it must beat."""

    metric: str
    value: float
    baseline: str
    baseline_value: float
    lower_is_better: bool = False

    @property
    def better(self) -> bool:
        """Whether the model is better than its baseline; an unknown value is not."""
        return (
            self.value < self.baseline_value
            if self.lower_is_better
            else self.value > self.baseline_value
        )

    @property
    def compared(self) -> str:
        """Both values in words."""
        return f"{self.metric} {self.value:.3f} against {self.baseline_value:.3f} ({self.baseline})"


__all__ = ["BaselineComparison"]
