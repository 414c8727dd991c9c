"""Results for readers: plots, the timeline of a month, tables for the terminal.

In: intervals, scores and evaluation rows. Out: images and text.
It imports `training` and the packages below.
"""
