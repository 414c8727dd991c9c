"""The skill benchmark: the project's own chain on data that somebody else made, beside baselines and published figures."""
