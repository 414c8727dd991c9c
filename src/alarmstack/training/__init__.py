"""From examples to models that were judged: splits, floors, thresholds, event metrics, promotion."""
