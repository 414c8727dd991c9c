"""Where data are kept: files on a disk or in S3 (`files`, `buckets`), and the database (`database/`).

In: URLs and plain values. Out: what was stored. It imports `core` alone.
"""
