"""Claims on jobs of batch endpoints, which are invoked and named by the service: blobs, compared by their ETag."""

from datetime import timedelta
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob import BlobClient, BlobServiceClient, ContentSettings

from activities import claims
from activities.azure.actions import BLOB_DELETE, BLOB_READ, BLOB_WRITE
from activities.azure.blobs import blob_location, quoted_etag
from activities.azure.errors import CLOUD

NEEDS = {"download_blob": (BLOB_READ,), "upload_blob": (BLOB_WRITE,), "delete_blob": (BLOB_DELETE,)}
_TIMEOUTS: dict[str, Any] = {"connection_timeout": 5, "read_timeout": 20}
_JSON = ContentSettings(content_type="application/json")


class ClaimedJob(claims.ClaimedJob):
    """The claim on one job."""

    cloud = CLOUD
    lease = timedelta(seconds=60)
    """One list of an endpoint's jobs and one invocation, each as late as it may be."""

    def __init__(self, service: BlobServiceClient, uri: str, digest: str) -> None:
        """Look at the claim that lies, or will lie, at this URI."""
        super().__init__(uri, digest)
        self._service = service

    @property
    def _blob(self) -> BlobClient:
        where = blob_location(self._uri)
        return self._service.get_blob_client(where.container, where.name)

    def _read(self) -> tuple[bytes, str] | None:
        try:
            found = self._blob.download_blob(**_TIMEOUTS)
            return bytes(found.readall()), str(found.properties.etag)
        except ResourceNotFoundError:
            return None

    def _write(self, text: str, version: str | None) -> bool:
        condition: dict[str, Any] = {"match_condition": MatchConditions.IfMissing}
        if version is not None:
            condition = {"match_condition": MatchConditions.IfNotModified, "etag": quoted_etag(version)}
        try:
            # Any overwrite but a conditional one: the SDK's own `overwrite=False` says nothing more than IfMissing.
            self._put(text, **condition)
        except (ResourceExistsError, ResourceModifiedError, ResourceNotFoundError):
            return False
        except HttpResponseError as exc:
            if exc.status_code in {409, 412}:
                return False
            raise
        return True

    def _seal(self, text: str) -> None:
        self._put(text)

    def _remove(self, version: str | None) -> bool:
        condition: dict[str, Any] = {}
        if version is not None:
            condition = {"match_condition": MatchConditions.IfNotModified, "etag": quoted_etag(version)}
        try:
            self._blob.delete_blob(**condition, **_TIMEOUTS)
        except (ResourceNotFoundError, ResourceModifiedError):
            return False
        return True

    def _put(self, text: str, **condition: Any) -> None:
        self._blob.upload_blob(
            text.encode(), overwrite=True, content_settings=_JSON, **condition, **_TIMEOUTS
        )
