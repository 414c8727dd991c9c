"""The same functions on a Spark cluster: many assets, long histories, many live feeds. PySpark is
asked for when a job begins.
"""
