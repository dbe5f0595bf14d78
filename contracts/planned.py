"""A plan that nobody runs: what `starter plan` asks for, and all that it is told."""

from pydantic import Field

from contracts.ledger import MonthState
from contracts.model import Message
from contracts.plan import Plan
from contracts.spec import PipelineSpec


class Measured(Message):
    """What there is already, as far as it was weighed."""

    sizes: dict[str, int] = Field(default_factory=dict)
    """Bytes, by `stage.output` and by the URI of a source that is copied whole; see `contracts.plan.PlanRequest`."""
    at_least: tuple[str, ...] = ()
    """Of these, those that were not counted to their end."""
    unmeasured: dict[str, str] = Field(default_factory=dict)
    """URIs of sources that could not be looked at, each with the reason."""


class PlanWanted(Message):
    """A pipeline to plan."""

    spec: PipelineSpec


class Planned(Message):
    """The plan, and what it was made from."""

    spec: PipelineSpec
    """With names of connections for `any`."""
    plan: Plan
    regions: dict[str, str] = Field(default_factory=dict)
    """By connection that answered and said its region."""
    refused: dict[str, str] = Field(default_factory=dict)
    """Connections that stages only might run on and that will not do, each with the reason."""
    measured: Measured = Measured()
    month: MonthState | None = None
    """What the month has come to; None where no ledger answered."""
