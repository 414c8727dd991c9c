"""The skill benchmark: the models and baselines evaluated on public data sets, beside published
results. `own_models` evaluates the models of the gas-treatment plant in the same way, `study`
prints the three studies of these models, and `transfer` measures whether a false-alarm budget holds
on data that did not choose the threshold.

In: set descriptions (set.toml) and their data files. Out: tables, scores, alarm episodes and plots.
It imports `pipelines` and the packages below, and no service.
"""
