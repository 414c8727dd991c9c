"""The one definition of every feature, its text for the screen, and the training examples that features and labels make.

In: an interval block. Out: a causal feature matrix. It imports `core` and `preparation`.
"""
