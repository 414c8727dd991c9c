"""The rows that the tests' model is fitted on and scores."""

import numpy as np

NAMES = ("pressure", "level", "steam")
X = np.random.default_rng(2).normal(0, 1, (200, 3))
