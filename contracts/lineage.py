"""Lineage as the workflows see it: what began and ended, over which data. How it is written down is the worker's."""

from datetime import datetime
from typing import Literal

from pydantic import Field
from temporalio import activity

from contracts.jobs import RunRef
from contracts.model import Message

LINEAGE_WORKFLOW = "lineage"
LineageKind = Literal["START", "COMPLETE", "FAIL", "ABORT"]
"""OpenLineage's own words; `ABORT` is a cancel."""


class LineageEvent(Message):
    """One transition of a run, or of one attempt at a stage."""

    kind: LineageKind
    at: datetime
    stage: str = ""
    """Empty: it is about the run."""
    stage_kind: str = ""
    attempt: int = 1
    """How often the stage had begun, itself included: each is a run of its own in lineage."""
    inputs: tuple[str, ...] = ()
    """URIs, or `bigquery:` and the name of a table."""
    outputs: tuple[str, ...] = ()
    error: str = ""


class LineageBatch(Message):
    """What happened at one moment of a run."""

    run: RunRef
    events: tuple[LineageEvent, ...]


class LineageReceipt(Message):
    """What became of a batch."""

    sent: int
    why: str = ""
    """Why no more."""


class LineageProgress(Message):
    """What a run has told of so far, carried from one execution to the next."""

    begun: bool = False
    attempts: dict[str, int] = Field(default_factory=dict)
    open: tuple[str, ...] = ()
    """Stages that began and have not ended."""
    batches: int = 0


class LineageActivities:
    """What the worker of workflows does with lineage."""

    @activity.defn(name="lineage.emit")
    def emit(self, batch: LineageBatch) -> LineageReceipt:
        """Write the events down where this worker's settings say, as OpenLineage has it.

        Safe to run twice: the same event has the same run, time and content. Heartbeats nothing, it takes seconds. A
        receiver that is down or busy is `UNAVAILABLE` and retried. Final: `ACCESS_DENIED`, `INVALID_REQUEST`.
        """
        raise NotImplementedError
