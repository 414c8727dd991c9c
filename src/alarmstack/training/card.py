"""Model cards: what a model is for, what it was made from, how it was judged, where not to trust it. Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from alarmstack.plant import Plant, write_duration


@dataclass(frozen=True)
class Verdict:
    """A model's figure beside the floor it must beat."""

    metric: str
    value: float
    floor: str
    floor_value: float
    lower_is_better: bool = False

    @property
    def beaten(self) -> bool:
        """Whether the model is better than its floor; an unknown figure is not."""
        return self.value < self.floor_value if self.lower_is_better else self.value > self.floor_value

    @property
    def compared(self) -> str:
        """Both figures in words."""
        return f"{self.metric} {self.value:.3f} against {self.floor_value:.3f} ({self.floor})"


def write_card(
    plant: Plant,
    *,
    name: str,
    title: str,
    inputs: str,
    estimator: str,
    metrics: Mapping[str, float],
    thresholds: Mapping[str, float | None],
    verdict: Verdict,
    trained_on: str,
) -> str:
    """The card as Markdown."""
    skill = (
        f"It beats its floor: {verdict.compared}."
        if verdict.beaten
        else f"**No skill shown**: {verdict.compared}. It is registered and not promoted."
    )
    says = {budget: "never (no threshold keeps this budget)" if t is None else f"{t:.4f}" for budget, t in thresholds.items()}
    return "\n".join(
        [
            f"# {name}",
            "",
            title + ".",
            "",
            f"- plant: {plant.title} (`{plant.fingerprint}`); a row covers {write_duration(plant.time.cadence)}",
            f"- inputs: {inputs}; missing ones stay missing",
            f"- estimator: {estimator}",
            f"- trained on: {trained_on}",
            "",
            "## Skill",
            "",
            skill,
            "",
            "| metric | value |",
            "| --- | --- |",
            *(f"| {metric} | {value:.4f} |" for metric, value in sorted(metrics.items())),
            "",
            "These figures are of the model before its last fit, on rows it had not seen: those that begin with `inner_` on rows",
            "held back in turn, the others on the sealed last fifth. The registered model is the same choice fitted on all rows.",
            "",
            "## Thresholds",
            "",
            *([f"- {_budget(key)}: {value}" for key, value in says.items()] or ["- none: this score raises nothing"]),
            "",
            "## Limits",
            "",
            "It knows the plant and the period named above and nothing else: on another plant or after a revamp, train again.",
            "An operator log is written late: labels near its periods are uncertain by an hour or two.",
            "",
        ]
    )


def _budget(name: str) -> str:
    """What a threshold is for: a budget a day, or the one that warnings are raised at."""
    return "operating" if name == "operating" else f"{name} false alarms a day"


__all__ = ["Verdict", "write_card"]
