"""The stores as the bare copies see them: each by its vendor's own SDK, asked for bytes and nothing else."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from bench.ground import Ground
from sandbox.layout import Endpoints

CONTAINER = "causeway"


class End(Protocol):
    """One store: what is needed of it to move parts."""

    def sizes(self, prefix: str) -> Mapping[str, int]:
        """Names that begin so, with their sizes."""

    def read(self, name: str, start: int, size: int) -> bytes:
        """Some bytes of an object."""

    def begin(self, name: str) -> str:
        """Begin an upload."""

    def write(self, name: str, upload: str, index: int, content: bytes) -> Any:
        """Send a part; return what the end needs to know of it."""

    def finish(self, name: str, upload: str, parts: list[Any]) -> None:
        """Make the parts the object."""

    def put(self, name: str, content: bytes) -> None:
        """Write an object at once."""

    def delete(self, names: Sequence[str]) -> None:
        """Remove objects."""


class S3:
    """A bucket."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client, self._bucket = client, bucket

    def sizes(self, prefix: str) -> Mapping[str, int]:
        """See `End`."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        return {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", [])}

    def read(self, name: str, start: int, size: int) -> bytes:
        """See `End`."""
        part = {"Range": f"bytes={start}-{start + size - 1}"} if size else {}
        return bytes(self._client.get_object(Bucket=self._bucket, Key=name, **part)["Body"].read())

    def begin(self, name: str) -> str:
        """See `End`."""
        return str(self._client.create_multipart_upload(Bucket=self._bucket, Key=name)["UploadId"])

    def write(self, name: str, upload: str, index: int, content: bytes) -> Any:
        """See `End`."""
        where = {"Bucket": self._bucket, "Key": name, "UploadId": upload, "PartNumber": index + 1}
        return {"PartNumber": index + 1, "ETag": self._client.upload_part(**where, Body=content)["ETag"]}

    def finish(self, name: str, upload: str, parts: list[Any]) -> None:
        """See `End`."""
        self._client.complete_multipart_upload(
            Bucket=self._bucket, Key=name, UploadId=upload, MultipartUpload={"Parts": parts}
        )

    def put(self, name: str, content: bytes) -> None:
        """See `End`."""
        self._client.put_object(Bucket=self._bucket, Key=name, Body=content)

    def delete(self, names: Sequence[str]) -> None:
        """See `End`."""
        for start in range(0, len(names), 1000):
            named = [{"Key": name} for name in names[start : start + 1000]]
            self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": named, "Quiet": True})


class Blobs:
    """A container of Azure's."""

    def __init__(self, container: Any) -> None:
        self._container = container

    def sizes(self, prefix: str) -> Mapping[str, int]:
        """See `End`."""
        return {blob.name: blob.size for blob in self._container.list_blobs(name_starts_with=prefix)}

    def read(self, name: str, start: int, size: int) -> bytes:
        """See `End`."""
        return bytes(self._container.download_blob(name, offset=start, length=size).readall())

    def begin(self, name: str) -> str:
        """See `End`."""
        return name

    def write(self, name: str, upload: str, index: int, content: bytes) -> Any:
        """See `End`."""
        mark = base64.b64encode(f"{index:06d}".encode()).decode()
        self._container.get_blob_client(name).stage_block(mark, content)
        return mark

    def finish(self, name: str, upload: str, parts: list[Any]) -> None:
        """See `End`."""
        self._container.get_blob_client(name).commit_block_list(parts)

    def put(self, name: str, content: bytes) -> None:
        """See `End`."""
        self._container.upload_blob(name, content, overwrite=True)

    def delete(self, names: Sequence[str]) -> None:
        """See `End`."""
        for name in names:
            self._container.delete_blob(name)


class Objects:
    """A bucket of Google's."""

    def __init__(self, bucket: Any) -> None:
        self._bucket = bucket

    def sizes(self, prefix: str) -> Mapping[str, int]:
        """See `End`."""
        return {blob.name: int(blob.size) for blob in self._bucket.list_blobs(prefix=prefix)}

    def read(self, name: str, start: int, size: int) -> bytes:
        """See `End`."""
        return bytes(
            self._bucket.blob(name).download_as_bytes(start=start, end=start + size - 1, checksum=None)
        )

    def begin(self, name: str) -> str:
        """See `End`."""
        return f"parts/{name}/"

    def write(self, name: str, upload: str, index: int, content: bytes) -> Any:
        """See `End`."""
        blob = self._bucket.blob(f"{upload}{index:06d}")
        blob.upload_from_string(content, checksum=None)
        return blob

    def finish(self, name: str, upload: str, parts: list[Any]) -> None:
        """See `End`."""
        pieces, level = parts, 0
        while len(pieces) > 32:
            level += 1
            groups = [pieces[start : start + 32] for start in range(0, len(pieces), 32)]
            pieces = []
            for number, group in enumerate(groups):
                pieces.append(self._bucket.blob(f"{upload}{level}-{number}"))
                pieces[-1].compose(group)
        self._bucket.blob(name).compose(pieces)

    def put(self, name: str, content: bytes) -> None:
        """See `End`."""
        self._bucket.blob(name).upload_from_string(content)

    def delete(self, names: Sequence[str]) -> None:
        """See `End`."""
        for name in names:
            self._bucket.blob(name).delete()


class Files:
    """The root folder of the on-prem worker; only read here."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def sizes(self, prefix: str) -> Mapping[str, int]:
        """See `End`."""
        folder = self._root / prefix if prefix.endswith("/") else (self._root / prefix).parent
        found = (path for path in folder.rglob("*") if path.is_file())
        named = {path.relative_to(self._root).as_posix(): path.stat().st_size for path in found}
        return {name: size for name, size in named.items() if name.startswith(prefix)}

    def read(self, name: str, start: int, size: int) -> bytes:
        """See `End`."""
        with (self._root / name).open("rb") as file:
            file.seek(start)
            return file.read(size)

    def begin(self, name: str) -> str:
        """See `End`."""
        raise NotImplementedError

    def write(self, name: str, upload: str, index: int, content: bytes) -> Any:
        """See `End`."""
        raise NotImplementedError

    def finish(self, name: str, upload: str, parts: list[Any]) -> None:
        """See `End`."""
        raise NotImplementedError

    def put(self, name: str, content: bytes) -> None:
        """See `End`."""
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def delete(self, names: Sequence[str]) -> None:
        """See `End`."""
        for name in names:
            (self._root / name).unlink()


def s3_client(ground: Ground) -> Any:
    """Reach S3."""
    import boto3

    endpoints = ground.endpoints
    return boto3.client(
        "s3",
        endpoint_url=endpoints.s3_url,
        region_name=endpoints.aws_region,
        aws_access_key_id=endpoints.aws_access_key_id,
        aws_secret_access_key=endpoints.aws_secret_access_key,
    )


def blob_container(ground: Ground) -> Any:
    """Reach the container of Azure's."""
    from azure.storage.blob import BlobServiceClient

    endpoints = ground.endpoints
    account = BlobServiceClient(
        endpoints.blob_url, credential=endpoints.blob_key, connection_verify=str(endpoints.ca_bundle)
    )
    return account.get_container_client(CONTAINER)


def google_identity(endpoints: Endpoints) -> Any:
    """Be the sandbox's service account."""
    from activities.gcp.identity import LocalAccount

    load: Any = LocalAccount.from_service_account_file
    scope = "https://www.googleapis.com/auth/devstorage.read_write"
    return load(str(endpoints.service_account_file), scopes=[scope])


def gcs_bucket(ground: Ground) -> Any:
    """Reach the bucket of Google's."""
    from google.cloud import storage

    client = storage.Client(
        project=ground.endpoints.gcp_project,
        credentials=google_identity(ground.endpoints),
        client_options={"api_endpoint": ground.endpoints.gcs_url},
    )
    return client.bucket(CONTAINER)
