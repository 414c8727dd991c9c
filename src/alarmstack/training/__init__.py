"""From examples to trained, evaluated and registered models.

In: examples and intervals. Out: registered Bundles with model cards. `train` trains all models,
`normal` the normal-behaviour model, `card` writes model cards, and `trial` simulates plants that no
model was trained on. Studies: `walk_forward`, `rolling` (a forecast at every stride), `studies`
(reliability, sensor loss, learning curve) and `predictability`. Imports `evaluation`, `registry`
and the layers below them.
"""
