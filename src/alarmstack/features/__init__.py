"""The only definition of every feature, its text for the screen, and the training examples.

In: an interval block. Out: a causal feature matrix (`matrix`), texts (`wording`), and examples with
features and targets (`examples`). Imports `preparation` and `core`.
"""
