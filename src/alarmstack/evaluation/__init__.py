"""How good a score is, beside baselines, at the same false-alarm budget.

In: scores and examples. Out: metrics of models and baselines. `thresholds` chooses the threshold
for a budget, `events` counts hits and false alarms, `baselines` gives the scores to compare with,
`splits` separates training rows from evaluated rows, `metrics` evaluates one model, `comparison`
decides whether it is better than its baseline, `table` compares several models, `vus` computes a
metric of published benchmarks, and `reference` describes the values in training for drift.
Imports `models` and the layers below it.
"""
