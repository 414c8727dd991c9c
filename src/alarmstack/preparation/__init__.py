"""From readings to labelled intervals: closer, quality gate, derived values, labels, datasets.

In: readings or a table from `sources`, and the plant. Out: intervals, alarm rows, onsets and
regimes. All functions are pure except those of `intake`, which reads a drop and sets aside what the
gate refuses. The package imports `core` and `sources`.
"""
