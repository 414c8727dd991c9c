"""Buckets of an S3 server, made once before anything is stored: the store itself never makes one."""

from __future__ import annotations

from collections.abc import Iterator

from alarmstack.core.errors import StorageError
from alarmstack.storage.files import REGION

BUCKETS = ("raw", "curated", "features", "models", "mlflow-artifacts")
"""What came in, cleaned datasets, feature runs, exported models, and the artefacts of MLflow."""
ALREADY_THERE = ("BucketAlreadyOwnedByYou", "BucketAlreadyExists")


def make_buckets(endpoint: str | None) -> Iterator[str]:
    """Make every bucket that is missing, let all of them keep old versions, and yield a line about each.

    Needs `alarmstack[s3]`; credentials come from the environment. Raises StorageError where the server refuses or is away.
    """
    try:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        raise StorageError("making buckets needs boto3: install alarmstack[s3]") from error
    # A session of its own: the shared one would go on with the credentials it saw first.
    client = boto3.Session().client("s3", endpoint_url=endpoint, region_name=REGION)
    for bucket in BUCKETS:
        try:
            made = _made(client, bucket, ClientError)
            client.put_bucket_versioning(
                Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
            )
        except (BotoCoreError, ClientError) as error:
            raise StorageError(
                f"bucket {bucket} cannot be made at {endpoint or 'Amazon S3'}: {error}"
            ) from error
        yield f"{bucket}: {'made' if made else 'there already'}, keeps old versions"


def _made(client: object, bucket: str, refusal: type[Exception]) -> bool:
    try:
        client.create_bucket(Bucket=bucket)  # type: ignore[attr-defined]
    except refusal as error:
        if error.response["Error"]["Code"] in ALREADY_THERE:  # type: ignore[attr-defined]
            return False
        raise
    return True


__all__ = ["BUCKETS", "make_buckets"]
