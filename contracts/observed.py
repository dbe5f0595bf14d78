"""What the workers of workflows have switched on for whoever watches runs. No address and no secret is in it."""

from typing import Literal

from contracts.model import Message

AlertEvent = Literal["waiting", "failed", "succeeded", "paused", "cancelled", "slow", "absent"]
"""What an alert may be about: a decision is needed; the run ended so; it stands still; a stage takes long; no worker."""
ALERT_EVENTS: tuple[AlertEvent, ...] = (
    "waiting",
    "failed",
    "succeeded",
    "paused",
    "cancelled",
    "slow",
    "absent",
)


class Observed(Message):
    """What a run tells to others; the plan carries it, so a run keeps to it whatever a worker's settings become."""

    alerts: tuple[AlertEvent, ...] = ()
    """Events that somebody wants to hear of; none where no receiver is set."""
    lineage: bool = False
    """Whether it is written down what each stage made of which data."""
