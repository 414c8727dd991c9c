"""The skill benchmark: the models and baselines evaluated on public data sets, beside published
results.

In: set descriptions (set.toml) and their data files. Out: tables, scores, alarm episodes and plots.
It imports `pipelines` and the packages below, and no service.
"""
