"""Leave for others to read or write exactly one object for a short while: V4 signed URLs."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from google.auth.credentials import Credentials, Signing
from google.auth.transport.requests import Request
from google.cloud.storage import Blob

from activities.noted import PLAIN_VALUE, TOKEN, fitting
from activities.store import PLAIN, Part, may_replace
from activities.uploading import as_sum
from contracts.artifacts import ObjectStat
from contracts.grants import PartGrant, ReadGrant, WriteGrant, WriteIntent

META = "x-goog-meta-"
CRC32C, SHA256, OWNER = CARRIED = ("causeway-crc32c", "causeway-sha256", "causeway-owner")
"""Names of what Causeway notes on every object it writes."""


METADATA_LIMIT_BYTES = 8192 - 400
"""What Cloud Storage takes, less what Causeway notes itself: https://cloud.google.com/storage/quotas"""

NEEDS = {"generate_signed_url": ("iam.serviceAccounts.signBlob",)}
"""Of the worker on its own account, where it holds no key: https://cloud.google.com/iam/docs/service-account-permissions"""


class Signer:
    """Mints signed URLs with the worker's own identity, whatever kind of credentials it has."""

    def __init__(self, credentials: Credentials, endpoint: str) -> None:
        """Sign for the store that answers at this endpoint."""
        self._credentials = credentials
        self._endpoint = endpoint

    def sign_read(self, blob: Blob, source: ObjectStat, life: timedelta, *, bare: bool) -> ReadGrant:
        """Mint a read of exactly this generation; a newer one answers 404."""
        expires_at = datetime.now(UTC) + life
        url = self._url(blob, "GET", expires_at, {}, generation=source.etag)
        # Without it an object stored with gzip encoding is unpacked on its way, and its checksum is another.
        headers = {} if bare else {"Accept-Encoding": "gzip"}
        return ReadGrant(source=source, url=url, headers=headers, expires_at=expires_at)

    def sign_part(self, blob: Blob, part: Part, life: timedelta) -> PartGrant:
        """Mint a write of exactly this part where nothing lies yet: the store refuses another length or checksum."""
        expires_at = datetime.now(UTC) + life
        told = as_sum(part)
        headers = {
            "content-type": PLAIN,
            "x-goog-content-length-range": f"{part.size_bytes},{part.size_bytes}",
            "x-goog-hash": f"crc32c={told.crc32c}",
            "x-goog-if-generation-match": "0",
            META + SHA256: told.sha256,
        }
        url = self._url(blob, "PUT", expires_at, headers)
        return PartGrant(part=told, url=url, headers=headers, expires_at=expires_at)

    def sign_write(self, blob: Blob, intent: WriteIntent, life: timedelta) -> WriteGrant:
        """Mint a write of exactly these bytes: the store refuses another length or checksum."""
        expires_at = datetime.now(UTC) + life
        headers = write_headers(intent)
        url = self._url(blob, "PUT", expires_at, headers)
        return WriteGrant(intent=intent, url=url, method="PUT", headers=headers, expires_at=expires_at)

    def _url(
        self,
        blob: Blob,
        method: str,
        expires_at: datetime,
        headers: dict[str, str],
        generation: str | None = None,
    ) -> str:
        url = blob.generate_signed_url(
            version="v4",
            expiration=expires_at,
            method=method,
            headers=headers,
            generation=generation,
            api_access_endpoint=self._endpoint,
            **self._identity(),
        )
        return str(url)

    def _identity(self) -> dict[str, object]:
        if isinstance(self._credentials, Signing):
            return {"credentials": self._credentials}
        # A worker on Google's own machines holds no private key: the IAM service signs for its account.
        if not self._credentials.valid:
            self._credentials.refresh(Request())  # type: ignore[no-untyped-call] # google-auth has no types
        account = getattr(self._credentials, "service_account_email", None)
        return {"service_account_email": account, "access_token": self._credentials.token}


def write_headers(intent: WriteIntent) -> dict[str, str]:
    """Return what the pushing worker must send; with it the store refuses any other bytes."""
    measure = intent.measure
    size = measure.source.size_bytes
    headers = {
        "content-type": measure.source.media_type,
        "x-goog-content-length-range": f"{size},{size}",
        "x-goog-hash": f"crc32c={measure.crc32c},md5={measure.md5}",
    }
    own = metadata(measure.crc32c, measure.sha256, intent.owner)
    carried = {**carriable(measure.source.metadata), **own}
    headers |= {META + name: value for name, value in carried.items()}
    if intent.replaces or not may_replace(intent.if_exists):
        headers["x-goog-if-generation-match"] = intent.replaces or "0"
    return headers


def metadata(crc32c: str, sha256: str, owner: str) -> dict[str, str]:
    """Return what every object written by Causeway carries."""
    return {CRC32C: crc32c, SHA256: sha256, OWNER: owner}


def public_endpoint(endpoint: str) -> str:
    """Return the scheme and host that signed URLs name."""
    parts = urlsplit(endpoint)
    return f"{parts.scheme}://{parts.netloc}"


def carriable(held: Mapping[str, str]) -> dict[str, str]:
    """Return the user's metadata that travels unchanged: in all 8 KiB of names and values that headers carry."""
    return fitting(held, names=TOKEN, values=PLAIN_VALUE, limit_bytes=METADATA_LIMIT_BYTES)
