"""Logs that are kept when a stage has ended: what its job printed, and what its worker wrote down about it."""

from datetime import datetime

from pydantic import Field
from temporalio import activity

from contracts.jobs import JobRef, RunRef
from contracts.model import Message
from contracts.packed import Packed

JOB_LOG = "job.log"
WORKER_LOG = "worker.jsonl"
CARRIED_BYTES = 32 * 1024
"""Of logs, compressed, that one stage's message may hold: only where another connection owns the container."""


class ShipRequest(Message):
    """The end of one generation of a stage."""

    run: RunRef
    stage: str
    generation: int
    job: JobRef | None = None
    """None where no job was submitted."""
    since: datetime
    """When the stage began: a run may have lived under this name before."""
    target: str | None
    """URI prefix, ending in `/`, to write below; None where this connection does not own the container."""


class LogFile(Message):
    """Lines of one log, oldest first."""

    name: str
    lines: Packed[str]


class Shipped(Message):
    """What became of a stage's logs."""

    uris: tuple[str, ...] = ()
    """What was written."""
    carried: tuple[LogFile, ...] = ()
    """The last lines of each, where somebody else writes."""
    missing: str = ""
    """Why a part of it could not be read; empty when nothing is missing."""


class StoreLogsRequest(Message):
    """Logs that another connection's worker has read."""

    target: str
    owner: str = ""
    files: tuple[LogFile, ...] = Field(max_length=2)


class LogShippingActivities:
    """What every cloud's worker does with logs at the end of a stage."""

    @activity.defn(name="logs.ship")
    def ship(self, request: ShipRequest) -> Shipped:
        """Read the job's log and this worker's own lines about the stage, and write them, or hand them on cut to size.

        A long job's log keeps its last 8 MiB. Safe to run twice: the files are written anew. Heartbeats while it reads.
        A job's log that cannot be read is told in `missing`. Final: `ACCESS_DENIED`, `SOURCE_MISSING` (no such container).
        """
        raise NotImplementedError

    @activity.defn(name="logs.store")
    def store(self, request: StoreLogsRequest) -> Shipped:
        """Write what another worker has read. Safe to run twice. Final: as `logs.ship`."""
        raise NotImplementedError
