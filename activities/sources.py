"""Where a copy's bytes come from: another store through a grant, or a store of the worker's own."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from activities.gathering import gathered
from activities.grant_client import GrantClient
from activities.grant_errors import expired
from activities.noted import Noted
from activities.pace import Throttle
from activities.parallel import Stop
from activities.store import Part, Store
from contracts.artifacts import ObjectStat
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.grants import ReadGrant
from contracts.parts import part_bytes_of, part_size


@dataclass(frozen=True)
class Brought:
    """A part in memory, and what its source noted on the object."""

    part: Part
    content: bytes
    noted: Noted


class Source(Protocol):
    """One version of one object that can be read in any order, from several threads."""

    stat: ObjectStat

    def noted(self) -> Noted:
        """Return media type and metadata."""

    def bring(self, index: int) -> Brought:
        """Read one part; `SOURCE_CHANGED` when the object has fewer bytes."""

    def pieces(self, stop: Stop) -> Iterator[bytes]:
        """Stream all of it."""


@dataclass
class GrantedSource:
    """An object that a grant gives leave to read."""

    stat: ObjectStat
    grant: ReadGrant
    client: GrantClient
    throttle: Throttle

    def noted(self) -> Noted:
        """See `Source`."""
        self._check_alive()
        return self.client.noted(self.grant)

    def bring(self, index: int) -> Brought:
        """See `Source`."""
        self._check_alive()
        with self.client.reading(self.grant, *_extent(self.stat, index)) as reading:
            part, content = gathered(index, self.throttle.paced(reading.pieces))
            return Brought(part, content, reading.noted)

    def pieces(self, stop: Stop) -> Iterator[bytes]:
        """See `Source`."""
        self._check_alive()
        with self.client.reading(self.grant) as reading:
            for piece in self.throttle.paced(reading.pieces):
                stop.check()
                yield piece

    def _check_alive(self) -> None:
        # What is under way when a grant runs out goes on; nothing new is begun with it.
        now = datetime.now(UTC)
        if now >= self.grant.expires_at:
            raise expired(self.stat.uri, self.grant.expires_at, now)


@dataclass
class StoredSource:
    """An object of the worker's own store."""

    stat: ObjectStat
    store: Store
    throttle: Throttle = field(default_factory=lambda: Throttle(None))

    def noted(self) -> Noted:
        """See `Source`."""
        return Noted(self.stat.media_type, self.stat.metadata)

    def bring(self, index: int) -> Brought:
        """See `Source`."""
        start, size = _extent(self.stat, index)
        pieces = self.store.read(self.stat, start, size)
        part, content = gathered(index, self.throttle.paced(pieces))
        if part.size_bytes != size:
            told = f"{self.stat.uri} came to {part.size_bytes} bytes instead of {size} at {start}"
            raise failure(ErrorKind.SOURCE_CHANGED, told, ErrorDetail(ref=self.stat.uri))
        return Brought(part, content, self.noted())

    def pieces(self, stop: Stop) -> Iterator[bytes]:
        """See `Source`."""
        for piece in self.throttle.paced(self.store.read(self.stat)):
            stop.check()
            yield piece


def granted_source(
    stat: ObjectStat, grant: ReadGrant, client: GrantClient, throttle: Throttle
) -> GrantedSource:
    """Return the object that a grant gives leave to read.

    Raises:
        ApplicationError: `INVALID_REQUEST`, the grant is for another version.
    """
    if (grant.source.uri, grant.source.etag) != (stat.uri, stat.etag):
        told = f"the grant is for another version of {stat.uri} than the one to be copied"
        raise failure(ErrorKind.INVALID_REQUEST, told, ErrorDetail(ref=stat.uri))
    return GrantedSource(stat, grant, client, throttle)


def _extent(stat: ObjectStat, index: int) -> tuple[int, int]:
    """Where a part begins, and its size."""
    return index * part_bytes_of(stat.size_bytes), part_size(stat.size_bytes, index)
