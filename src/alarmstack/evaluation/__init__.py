"""How good a score is: events, thresholds for a false-alarm budget, baselines, splits, metrics, and the evaluation table.

In: scores and examples. Out: metrics beside those of the baselines. It imports `models` and what lies below.
"""
