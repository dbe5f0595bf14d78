"""Everything the AWS room offers a worker. Clients are built here and nowhere else."""

from typing import Any

import boto3
from botocore.config import Config

from activities.aws.settings import AwsSettings
from activities.aws.store import S3Store

_POOL = 64
"""Connections a client keeps: no fewer than a worker's activity threads and their parts in flight."""


def client(settings: AwsSettings, service: str) -> Any:
    """Build the SDK's client for a service: safe across threads; it tries once, since Temporal retries."""
    endpoint = settings.endpoint(service)
    config = Config(
        connect_timeout=5,
        read_timeout=60,
        retries={"total_max_attempts": 1},
        max_pool_connections=_POOL,
        signature_version="s3v4" if service == "s3" else None,
        # We compute and demand our own checksums; the SDK's would be a second pass over the same bytes.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path" if endpoint else "virtual", "us_east_1_regional_endpoint": "regional"},
    )
    session = boto3.Session(region_name=settings.region)
    return session.client(service, endpoint_url=endpoint, config=config)  # type: ignore[call-overload]


def store(settings: AwsSettings) -> S3Store:
    """Build the connection's store."""
    return S3Store(client(settings, "s3"), settings.container, settings.kms_key)
