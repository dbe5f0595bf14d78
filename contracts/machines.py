"""Machines as the plan sees them: what a job asks for, and what it was given, why and at which price."""

import re
from datetime import date
from decimal import Decimal

from pydantic import Field

from contracts.model import Declared, Message
from contracts.units import Size, format_size

ACCELERATOR = r"^[A-Za-z][A-Za-z0-9-]*(:[1-9][0-9]?)?$"
"""How accelerators are written: a model and how many of it, such as `A10:1`; without a number it is one."""
CHECKPOINT_DIR = "CAUSEWAY_CHECKPOINT_DIR"
"""Where a job that may be preempted finds the folder that outlives its machine: one for all generations of a stage."""


class Resources(Declared):
    """What a job asks of its machine; the cloud's adapter chooses an instance that has it."""

    cpu: int = Field(default=1, ge=1, le=1024)
    """At least so many processors."""
    memory: Size | None = None
    """At least so much memory."""
    instance: str | None = None
    """A vendor's own name for a machine, such as ml.m5.large; it wins over `cpu`, `memory` and the default."""
    accelerator: str | None = Field(default=None, pattern=ACCELERATOR)
    """A model and at least how many of it, such as `A10:1`."""
    spot: bool = False
    """May be taken away at any time, and costs less; the command finds a folder that survives in `CHECKPOINT_DIR`."""
    disk: Size | None = None
    """At least so much room for inputs, outputs and what the command writes."""


class HourPrice(Message):
    """What one hour of a machine costs on demand, and who says so."""

    per_hour: Decimal
    currency: str
    region: str
    as_of: date
    source: str

    def cost(self, seconds: float) -> Decimal:
        """What a machine costs that is had for so long."""
        return (self.per_hour * Decimal(str(seconds)) / 3600).quantize(Decimal("1e-9"))

    @property
    def words(self) -> str:
        """The price in a few words, for a person."""
        cost = f"{self.per_hour:f} {self.currency} an hour on demand"
        return f"{cost} in {self.region} as of {self.as_of} ({self.source})"


class Machine(Message):
    """The machine chosen for a job. What is not known of it is None: unknown is never zero."""

    instance: str
    """The vendor's name of it; empty where the vendor chooses."""
    cpu: int | None = None
    memory: int | None = None
    """Bytes."""
    accelerator: str | None = None
    """Model and number, as `A10:1`."""
    spot: bool = False
    price: HourPrice | None = None
    why: str
    """Why this one, as the end of a sentence."""

    @property
    def words(self) -> str:
        """What was chosen, why and at which price, in one line for a person."""
        parts = [f"{self.cpu} CPU" if self.cpu else "", format_size(self.memory) if self.memory else ""]
        size = ", ".join(part for part in (*parts, self.accelerator or "") if part)
        named = self.instance or "a machine of the vendor's choice"
        cost = self.price.words if self.price else "its price is not known here"
        spot = "; spot costs less, how much is not known here" if self.spot and self.price else ""
        return f"{named}{f' ({size})' if size else ''}: {self.why}; {cost}{spot}"


def accelerator_of(text: str) -> tuple[str, int]:
    """Read `A10:1`, or `A10` for one of it, as model in capitals and number.

    Raises:
        ValueError: it is written in another way.
    """
    if not re.fullmatch(ACCELERATOR, text):
        raise ValueError(f"{text!r} is no accelerator; write a model and how many, such as A10:1")
    model, _, number = text.partition(":")
    return model.upper(), int(number or 1)
