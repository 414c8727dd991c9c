"""Plots and tables of signals, models and their validation. Each function returns one of them.

Every axis has its unit, limits are drawn, alarms and known periods are shaded. The colours can be
distinguished with any colour vision.
"""

from matplotlib.figure import Figure

from alarmstack.reports.plots.models import (
    calibration_plot,
    contributions_plot,
    explanation_plot,
    highest_row,
    importance_plot,
    metrics_table,
    reliability_plot,
    thresholds_plot,
)
from alarmstack.reports.plots.signals import (
    controllers_plot,
    correlations_plot,
    distributions_plot,
    events_plot,
    extremes_table,
    labels_plot,
    reasons_table,
    unit_plot,
    volatility_plot,
)
from alarmstack.reports.plots.validation import (
    curves_plot,
    events_table,
    folds_plot,
    folds_table,
    horizons_plot,
    leads_plot,
    onsets_plot,
    reliability_bins,
    rows_table,
    sweep_plot,
)

__all__ = [
    "Figure",
    "calibration_plot",
    "contributions_plot",
    "controllers_plot",
    "correlations_plot",
    "curves_plot",
    "distributions_plot",
    "events_plot",
    "events_table",
    "explanation_plot",
    "extremes_table",
    "folds_plot",
    "folds_table",
    "highest_row",
    "horizons_plot",
    "importance_plot",
    "labels_plot",
    "leads_plot",
    "metrics_table",
    "onsets_plot",
    "reasons_table",
    "reliability_bins",
    "reliability_plot",
    "rows_table",
    "sweep_plot",
    "thresholds_plot",
    "unit_plot",
    "volatility_plot",
]
