"""The places a stage may run in, weighed: what each would cost and take, and why it was chosen or lost."""

from decimal import Decimal

from pydantic import Field

from contracts.model import Message


class Candidate(Message):
    """One connection a stage might run on."""

    connection: str
    chosen: bool = False
    cost: Decimal | None = None
    """What is known of the cost of the whole plan with the stage here and every other at its best; None where nothing is."""
    unknown: int = 0
    """How many costs of that plan nobody knows; they come on top."""
    currency: str = ""
    seconds: float | None = None
    """How long its job is expected to run here."""
    moved_bytes: int | None = None
    """What would cross to here for it; None where sizes are not known."""
    rule: str = ""
    """The rule of the policy that removed it, if one did."""
    asks: tuple[str, ...] = ()
    """Rules that somebody may waive, and has to before the stage runs here."""
    why: str
    """Why it was chosen or lost, in a clause for people."""


class Standing(Message):
    """What a plan that is made again has to take as it is."""

    fixed: dict[str, str] = Field(default_factory=dict)
    """Stage to connection: it has begun there, or has ended."""
    excluded: dict[str, dict[str, str]] = Field(default_factory=dict)
    """Stage to connections that were tried, each with what it refused for."""
    lies: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """`stage.output` to connections that transfers have brought it to: it is not brought there again."""
