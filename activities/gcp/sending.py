"""An object's bytes and its description in one request to Cloud Storage."""

import json
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from google.api_core.exceptions import BadRequest, from_http_response
from google.auth.transport.requests import AuthorizedSession
from google.cloud import storage

from activities.checksums import to_base64
from activities.gcp.errors import words_of
from contracts.errors import ErrorDetail, ErrorKind, failure

TIMEOUT = (5.0, 60.0)
"""Seconds to connect and to wait for bytes; retries are Temporal's."""
_JOINED_BYTES = 64 * 1024
"""Up to here one packet costs more than a copy."""

NEEDS = {
    "post": ("storage.objects.create", "storage.objects.delete"),
    "delete": ("storage.objects.delete",),
}


class Sender:
    """Sends objects as multipart uploads.

    The SDK copies such a body several times while it builds it, and from 8 MiB on it opens a resumable session, which
    costs a request and is no use to parts that are small and sent again whole.
    https://cloud.google.com/storage/docs/uploading-objects
    """

    def __init__(self, session: AuthorizedSession, endpoint: str) -> None:
        """Send with the session's identity to the store that answers at this endpoint."""
        self._session = session
        self._endpoint = endpoint

    def send(
        self, blob: storage.Blob, content: bytes, crc: int, *, media_type: str, match: int | None
    ) -> Mapping[str, Any]:
        """Store the content with the blob's metadata and return the store's description of the object.

        The store refuses what does not match this CRC32C; `match` is the generation that may lie there.

        Raises:
            ApplicationError: `CHECKSUM_MISMATCH`.
            GoogleAPICallError: anything else the store says.
        """
        uri = f"gs://{blob.bucket.name}/{blob.name}"
        told = {
            "name": blob.name,
            "contentType": media_type,
            "crc32c": to_base64(crc),
            "metadata": blob.metadata,
        }
        try:
            held = self._post(str(blob.bucket.name), told, content, match)
        except BadRequest as error:
            # No code says so, but all else of this request is as it should be.
            text = f"{uri}: what arrived is not what was sent: {words_of(error)}"
            raise failure(ErrorKind.CHECKSUM_MISMATCH, text, ErrorDetail(cloud="gcp", ref=uri)) from None
        if held.get("crc32c") != to_base64(crc):
            # The service would have refused it; whoever stands in for it may have taken it.
            blob.delete(if_generation_match=int(held["generation"]), timeout=TIMEOUT, retry=None)
            text = f"{uri}: the store holds {held.get('crc32c')}, what was sent is {to_base64(crc)}"
            raise failure(ErrorKind.CHECKSUM_MISMATCH, text, ErrorDetail(cloud="gcp", ref=uri))
        return held

    def _post(
        self, bucket: str, told: Mapping[str, Any], content: bytes, match: int | None
    ) -> Mapping[str, Any]:
        body = _Related(told, content)
        condition = {} if match is None else {"ifGenerationMatch": str(match)}
        answer = self._session.post(
            f"{self._endpoint}/upload/storage/v1/b/{bucket}/o",
            params={"uploadType": "multipart", **condition},
            data=body,
            headers={"Content-Type": body.media_type},
            timeout=TIMEOUT,
        )
        if not answer.ok:
            raise from_http_response(answer)  # type: ignore[no-untyped-call] # the SDK has no types
        held: Mapping[str, Any] = answer.json()
        return held


class _Related:
    """A description and a content as the two parts of one body (RFC 2387), which can be read again."""

    def __init__(self, told: Mapping[str, Any], content: bytes) -> None:
        boundary = uuid.uuid4().hex
        self.media_type = f'multipart/related; boundary="{boundary}"'
        head = (
            f"--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{json.dumps(told)}\r\n"
            f"--{boundary}\r\nContent-Type: {told['contentType']}\r\n\r\n"
        )
        self._pieces = (head.encode(), content, f"\r\n--{boundary}--\r\n".encode())

    def __len__(self) -> int:
        return sum(map(len, self._pieces))

    def __iter__(self) -> Iterator[bytes]:
        return iter((b"".join(self._pieces),) if len(self) <= _JOINED_BYTES else self._pieces)
