"""A transfer as its workflow sees it: what to bring where, and how it goes."""

from datetime import timedelta
from typing import Literal

from contracts.artifacts import ArtifactKind
from contracts.grants import IfExists
from contracts.jobs import RunRef
from contracts.model import Message
from contracts.plan import TransferMethod
from contracts.units import Duration


class TransferRequest(Message):
    """Starts the workflow `transfer`."""

    run: RunRef
    key: str
    """Unique within the run."""
    artifact: str
    source: str
    """Connection that holds the data."""
    source_uri: str
    kind: ArtifactKind
    destination: str
    target: str
    method: TransferMethod
    if_exists: IfExists = "skip"
    expected_digest: str | None = None
    """Of the artifact, where it is known before."""
    timeout: Duration = timedelta(minutes=30)
    """How long an absent worker is waited for."""

    @property
    def owner(self) -> str:
        """What objects written by this transfer are marked with."""
        return f"{self.run.run_uid}/{self.key}"


class TransferStatus(Message):
    """What the query `status` of a transfer answers."""

    artifact: str
    phase: Literal["RUNNING", "PAUSING", "PAUSED", "SUCCEEDED"]
    objects_total: int = 0
    objects_done: int = 0
    bytes_total: int = 0
    bytes_done: int = 0


class Drained(Message):
    """A transfer's word to its run: whether nothing of it is in flight while the run is paused."""

    key: str
    drained: bool
