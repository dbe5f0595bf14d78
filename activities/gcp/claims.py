"""Who may create a job: Vertex AI lets no client choose an id, so an object that only one can create decides.

A claim is a small object beside the job's script. It is leased for longer than a create request may take, and
says which job came of it, so whoever comes later adopts that job even before a listing shows it.
"""

import uuid
from datetime import UTC, datetime, timedelta

from google.api_core.exceptions import NotFound, PreconditionFailed
from google.cloud import storage

from activities.gcp.errors import CLOUD
from contracts.artifacts import locate
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.model import Message

LEASE = timedelta(seconds=30)
_TIMEOUT = (5.0, 20.0)


class Claim(Message):
    """A worker's right to create one job, or the job that came of it."""

    holder: str
    expires_at: datetime
    job: str | None = None
    """Resource name of the job."""


class ClaimedJob:
    """The claim on one job."""

    def __init__(self, client: storage.Client, uri: str) -> None:
        """Look at the claim that lies, or will lie, at this URI."""
        where = locate(uri)
        self._uri = uri
        self._blob = client.bucket(where.container).blob(where.name)
        self._holder = uuid.uuid4().hex

    def take(self) -> str | None:
        """Take the claim and return None; or return the job that came of it already.

        Raises:
            ApplicationError: `UNAVAILABLE`, to be tried again: another worker is creating the job right now.
        """
        if self._write(None, generation=0):
            return None
        held, generation = self._read()
        if held is not None and held.job:
            return held.job
        if held is not None and held.expires_at > datetime.now(UTC):
            raise self._busy(held)
        if not self._write(None, generation=generation):
            raise self._busy(held)
        return None

    def settle(self, job: str) -> None:
        """Say which job came of the claim."""
        self._blob.upload_from_string(
            self._text(job), content_type="application/json", timeout=_TIMEOUT, retry=None
        )

    def release(self) -> None:
        """Give the claim back, since no job came of it for certain."""
        try:
            self._blob.delete(timeout=_TIMEOUT, retry=None)
        except NotFound:
            return

    def _write(self, job: str | None, generation: int) -> bool:
        try:
            self._blob.upload_from_string(
                self._text(job),
                content_type="application/json",
                if_generation_match=generation,
                timeout=_TIMEOUT,
                retry=None,
            )
        except PreconditionFailed:
            return False
        return True

    def _read(self) -> tuple[Claim | None, int]:
        try:
            self._blob.reload(timeout=_TIMEOUT, retry=None)
            text = self._blob.download_as_bytes(timeout=_TIMEOUT, retry=None)
        except NotFound:
            return None, 0
        return Claim.model_validate_json(text), int(self._blob.generation)

    def _text(self, job: str | None) -> str:
        claim = Claim(holder=self._holder, expires_at=datetime.now(UTC) + LEASE, job=job)
        return claim.model_dump_json()

    def _busy(self, held: Claim | None) -> Exception:
        left = held.expires_at - datetime.now(UTC) if held else timedelta()
        text = f"{self._uri}: another worker is creating this job; it is looked for again"
        soon = max(timedelta(seconds=1), min(left, timedelta(seconds=5)))
        detail = ErrorDetail(cloud=CLOUD, ref=self._uri, code="CLAIMED")
        return failure(ErrorKind.UNAVAILABLE, text, detail, retry_after=soon)
