"""docs/models.md: every model of the plant, from the catalogue."""

from __future__ import annotations

from alarmstack.core.model_list import NORMALITY, model_list
from alarmstack.core.plant import Plant, write_duration
from alarmstack.features.matrix import GROUPS, feature_names
from alarmstack.models import Recipe, recipes
from alarmstack.models.catalogue import Target
from alarmstack.reference.markdown import page, table

LEARNS: dict[Target, str] = {
    "alarm": "whether this row is in alarm",
    "none": "nothing: no label is used",
    "regime": "normal, transition or alarm",
    "next_deviation": "deviation from setpoint in the next row",
    "onset": "an alarm begins within {horizon}; rows in alarm are left out",
}
EVALUATED: dict[Target, str] = {
    "alarm": "`f1_anomaly`; baseline: always alarm, or the limit rules alone",
    "none": "`roc_auc_anomaly`; baseline: 0.5",
    "regime": "`f1_macro`; baseline: the most frequent regime",
    "next_deviation": "`rmse`; baseline: the next row equals this one",
    "onset": "event recall within the budget; baseline: the best of four",
}
"""The metric that decides on promotion, as `evaluation.metrics` computes it."""


def models_page(plant: Plant) -> str:
    """The page as Markdown."""
    counts = ", ".join(f"{len(feature_names(plant, group))} {group} features" for group in GROUPS)
    without_dropout = ", ".join(
        ", ".join(one.candidates) for one in recipes(plant) if not one.dropout
    )
    return page(
        "# Models",
        "",
        "This page is for data scientists and developers.",
        "",
        f"The models of {plant.title}: {len(model_list(plant))} names in the registry.",
        "The models with features are recipes of `models/catalogue.py`. This page is the overview.",
        "**The card** of a version contains its metrics, thresholds and limits. It is on the page",
        "Models of the screen, in `GET :7502/models`, and in MLflow as the description of the",
        "version.",
        "",
        *table(
            ("name", "learns", "from", "algorithm", "score", "evaluated by"),
            [*map(_row, recipes(plant)), *_normality(plant)],
        ),
        "",
        f"- **Features** ({counts}): a *point* row describes the current state and the",
        "  hours before it;",
        f"  a *window* row needs {write_duration(plant.time.window)} of the instruments at most.",
        f"  Missing inputs stay missing: all models except {without_dropout}",
        "  are trained with inputs dropped at random.",
        "- **Several algorithms**: the best one on held-back rows is used, with and without",
        "  balanced training rows (SMOTE).",
        "- **Calibrated**: isotonic, on held-back rows; the numbers are stored with the model.",
        "- **Thresholds**: those of forecasters and normality are chosen for the plant's budget of",
        f"  {plant.warnings.false_alarms_per_day:g} false alarms a day; those of models of the",
        "  current row for the best F1; regimes and deviations have none.",
        "- **Promotion**: only a model that is better than its baseline becomes `@champion`, and",
        "  only a champion is served.",
        "",
        "Evaluation: the table of the README; [reliability, lost sensors, learning",
        "curves](models_tables.md); [results on public data](skill.md).",
    )


def _row(recipe: Recipe) -> tuple[str, ...]:
    horizon = "" if recipe.horizon is None else write_duration(recipe.horizon)
    return (
        f"`{recipe.name}`",
        LEARNS[recipe.target].format(horizon=horizon),
        f"{recipe.group} features",
        ", ".join(recipe.candidates),
        _score(recipe),
        EVALUATED[recipe.target],
    )


def _score(recipe: Recipe) -> str:
    if recipe.target == "next_deviation":
        return "a value"
    if recipe.target == "none":
        return "anomaly score; higher means worse"
    return "calibrated probability" if recipe.calibrated else "probability"


def _normality(plant: Plant) -> list[tuple[str, ...]]:
    if plant.normality is None:
        return []
    name = next(one.name for one in model_list(plant) if one.column == NORMALITY)
    experts = ", ".join(expert.name for expert in plant.normality.experts)
    return [
        (
            f"`{name}`",
            "normal behaviour, from rows within all limits; no label is used",
            "intervals",
            f"experts: {experts}",
            "anomaly score; 2 is reached by one normal row in a hundred",
            "event recall within the budget; baseline: the best of four with as many false alarms",
        )
    ]


__all__ = ["models_page"]
