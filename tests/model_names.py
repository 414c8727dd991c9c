"""The models of the gas plant: names in the registry without the prefix, in registry order."""

FEATURE_MODELS = (
    "champion",
    "isolation_forest",
    "regime_classifier",
    "lr_soft_alarm",
    "rf_soft_alarm",
    "deviation_predictor",
    "forecaster_1h",
    "forecaster_3h",
    "forecaster_6h",
)
"""The models that score rows of features."""
MODEL_NAMES = (*FEATURE_MODELS, "normality")
