"""The job that strings the stages together: a historian source in, a run of feature tables in the
store out.
"""
