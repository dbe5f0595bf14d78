"""Who may create a job: where a vendor lets no client choose an id, an object that only one can create decides.

A claim is a small object beside what the job reads. It is leased for longer than a create request may take, and says which
job came of it, so whoever comes later adopts that job even before a listing shows it. A room brings how the object is written.
"""

import time
import uuid
from abc import ABC, abstractmethod
from datetime import UTC, datetime, timedelta

from activities.stopping import rest
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.model import Message

LEASE = timedelta(seconds=30)
_PATIENCE_SECONDS = 5.0
"""How long a holder is waited for here; after that Temporal tries again later."""
_PAUSE_SECONDS = 0.2


class Claim(Message):
    """A worker's right to create one job, or the job that came of it."""

    holder: str
    expires_at: datetime
    job: str | None = None
    """How its vendor calls the job."""
    digest: str = ""
    """What was asked for, where the job itself cannot say it."""

    @property
    def live(self) -> bool:
        """Whether its holder may still be creating the job."""
        return self.job is None and self.expires_at > datetime.now(UTC)


class ClaimedJob(ABC):
    """The claim on one job. Its object's version is whatever the store compares before it writes."""

    cloud: str
    lease = LEASE

    def __init__(self, uri: str, digest: str = "") -> None:
        """Look at the claim that lies, or will lie, at this URI."""
        self._uri = uri
        self._digest = digest
        self._holder = uuid.uuid4().hex

    def held(self) -> Claim | None:
        """Return what the claim says now; None where there is none."""
        return self._claim()[0]

    def take(self) -> str | None:
        """Take the claim and return None; or return the job that came of it already.

        Raises:
            ApplicationError: `UNAVAILABLE`, to be tried again: another worker is creating the job right now.
        """
        until = time.monotonic() + _PATIENCE_SECONDS
        while not self._write(self._text(None), None):
            held, version = self._claim()
            if held is not None and held.job:
                return held.job
            ended = held is not None and held.expires_at <= datetime.now(UTC)
            if ended and self._write(self._text(None), version):
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
            held, _ = self._claim()
            if held is None or not held.live:
                return held.job if held else None
            rest(_PAUSE_SECONDS)

    def expire(self) -> bool:
        """Remove a claim whose lease has ended without a job; False where there is none such."""
        held, version = self._claim()
        if held is None or held.job or held.live or version is None:
            return False
        return self._remove(version)

    def settle(self, job: str) -> None:
        """Say which job came of the claim."""
        self._seal(self._text(job))

    def release(self) -> None:
        """Give the claim back, since no job came of it for certain."""
        self._remove(None)

    def _claim(self) -> tuple[Claim | None, str | None]:
        found = self._read()
        return (Claim.model_validate_json(found[0]), found[1]) if found else (None, None)

    def _text(self, job: str | None) -> str:
        ends = datetime.now(UTC) + self.lease
        claim = Claim(holder=self._holder, expires_at=ends, job=job, digest=self._digest)
        return claim.model_dump_json(exclude_defaults=True)

    def _busy(self, held: Claim | None) -> Exception:
        left = held.expires_at - datetime.now(UTC) if held else timedelta()
        text = f"{self._uri}: another worker is creating this job; it is looked for again"
        soon = max(timedelta(seconds=1), min(left, timedelta(seconds=5)))
        detail = ErrorDetail(cloud=self.cloud, ref=self._uri, code="CLAIMED")
        return failure(ErrorKind.UNAVAILABLE, text, detail, retry_after=soon)

    @abstractmethod
    def _read(self) -> tuple[bytes, str] | None:
        """Return the object and its version; None where there is none."""

    @abstractmethod
    def _write(self, text: str, version: str | None) -> bool:
        """Write the object if its version is still this one, or if there is none; whether it was written."""

    @abstractmethod
    def _seal(self, text: str) -> None:
        """Write the object whatever lies there, as the one of a claim of which a job came."""

    @abstractmethod
    def _remove(self, version: str | None) -> bool:
        """Delete the object if its version is still this one, or whatever lies there; False where it is another or gone."""
