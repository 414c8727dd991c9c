"""Model cards: purpose, training data, evaluation and limits of a model, in Markdown."""

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
    if comparison.better:
        skill = f"Better than its baseline: {comparison.compared}."
    else:
        skill = f"**No skill shown**: {comparison.compared}. It is registered but not promoted."
    cadence = write_duration(plant.time.cadence)
    after_revamp = ["after a revamp, train again."]
    if plant.operator_log is not None:
        after_revamp = [
            "after a revamp, train again. Operators write their log late: labels near its periods",
            "are uncertain by an hour or two.",
        ]
    threshold_lines = [
        f"- {_purpose(key)}: {_threshold(value)}" for key, value in thresholds.items()
    ]
    return "\n".join(
        [
            f"# {name}",
            "",
            title + ".",
            "",
            f"- plant: {plant.title} (`{plant.fingerprint}`); a row covers {cadence}",
            f"- inputs: {inputs}; missing values stay missing",
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
            "The metrics are those of the model before its final fit, on rows it had not seen:",
            "metrics that begin with `inner_` on rows held back in turn, the others on the sealed",
            "last fifth. The registered model is the same choice, fitted on all rows.",
            "",
            "## Thresholds",
            "",
            *(threshold_lines or ["- none: this score raises no warnings"]),
            "",
            "## Limits",
            "",
            "The model is valid for the plant and the period named above. For another plant, or",
            *after_revamp,
            "",
        ]
    )


def _purpose(key: str) -> str:
    """What a threshold is for: a budget per day, or the one at which warnings are raised."""
    return "operating" if key == OPERATING else f"{key} false alarms per day"


def _threshold(value: float | None) -> str:
    return "never (no threshold keeps this budget)" if value is None else f"{value:.4f}"


__all__ = ["write_card"]
