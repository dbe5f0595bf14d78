"""The object stores as a job's machine sees them: copy a prefix or an object to disk, and files back.

Each store's SDK is imported only when a URI of its scheme is used. Everything is streamed to and from disk.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from sandbox.layout import Endpoints

MIB = 1 << 20
AT_ONCE = 4
"""Objects copied at the same time."""


class StoreError(Exception):
    """An object that is missing, or a store that refused: one line for the job's owner."""


class Store(Protocol):
    """What a machine needs of an object store."""

    def names(self, container: str, prefix: str) -> Iterator[str]:
        """The names of all objects that start with the prefix."""

    def download(self, container: str, name: str, path: Path) -> None:
        """Make the file hold the object."""

    def upload(self, path: Path, container: str, name: str) -> None:
        """Make the object hold the file."""


class Stores:
    """All stores of one sandbox, by the scheme of a URI."""

    def __init__(self, endpoints: Endpoints) -> None:
        """Reach the stores with the sandbox's own keys: a machine stands for the cloud's side."""
        self._endpoints = endpoints
        self._open: dict[str, Store] = {}

    def fetch_folder(self, uri: str, folder: Path, between: Callable[[], None] = lambda: None) -> list[Path]:
        """Copy every object whose name starts with the URI's, as plain text; a folder ends in `/`.

        What follows the last `/` of the prefix decides the place below `folder`, so `data/tr` brings
        `data/train/a` to `train/a`. `between` is called before each object and may raise to stop.
        """
        scheme, container, prefix = split(uri)
        store = self._store(scheme)
        names = [name for name in store.names(container, prefix) if not name.endswith("/")]
        cut = prefix.rfind("/") + 1
        targets = [_inside(folder, name[cut:]) for name in names]

        def fetch(name: str, target: Path) -> Path:
            between()
            target.parent.mkdir(parents=True, exist_ok=True)
            store.download(container, name, target)
            return target

        return self._each(fetch, names, targets)

    def fetch_file(self, uri: str, path: Path) -> Path:
        """Copy exactly one object.

        Raises:
            StoreError: There is no such object.
        """
        scheme, container, name = split(uri)
        if not self.exists(uri):
            raise StoreError(f"no object {uri}")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._store(scheme).download(container, name, path)
        return path

    def exists(self, uri: str) -> bool:
        """Whether there is exactly this object."""
        scheme, container, name = split(uri)
        # An object sorts before those below it, so this reads one page.
        return name in self._store(scheme).names(container, name)

    def deliver_folder(self, folder: Path, uri: str) -> int:
        """Copy every regular file below the folder to the prefix; how many. Links out of it are left out."""
        scheme, container, prefix = split(uri)
        store = self._store(scheme)
        files = sorted(_files_of(folder))
        base = prefix if prefix.endswith("/") or not prefix else prefix + "/"
        names = [base + path.relative_to(folder).as_posix() for path in files]
        self._each(lambda path, name: store.upload(path, container, name), files, names)
        return len(files)

    def deliver_file(self, path: Path, uri: str) -> None:
        """Copy one file to one object."""
        scheme, container, name = split(uri)
        self._store(scheme).upload(path, container, name)

    @staticmethod
    def _each(work: Callable[[Any, Any], Any], sources: list[Any], targets: list[Any]) -> list[Any]:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(work, sources, targets))

    def _store(self, scheme: str) -> Store:
        if scheme not in self._open:
            kinds: dict[str, Callable[[Endpoints], Store]] = {"s3": S3Store, "az": BlobStore, "gs": GcsStore}
            self._open[scheme] = kinds[scheme](self._endpoints)
        return self._open[scheme]


class S3Store:
    """S3 by boto3."""

    def __init__(self, endpoints: Endpoints) -> None:
        """Connect with the sandbox's key."""
        import boto3
        from boto3.s3.transfer import TransferConfig
        from botocore.config import Config

        self._client = boto3.client(
            "s3",
            endpoint_url=endpoints.s3_url,
            region_name=endpoints.aws_region,
            aws_access_key_id=endpoints.aws_access_key_id,
            aws_secret_access_key=endpoints.aws_secret_access_key,
            config=Config(
                s3={"addressing_style": "path"}, retries={"total_max_attempts": 8, "mode": "standard"}
            ),
        )
        self._transfer = TransferConfig(max_concurrency=2)

    def names(self, container: str, prefix: str) -> Iterator[str]:
        """The names of all objects that start with the prefix."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=container, Prefix=prefix)
        return (entry["Key"] for page in pages for entry in page.get("Contents", []))

    def download(self, container: str, name: str, path: Path) -> None:
        """Make the file hold the object."""
        self._client.download_file(container, name, str(path), Config=self._transfer)

    def upload(self, path: Path, container: str, name: str) -> None:
        """Make the object hold the file."""
        self._client.upload_file(str(path), container, name, Config=self._transfer)


class BlobStore:
    """Blob storage by azure-storage-blob."""

    def __init__(self, endpoints: Endpoints) -> None:
        """Connect with the sandbox's account key."""
        from azure.storage.blob import BlobServiceClient

        self._client = BlobServiceClient(
            endpoints.blob_url,
            credential={"account_name": endpoints.blob_account, "account_key": endpoints.blob_key},
            connection_verify=str(endpoints.ca_bundle),
        )

    def names(self, container: str, prefix: str) -> Iterator[str]:
        """The names of all objects that start with the prefix."""
        found = self._client.get_container_client(container).list_blobs(name_starts_with=prefix)
        return (blob.name for blob in found)

    def download(self, container: str, name: str, path: Path) -> None:
        """Make the file hold the object."""
        with path.open("wb") as stream:
            self._client.get_blob_client(container, name).download_blob(max_concurrency=1).readinto(stream)

    def upload(self, path: Path, container: str, name: str) -> None:
        """Make the object hold the file."""
        with path.open("rb") as stream:
            self._client.get_blob_client(container, name).upload_blob(
                stream, overwrite=True, max_concurrency=1
            )


class GcsStore:
    """Cloud Storage by its JSON API, behind the front: nobody asks for a token there. The SDK takes seconds to import."""

    def __init__(self, endpoints: Endpoints) -> None:
        """Connect without credentials."""
        import urllib3

        self._url = endpoints.gcs_behind_url
        self._pool = urllib3.PoolManager(
            retries=urllib3.Retry(3, backoff_factor=0.2, status_forcelist=[502, 503])
        )

    def names(self, container: str, prefix: str) -> Iterator[str]:
        """The names of all objects that start with the prefix."""
        token = ""
        while True:
            query = urlencode({"prefix": prefix, "pageToken": token})
            with self._ask("GET", f"/storage/v1/b/{container}/o?{query}") as answer:
                page = json.loads(answer.read())
            yield from (item["name"] for item in page.get("items", []))
            token = page.get("nextPageToken", "")
            if not token:
                return

    def download(self, container: str, name: str, path: Path) -> None:
        """Make the file hold the object."""
        target = f"/storage/v1/b/{container}/o/{quote(name, safe='')}?alt=media"
        with self._ask("GET", target) as answer, path.open("wb") as stream:
            for piece in answer.stream(MIB):
                stream.write(piece)

    def upload(self, path: Path, container: str, name: str) -> None:
        """Make the object hold the file."""
        query = urlencode({"uploadType": "media", "name": name})
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(path.stat().st_size)}
        with path.open("rb") as stream:
            self._ask(
                "POST", f"/upload/storage/v1/b/{container}/o?{query}", body=stream, headers=headers
            ).close()

    def _ask(self, method: str, target: str, **options: Any) -> Any:
        answer = self._pool.request(method, self._url + target, preload_content=False, **options)
        if answer.status >= 300:
            with answer:
                reason = answer.read(300).decode(errors="replace").strip()
            raise StoreError(f"Cloud Storage answered {answer.status} to {target.split('?')[0]}: {reason}")
        return answer


def split(uri: str) -> tuple[str, str, str]:
    """Scheme, container and name of a store's URI.

    Raises:
        StoreError: It is none.
    """
    scheme, mark, rest = uri.partition("://")
    container, _, name = rest.partition("/")
    if not mark or scheme not in ("s3", "az", "gs") or not container:
        raise StoreError(
            f"{uri!r} is not an object URI: s3://bucket/key, az://container/blob or gs://bucket/name"
        )
    return scheme, container, name


def _inside(folder: Path, relative: str) -> Path:
    target = folder / relative
    if ".." in Path(relative).parts or not target.is_relative_to(folder):
        raise StoreError(f"the object name {relative!r} would leave the job's folder")
    return target


def _files_of(folder: Path) -> Iterator[Path]:
    home = folder.resolve()
    return (path for path in folder.rglob("*") if path.is_file() and path.resolve().is_relative_to(home))
