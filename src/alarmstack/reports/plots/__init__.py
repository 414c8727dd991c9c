"""Figures for readers: what was measured, what models are, how they were judged. Each function returns one figure or one table.

Units stand at every axis, limits are drawn, alarms and known periods are shaded, and colours are told apart by any eye.
"""

from matplotlib.figure import Figure

from alarmstack.reports.plots.models import (
    calibration_figure,
    contributions_figure,
    explanation_figure,
    importance_figure,
    loudest_row,
    metrics_table,
    reliability_figure,
    thresholds_figure,
)
from alarmstack.reports.plots.signals import (
    controllers_figure,
    correlations_figure,
    distributions_figure,
    events_figure,
    extremes_table,
    labels_figure,
    reasons_table,
    unit_figure,
    volatility_figure,
)
from alarmstack.reports.plots.validation import (
    curves_figure,
    events_table,
    events_view,
    folds_figure,
    folds_table,
    horizons_figure,
    leads_figure,
    reliability_bins,
    rows_table,
    sweep_figure,
)

__all__ = [
    "Figure",
    "calibration_figure",
    "contributions_figure",
    "controllers_figure",
    "correlations_figure",
    "curves_figure",
    "distributions_figure",
    "events_figure",
    "events_table",
    "events_view",
    "explanation_figure",
    "extremes_table",
    "folds_figure",
    "folds_table",
    "horizons_figure",
    "importance_figure",
    "labels_figure",
    "leads_figure",
    "loudest_row",
    "metrics_table",
    "reasons_table",
    "reliability_bins",
    "reliability_figure",
    "rows_table",
    "sweep_figure",
    "thresholds_figure",
    "unit_figure",
    "volatility_figure",
]
