"""The skill benchmark: the project's own chain on data that somebody else made, beside floors and published figures."""
