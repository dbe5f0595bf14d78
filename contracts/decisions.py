"""What people decide about a run while it goes on, and how it is written down."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from contracts.foreach import as_text
from contracts.model import Message
from contracts.tables import Scalar

Decision = Literal["retry", "skip", "abort"]
DECISIONS_KEPT = 200
"""How many of a run's decisions its status tells, the latest."""


class StageDecision(Message):
    """A person's decision on a waiting stage."""

    stage: str
    by: str = ""
    reason: str = ""
    timeout: str = ""
    """Of a retry: another limit, such as `2h`."""
    resources: dict[str, Any] = Field(default_factory=dict)
    """Of a retry: what the machine must have instead; what is not named stays, and null takes it away."""
    params: dict[str, Scalar] = Field(default_factory=dict)
    """Of a retry: other values of params. They hold for everything that starts from now on."""
    outputs: dict[str, str] = Field(default_factory=dict)
    """Of a skip: what stands for the stage's outputs, by their names: a URI each, on the stage's own connection."""


class Decided(Message):
    """A decision that was taken."""

    at: datetime
    decision: str
    """retry, skip, abort, approve, pause or resume; move where the run itself took a stage elsewhere."""
    stage: str = ""
    """Empty of a pause and a resume."""
    by: str = ""
    """Who decided; empty where nobody said."""
    reason: str = ""
    changes: tuple[str, ...] = ()
    """Each change in words: `timeout 30m -> 2h`."""
    answer: Scalar | None = None
    """To what a stage asked."""
    rule: str = ""
    """Of an answer to a hold: the rule that it was asked for, such as `budget`."""
    about: str = ""
    """Of an answer to a hold: the step that waited for it."""

    @property
    def words(self) -> str:
        """What was decided: `retry with timeout 1h -> 2h`, `approve with yes`."""
        said = (as_text(self.answer),) if self.answer is not None else self.changes
        word = f"{self.decision} {self.rule}" if self.rule else self.decision
        return f"{word} with {', '.join(said)}" if said else word
