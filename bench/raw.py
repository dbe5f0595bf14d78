"""The ceiling: the same bytes moved by the vendors' own SDKs, in memory, without grants, checksums or resumption."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.ground import Ground

AT_ONCE = 4
"""As many objects at once as the copy engine has in flight."""
CONTAINER = "causeway"
Read = Callable[[str], bytes]
Write = Callable[[str, bytes], object]


class RawStores:
    """Whole-object reads and writes on each of the four stores."""

    def __init__(self, ground: Ground) -> None:
        """Open one client for each store."""
        self._s3 = _s3(ground)
        self._container = _blob(ground)
        self._bucket = _gcs(ground)
        self._folder: Path = ground.onprem
        self.read: dict[str, Read] = {
            "onprem": lambda name: (self._folder / name).read_bytes(),
            "aws": lambda name: bytes(self._s3.get_object(Bucket=CONTAINER, Key=name)["Body"].read()),
            "azure": lambda name: bytes(self._container.download_blob(name).readall()),
            "gcp": lambda name: bytes(self._bucket.blob(name).download_as_bytes()),
        }
        self.write: dict[str, Write] = {
            "onprem": self._write_file,
            "aws": lambda name, content: self._s3.put_object(Bucket=CONTAINER, Key=name, Body=content),
            "azure": lambda name, content: self._container.upload_blob(name, content, overwrite=True),
            "gcp": lambda name, content: self._bucket.blob(name).upload_from_string(content),
        }

    def copy(self, source: str, destination: str, names: list[str]) -> None:
        """Bring objects of these names from one store to another, as many at once as our engine does."""
        read, write = self.read[source], self.write[destination]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda name: write(name, read(name)), names))

    def _write_file(self, name: str, content: bytes) -> None:
        path = self._folder / "back" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


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
