"""Model cards: what a model is for, what it was made from, how it was judged, where not to trust it. Markdown."""

from __future__ import annotations

from collections.abc import Mapping

from alarmstack.core.model_list import OPERATING
from alarmstack.core.plant import Plant, write_duration
from alarmstack.evaluation.comparison import BaselineComparison


def write_card(
    plant: Plant,
    *,
    name: str,
    title: str,
    inputs: str,
    estimator: str,
    metrics: Mapping[str, float],
    thresholds: Mapping[str, float | None],
    comparison: BaselineComparison,
    trained_on: str,
) -> str:
    """The card as Markdown."""
    skill = (
        f"It beats its baseline: {comparison.compared}."
        if comparison.better
        else f"**No skill shown**: {comparison.compared}. It is registered and not promoted."
    )
    says = {
        budget: "never (no threshold keeps this budget)" if t is None else f"{t:.4f}"
        for budget, t in thresholds.items()
    }
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
            *(
                [f"- {_budget(key)}: {value}" for key, value in says.items()]
                or ["- none: this score raises nothing"]
            ),
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
    return "operating" if name == OPERATING else f"{name} false alarms a day"


__all__ = ["write_card"]
