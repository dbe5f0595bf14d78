"""What the CPU of a copy goes into: the engine itself, in a process of its own, from and to a store that costs nothing.

`python -m bench.steps SIZE`, with a worker's settings, copies `s3://source/SIZE` and prints the seconds of each step.
"""

import json
import sys
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from activities.aws import room
from activities.aws.errors import translate
from activities.aws.settings import AwsSettings
from activities.copying import Copier
from activities.grant_client import GrantClient, Reading
from activities.pace import Throttle
from activities.progress import Meter
from activities.sources import Brought, Source
from activities.store import ObjectWriter, Part, Store, WriteTarget
from bench.ground import Ground
from bench.numbers import Numbers
from contracts.artifacts import ObjectStat
from contracts.copies import CopyItem, CopyRequest, Pace
from contracts.grants import ReadGrant

STREAMS = 4
GIB = 2**30
STEPS = ("read", "checksums", "write", "the rest")


@dataclass
class Clock:
    """CPU seconds of each step, over all threads."""

    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Count this thread's CPU in a block."""
        began = time.thread_time()
        try:
            yield
        finally:
            with self.lock:
                self.seconds[name] += time.thread_time() - began


class TimedClient(GrantClient):
    """Counts what reading takes."""

    clock: Clock

    @contextmanager
    def reading(self, grant: ReadGrant, start: int = 0, size_bytes: int | None = None) -> Iterator[Reading]:
        """See `GrantClient`."""
        opened = super().reading(grant, start, size_bytes)
        with self.clock.step("read"):
            reading = opened.__enter__()
        try:
            yield replace(reading, pieces=self._timed(reading.pieces))
        finally:
            opened.__exit__(None, None, None)

    def _timed(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        while True:
            with self.clock.step("read"):
                piece = next(pieces, None)
            if piece is None:
                return
            yield piece


class TimedSource:
    """Counts what bringing a part into memory takes: reading it and its checksums."""

    def __init__(self, inner: Source, clock: Clock) -> None:
        self._inner, self._clock = inner, clock

    def bring(self, index: int) -> Brought:
        """See `Source`."""
        with self._clock.step("bring"):
            return self._inner.bring(index)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class TimedWriter:
    """Counts what writing takes."""

    def __init__(self, inner: ObjectWriter, clock: Clock) -> None:
        self._inner, self._clock = inner, clock

    def put(self, part: Part, content: bytes) -> None:
        """See `ObjectWriter`."""
        with self._clock.step("write"):
            self._inner.put(part, content)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class TimedStore:
    """A store whose writers are counted."""

    def __init__(self, inner: Store, clock: Clock) -> None:
        self._inner, self._clock = inner, clock

    def writer(self, target: WriteTarget) -> Any:
        """See `Store`."""
        return TimedWriter(self._inner.writer(target), self._clock)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class TimedCopier(Copier):
    """The engine, its sources counted."""

    clock: Clock

    def source(self, stat: ObjectStat, grant: ReadGrant | None, throttle: Throttle) -> Any:
        """See `Copier`."""
        return TimedSource(super().source(stat, grant, throttle), self.clock)


def measure(ground: Ground, numbers: Numbers, settings: dict[str, str], size: int, rounds: int) -> None:
    """Keep the seconds and the share of each step."""
    for _ in range(rounds):
        told = json.loads(ground.output("-m", "bench.steps", str(size), settings=settings))
        whole = sum(told.values())
        for step in STEPS:
            numbers.add(f"CPU of the engine, {step}", told[step] * GIB / size, "s/GiB")
            numbers.add(f"CPU of the engine, share of {step}", 100 * told[step] / whole, "%")


def main(size: int) -> None:
    """Copy once and tell what it took."""
    settings, clock = AwsSettings.from_environment(), Clock()
    store = room.store(settings)
    client = TimedClient(settings.host_rules())
    client.clock = clock
    copier = TimedCopier(TimedStore(store, clock), client, translate)
    copier.clock = clock
    source = store.stat(f"s3://source/{size}")
    if source is None:
        raise SystemExit(f"there is no object of {size} bytes to read")
    grant = store.sign_read(source, timedelta(minutes=15))
    item = CopyItem(source=source, target=f"s3://sink/steps/{uuid.uuid4().hex}", grant=grant)
    began = time.process_time()
    copier.copy(CopyRequest(items=(item,), pace=Pace(streams=STREAMS)), Meter(1, size))
    whole, spent = time.process_time() - began, clock.seconds
    read, write = spent["read"], spent["write"]
    checksums = spent["bring"] - read
    told = dict(zip(STEPS, (read, checksums, write, whole - read - checksums - write), strict=True))
    print(json.dumps(told))  # noqa: T201 - what the process is for


if __name__ == "__main__":
    main(int(sys.argv[1]))
