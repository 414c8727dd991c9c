"""From examples to models that were judged: splits, baselines, thresholds, event metrics, promotion."""
