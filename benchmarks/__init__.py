"""Benchmarks. Each module is a command that prints one row of results as JSON."""
