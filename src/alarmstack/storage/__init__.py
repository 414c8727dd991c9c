"""Storage: files on a disk or in S3 (`files`, `buckets`), and the database (`database/`).

In: URLs and plain values. Out: the stored values. The package imports only `core`.
"""
