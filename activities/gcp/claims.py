"""Who may create a job: Vertex AI lets no client choose an id, so an object that only one can create decides.

A claim is a small object beside the job's script. It is leased for longer than a create request may take, and
says which job came of it, so whoever comes later adopts that job even before a listing shows it.
"""

import time
import uuid
from datetime import UTC, datetime, timedelta

from google.api_core.exceptions import NotFound, PreconditionFailed
from google.cloud import storage

from activities.gcp.errors import CLOUD
from activities.stopping import rest
from contracts.artifacts import locate
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.model import Message

SETTLED = "causeway-settled"
"""Metadata of a claim of which a job came."""
LEASE = timedelta(seconds=30)
NEEDS = {
    "upload_from_string": ("storage.objects.create", "storage.objects.delete"),
    "reload": ("storage.objects.get", "storage.objects.list"),
    "download_as_bytes": ("storage.objects.get",),
    "delete": ("storage.objects.delete",),
}
_TIMEOUT = (5.0, 20.0)
_PATIENCE_SECONDS = 5.0
"""How long a holder is waited for here; after that Temporal tries again later."""
_PAUSE_SECONDS = 0.2


class Claim(Message):
    """A worker's right to create one job, or the job that came of it."""

    holder: str
    expires_at: datetime
    job: str | None = None
    """Resource name of the job."""

    @property
    def live(self) -> bool:
        """Whether its holder may still be creating the job."""
        return self.job is None and self.expires_at > datetime.now(UTC)


class ClaimedJob:
    """The claim on one job."""

    def __init__(self, client: storage.Client, uri: str) -> None:
        """Look at the claim that lies, or will lie, at this URI."""
        self._client = client
        self._uri = uri
        self._holder = uuid.uuid4().hex

    def held(self) -> Claim | None:
        """Return what the claim says now; None where there is none."""
        return self._read()[0]

    def take(self) -> str | None:
        """Take the claim and return None; or return the job that came of it already.

        Raises:
            ApplicationError: `UNAVAILABLE`, to be tried again: another worker is creating the job right now.
        """
        until = time.monotonic() + _PATIENCE_SECONDS
        while not self._write(None, generation=0):
            held, generation = self._read()
            if held is not None and held.job:
                return held.job
            ended = held is not None and held.expires_at <= datetime.now(UTC)
            if ended and self._write(None, generation=generation):
                return None
            if time.monotonic() > until:
                raise self._busy(held)
            rest(_PAUSE_SECONDS)
        return None

    def outcome(self) -> str | None:
        """Return the job that came of the claim, waiting while a holder may be creating it; None if none will.

        Raises:
            CancelledError, ApplicationError: the activity was asked to stop meanwhile.
        """
        while True:
            held, _ = self._read()
            if held is None or not held.live:
                return held.job if held else None
            rest(_PAUSE_SECONDS)

    def expire(self) -> bool:
        """Remove a claim whose lease has ended without a job; False where there is none such."""
        held, generation = self._read()
        if held is None or held.job or held.live:
            return False
        try:
            self._blob.delete(if_generation_match=generation, timeout=_TIMEOUT, retry=None)
        except (NotFound, PreconditionFailed):
            return False
        return True

    def settle(self, job: str) -> None:
        """Say which job came of the claim."""
        blob = self._blob
        # A listing shows metadata, so a sweep need not read every claim there ever was.
        blob.metadata = {SETTLED: "true"}
        blob.upload_from_string(
            self._text(job), content_type="application/json", timeout=_TIMEOUT, retry=None
        )

    def release(self) -> None:
        """Give the claim back, since no job came of it for certain."""
        try:
            self._blob.delete(timeout=_TIMEOUT, retry=None)
        except NotFound:
            return

    @property
    def _blob(self) -> storage.Blob:
        # A new one each time: once read, the SDK's object stays with the generation that it found.
        where = locate(self._uri)
        return self._client.bucket(where.container).blob(where.name)

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
            blob = self._blob
            blob.reload(timeout=_TIMEOUT, retry=None)
            text = blob.download_as_bytes(timeout=_TIMEOUT, retry=None)
        except NotFound:
            return None, 0
        return Claim.model_validate_json(text), int(blob.generation)

    def _text(self, job: str | None) -> str:
        claim = Claim(holder=self._holder, expires_at=datetime.now(UTC) + LEASE, job=job)
        return claim.model_dump_json()

    def _busy(self, held: Claim | None) -> Exception:
        left = held.expires_at - datetime.now(UTC) if held else timedelta()
        text = f"{self._uri}: another worker is creating this job; it is looked for again"
        soon = max(timedelta(seconds=1), min(left, timedelta(seconds=5)))
        detail = ErrorDetail(cloud=CLOUD, ref=self._uri, code="CLAIMED")
        return failure(ErrorKind.UNAVAILABLE, text, detail, retry_after=soon)


def is_settled(blob: storage.Blob) -> bool:
    """Whether a listing already says of a claim that a job came of it."""
    return (blob.metadata or {}).get(SETTLED) == "true"
