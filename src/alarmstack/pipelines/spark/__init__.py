"""The pipelines on a Spark cluster, for many assets, long histories and many live feeds.

In: files of many assets. Out: the same tables and scores as the local pipelines. PySpark is
imported only when a job begins.
"""
