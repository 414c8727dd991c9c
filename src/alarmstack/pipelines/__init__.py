"""Sequences of steps: ETL, training, scoring, the watcher of a drop folder, Spark, the demo.

In: settings. Out: files, runs and registered models. It imports everything below `services`, and no
service.
"""
