"""Alerts as the workflows see them: what happened, for one receiver whose address only a worker knows."""

from datetime import datetime

from pydantic import Field
from temporalio import activity

from contracts.jobs import RunRef
from contracts.model import Message
from contracts.observed import AlertEvent, Observed

ALERT_WORKFLOW = "alert"


class Alert(Message):
    """One event of one run."""

    id: str
    """The same in every attempt to deliver it: `<run uid>/<event>[/<what>]/<how often so far>`."""
    event: AlertEvent
    run: RunRef
    at: datetime
    stage: str = ""
    """The stage it is about; of a missing worker those that wait for it, with commas between them."""
    kind: str = ""
    """Of an error."""
    message: str = ""
    hint: str = ""
    """What to do about it."""


class AlertReceipt(Message):
    """What became of an alert."""

    delivered: bool
    why: str = ""
    """Why not."""


class AlertProgress(Message):
    """What a run has told of so far, carried from one execution to the next."""

    active: tuple[str, ...] = ()
    """What holds now and was told."""
    counts: dict[str, int] = Field(default_factory=dict)
    """How often each thing was told."""


class AlertActivities:
    """What the worker of workflows does with alerts."""

    @activity.defn(name="alerts.send")
    def send(self, alert: Alert) -> AlertReceipt:
        """Deliver the alert to the receiver that this worker's settings name.

        Safe to run twice: the receiver knows a repetition by its id. Heartbeats nothing, it takes seconds. A receiver
        that is down or busy is `UNAVAILABLE` and retried. Final: `ACCESS_DENIED`, `INVALID_REQUEST` (it refuses what it
        is sent, or answers with a redirect).
        """
        raise NotImplementedError


class ObserverActivities:
    """What the worker of workflows says of who watches."""

    @activity.defn(name="observers.describe")
    def describe(self) -> Observed:
        """Say what is switched on. Safe to run twice. Nothing is final."""
        raise NotImplementedError
