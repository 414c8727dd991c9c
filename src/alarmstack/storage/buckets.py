"""Buckets of an S3 server. They are created before anything is stored; the store creates none."""

from __future__ import annotations

from collections.abc import Iterator

from alarmstack.core.errors import StorageError
from alarmstack.storage.files import REGION

BUCKETS = ("raw", "curated", "features", "models", "mlflow-artifacts")
"""Unchanged input, cleaned datasets, feature runs, exported models, and artefacts of MLflow."""
ALREADY_THERE = ("BucketAlreadyOwnedByYou", "BucketAlreadyExists")


def make_buckets(endpoint: str | None) -> Iterator[str]:
    """Create missing buckets, turn on versioning for all, and yield a line about each.

    Needs `alarmstack[s3]`; credentials come from the environment. Raises StorageError when the
    server refuses or does not answer.
    """
    try:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        raise StorageError("creating buckets needs boto3: install alarmstack[s3]") from error
    # A session of its own: the shared one would keep the credentials of its first use.
    client = boto3.Session().client("s3", endpoint_url=endpoint, region_name=REGION)
    for bucket in BUCKETS:
        try:
            created = _create(client, bucket, ClientError)
            client.put_bucket_versioning(
                Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
            )
        except (BotoCoreError, ClientError) as error:
            raise StorageError(
                f"bucket {bucket} cannot be created at {endpoint or 'Amazon S3'}: {error}"
            ) from error
        yield f"{bucket}: {'created' if created else 'exists'}, keeps old versions"


def _create(client: object, bucket: str, refusal: type[Exception]) -> bool:
    """Whether the bucket is new."""
    try:
        client.create_bucket(Bucket=bucket)  # type: ignore[attr-defined]
    except refusal as error:
        if error.response["Error"]["Code"] in ALREADY_THERE:  # type: ignore[attr-defined]
            return False
        raise
    return True


__all__ = ["BUCKETS", "make_buckets"]
