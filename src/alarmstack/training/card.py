"""Model cards: what a model is for, what it was made from, how it was judged, where not to trust it. Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from alarmstack.models import Recipe
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


def write_card(
    plant: Plant,
    recipe: Recipe,
    chosen: str,
    metrics: Mapping[str, float],
    thresholds: Mapping[str, float | None],
    verdict: Verdict,
    trained_on: str,
) -> str:
    """The card as Markdown."""
    skill = (
        f"It beats its floor: {verdict.metric} {verdict.value:.3f} against {verdict.floor_value:.3f} ({verdict.floor})."
        if verdict.beaten
        else f"**No skill shown**: {verdict.metric} {verdict.value:.3f} against {verdict.floor_value:.3f} ({verdict.floor}). "
        "It is registered and not promoted."
    )
    says = {name: "never (no threshold keeps this budget)" if t is None else f"{t:.4f}" for name, t in thresholds.items()}
    return "\n".join(
        [
            f"# {recipe.name}",
            "",
            recipe.title + ".",
            "",
            f"- plant: {plant.title} (`{plant.fingerprint}`); a row covers {write_duration(plant.time.cadence)}",
            f"- inputs: {recipe.group} features; missing ones stay missing",
            f"- estimator: {chosen}; calibration: {'isotonic, on held-back rows' if recipe.calibrated else 'none'}",
            f"- trained on: {trained_on}",
            "",
            "## Skill",
            "",
            skill,
            "",
            "| metric | value |",
            "| --- | --- |",
            *(f"| {name} | {value:.4f} |" for name, value in sorted(metrics.items())),
            "",
            "These figures are of the model before its last fit, on rows it had not seen: those that begin with `inner_` on rows",
            "held back in turn, the others on the sealed last fifth. The registered model is the same choice fitted on all rows.",
            "",
            "## Thresholds",
            "",
            *([f"- {name} false alarms a day: {value}" for name, value in says.items()] or ["- none: this score raises nothing"]),
            "",
            "## Limits",
            "",
            "It knows the plant and the period named above and nothing else: on another plant or after a revamp, train again.",
            "An operator log is written late: labels near its periods are uncertain by an hour or two.",
            "",
        ]
    )


__all__ = ["Verdict", "write_card"]
