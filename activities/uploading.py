"""One object's parts on their way into a store: what it holds is kept, the rest is read, hashed and put."""

import threading
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager

from activities.checksums import combined, from_base64, to_base64
from activities.progress import Meter
from activities.sources import Source
from activities.store import ObjectWriter, Part, Sealed, same_part
from contracts.grants import PartSum
from contracts.parts import digest_of, part_size
from contracts.units import MIB

WINDOW_BYTES = 256 * MIB
"""Parts that one worker holds in memory at most, over all of its activities."""


class Window:
    """Bounds what all copies of a worker have in flight together; a part larger than it goes alone."""

    def __init__(self, size_bytes: int = WINDOW_BYTES) -> None:
        self._free = self._whole = size_bytes
        self._changed = threading.Condition()

    def room(self, size_bytes: int) -> AbstractContextManager[None]:
        """Wait for room for so many bytes, and give it back afterwards."""
        return _Room(self, min(size_bytes, self._whole))

    def take(self, size_bytes: int) -> None:
        """Wait for room."""
        with self._changed:
            self._changed.wait_for(lambda: self._free >= size_bytes)
            self._free -= size_bytes

    def give(self, size_bytes: int) -> None:
        """Give room back."""
        with self._changed:
            self._free += size_bytes
            self._changed.notify_all()


class _Room(AbstractContextManager[None]):
    def __init__(self, window: Window, size_bytes: int) -> None:
        self._window, self._size_bytes = window, size_bytes

    def __enter__(self) -> None:
        self._window.take(self._size_bytes)

    def __exit__(self, *error: object) -> None:
        self._window.give(self._size_bytes)


class Upload:
    """An upload that is open; its parts may be brought from several threads."""

    def __init__(
        self,
        source: Source,
        writer: ObjectWriter,
        meter: Meter,
        window: Window,
        known: Iterable[PartSum] = (),
    ) -> None:
        """Take up what the destination holds; `known` spares reading again what it keeps no digest of."""
        self._source = source
        self.writer = writer
        self._meter = meter
        self._window = window
        self._held: Mapping[int, Part | None] = writer.held()
        self._known = {told.index: from_sum(told) for told in known}
        self.sent: dict[int, int] = {}
        """Bytes of each part that was not there before."""
        self.read: set[int] = set()
        """Parts that were read, and sent unless only their digests were missing."""

    def bring(self, index: int, unit: int) -> Part:
        """Have the destination hold one part, and return what it is; `unit` is what the meter knows it by."""
        size = part_size(self._source.stat.size_bytes, index)
        held = self._held.get(index)
        known = self._known.get(index)
        if known and same_part(held, known):
            held = known
        if held and held.sha256 and held.size_bytes == size:
            self._meter.add(size_bytes=size)
            return held
        with self._window.room(size):
            return self._send(index, size, held, unit)

    def _send(self, index: int, size: int, held: Part | None, unit: int) -> Part:
        with self._meter.sending(unit, size):
            brought = self._source.bring(index)
            if not same_part(held, brought.part):
                self.writer.put(brought.part, brought.content)
                self.sent[index] = size
            # Only now: what was read and did not land is no progress, and would be read again without end.
            self.read.add(index)
        self._meter.add(size_bytes=size)
        return brought.part


def sealed(parts: Iterable[Part]) -> Sealed:
    """Return what the parts come to together.

    Raises:
        ValueError: the digest of one is not known.
    """
    ordered = sorted(parts, key=lambda part: part.index)
    whole = combined((part.crc32c, part.size_bytes) for part in ordered)
    return Sealed(whole, digest_of(_digest(part) for part in ordered), ordered)


def _digest(part: Part) -> bytes:
    if part.sha256 is None:
        raise ValueError(f"the digest of part {part.index} is not known")
    return part.sha256


def as_sum(part: Part) -> PartSum:
    """Write a part as it travels."""
    return PartSum(
        index=part.index,
        size_bytes=part.size_bytes,
        crc32c=to_base64(part.crc32c),
        sha256=_digest(part).hex(),
    )


def from_sum(told: PartSum) -> Part:
    """Read what `as_sum` wrote.

    Raises:
        ValueError: a checksum is malformed.
    """
    return Part(told.index, told.size_bytes, from_base64(told.crc32c), bytes.fromhex(told.sha256))
