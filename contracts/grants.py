"""Grants: short-lived leave to read or write exactly one object, and the measures that exact writes are minted for."""

from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field

from contracts.artifacts import ObjectStat
from contracts.leaves import LeaveRef
from contracts.model import Message
from contracts.packed import Packed

GRANT_LIFE = timedelta(minutes=15)
"""The longest a grant lives; the minting worker holds to it whatever is asked."""
GRANTS_LIMIT_BYTES = 256 * 1024
"""The most grants in one payload, as they travel."""

IfExists = Literal["skip", "overwrite", "fail"]


class MeasureRequest(Message):
    """Objects to read in full where they lie, so that exact writes can be minted for them."""

    objects: Packed[ObjectStat]


class Measure(Message):
    """What every byte of an object came to."""

    source: ObjectStat
    crc32c: str
    """Base64, big-endian."""
    md5: str
    """Base64. Azure's Put Blob verifies this one; it is no identity."""
    sha256: str
    """Hex."""


class Measures(Message):
    """One measure for each object asked for, in the same order."""

    measures: Packed[Measure]


class ReadGrant(Message):
    """Leave to read exactly one object for a short while. The URL is a secret while it lives."""

    source: ObjectStat
    url: str = Field(repr=False)
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    """To be sent exactly; they pin the ETag."""
    expires_at: datetime


class ReadGrantRequest(Message):
    """Objects to mint reads for, each pinned by the ETag it had when it was listed."""

    objects: Packed[ObjectStat]
    life: timedelta = GRANT_LIFE
    bare: bool = False
    """Whether the grants must work without any header, for a store that reads by itself; their sources then have the
    MD5 that their store vouches for, where it does."""
    destination: str = ""
    """The connection that the bytes go to; a policy may forbid it, or demand that it is named."""
    leave: LeaveRef | None = None
    """Where leave may have been given for what a rule forbids."""


class ReadGrants(Message):
    """Grants for the first of the objects asked for, in the same order: as many as one payload takes, at least one."""

    grants: Packed[ReadGrant]


class WriteIntent(Message):
    """An object that shall come to lie at the target, byte for byte as measured."""

    target: str
    measure: Measure
    if_exists: IfExists = "skip"
    owner: str = ""
    """Who writes, as `<run_uid>/<what>`; kept as metadata, so a retry knows its own work."""
    replaces: str | None = None
    """ETag of the only version that may be replaced: this owner's own, where `if_exists` allows no other's."""


class WriteGrant(Message):
    """Leave to write exactly one object of this length and checksum for a short while."""

    intent: WriteIntent
    url: str = Field(default="", repr=False)
    method: str = "PUT"
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    """To be sent exactly; they carry length and checksum."""
    expires_at: datetime
    needed: bool = True
    """False when the target holds this very content already; there is no URL then."""


class WriteGrantRequest(Message):
    """Objects to mint exact writes for."""

    intents: Packed[WriteIntent]
    life: timedelta = GRANT_LIFE
    leave: LeaveRef | None = None
    """Where leave may have been given for what a rule forbids."""


class WriteGrants(Message):
    """Grants for the first of the objects asked for, in the same order: as many as one payload takes, at least one."""

    grants: Packed[WriteGrant]


class PartSum(Message):
    """One part of an object and what its bytes came to."""

    index: int
    """From 0; `contracts.parts` says which bytes it is."""
    size_bytes: int
    crc32c: str
    """Base64, big-endian."""
    sha256: str
    """Hex."""


class PartGrant(Message):
    """Leave to write exactly one part, of this length and checksum, of an upload for a short while."""

    part: PartSum
    url: str = Field(repr=False)
    method: str = "PUT"
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    """To be sent exactly; they carry length and checksum."""
    expires_at: datetime


class PartGrants(Message):
    """Grants for parts that the destination does not hold: as many as one payload takes, at least one if any is needed."""

    grants: Packed[PartGrant]
    held: tuple[int, ...]
    """Indices of the parts asked for that the destination holds already."""
