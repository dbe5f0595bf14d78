"""Leave to do what a rule forbids: asked for by a reference, and believed only when the run itself says who gave it."""

from typing import Protocol

from pydantic import Field

from contracts.model import Message

LEAVE_QUERY = "leave"


class LeaveRef(Message):
    """Where leave may have been given. It proves nothing: the worker asks the run."""

    run: str
    """The run's workflow id."""
    about: str
    """A stage of the run, or the key of one of its transfers."""


class Leave(Message):
    """What people have allowed in a run, as the run answers the query `leave`, and what that is for."""

    declassified_by: str = ""
    """Who said yes to the question that takes classes off what the stage leaves; empty while nobody has."""
    waived: dict[str, str] = Field(default_factory=dict)
    """Rules to who waived them for this."""
    sources: tuple[str, ...] = ()
    """Objects and folders that it reads."""
    targets: tuple[str, ...] = ()
    """Objects and folders that it writes."""
    connections: tuple[str, ...] = ()
    """Where the data may go for it."""


class Leaves(Protocol):
    """Who can ask a run."""

    async def given(self, ref: LeaveRef) -> Leave | None:
        """Return what people have allowed; None where there is no such run, or it cannot be asked.

        Raises:
            ApplicationError: `UNAVAILABLE`, nobody can say now.
        """
