"""The ceiling: the same bytes moved by the vendors' own SDKs, a few parts at once, without grants, checksums or resumption."""

import os
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.ground import Ground

PART_BYTES = 16 * 2**20
AT_ONCE = 16
"""Requests at once where nothing is measured."""
Piece = tuple[str, int, int]
"""A name, where in it, and how many bytes."""


class RawStores:
    """Reads and writes of parts on each of the four stores, by URI."""

    def __init__(self, ground: Ground) -> None:
        """Open one client for each store."""
        self._s3 = _s3(ground)
        self._blobs = _blob(ground)
        self._gcs = _gcs(ground)
        self._folder: Path = ground.onprem

    def seed(self, prefix: str, name: str, size_bytes: int, count: int) -> None:
        """Lay objects of random content; a name that ends in `/` gets `count` of them below it."""
        block = os.urandom(min(size_bytes, PART_BYTES))
        content = block * (size_bytes // len(block))
        names = [f"{name}{number:05}" for number in range(count)] if name.endswith("/") else [name]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda one: self._write_whole(prefix + one, content), names))

    def copy(self, source: str, target: str, streams: int) -> float:
        """Copy an object, or all below a prefix, by parallel reads and writes; return the seconds."""
        began = time.perf_counter()
        found = dict(self._sizes(source))
        pieces = [
            (name, start, min(PART_BYTES, size - start))
            for name, size in found.items()
            for start in range(0, size, PART_BYTES)
        ]
        uploads = {name: self._begin(target + name.removeprefix(source), size) for name, size in found.items()}
        with ThreadPoolExecutor(streams) as pool:
            done = list(pool.map(lambda piece: self._piece(piece, uploads[piece[0]]), pieces))
        for name, upload in uploads.items():
            upload.finish([mark for mark, (of, _, _) in zip(done, pieces, strict=True) if of == name])
        return time.perf_counter() - began


def _s3(ground: Ground) -> Any:
    import boto3

    endpoints = ground.endpoints
    return boto3.client(
        "s3",
        endpoint_url=endpoints.s3_url,
        region_name=endpoints.aws_region,
        aws_access_key_id=endpoints.aws_access_key_id,
        aws_secret_access_key=endpoints.aws_secret_access_key,
    )


def _blob(ground: Ground) -> Any:
    from azure.storage.blob import BlobServiceClient

    endpoints = ground.endpoints
    account = BlobServiceClient(
        endpoints.blob_url, credential=endpoints.blob_key, connection_verify=str(endpoints.ca_bundle)
    )
    return account.get_container_client(CONTAINER)


def _gcs(ground: Ground) -> Any:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    client = storage.Client(
        project=ground.endpoints.gcp_project,
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
        client_options={"api_endpoint": ground.endpoints.gcs_url},
    )
    return client.bucket(CONTAINER)
