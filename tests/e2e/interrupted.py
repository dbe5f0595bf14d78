"""Copies that are interrupted under way, held to what they promise; what it cost is returned."""

import hashlib
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.parts import PART_BYTES
from contracts.units import MIB
from tests.e2e.copies import SCHEMES, Ground, begin, ended, ground, status
from tests.house import Sandbox, until
from tests.objects import sha256_of

STREAMS = 4
IN_FLIGHT = STREAMS * PART_BYTES
OVERHEAD = 1.02
"""Headers and listings beside the bytes themselves."""
RATE = 32 * MIB
"""Of the wire, not of the copy: a copy that holds itself back does so while it reads, and sends its parts in bursts."""
PATIENCE_SECONDS = 2 * PART_BYTES * STREAMS / RATE + 45
"""Two part times, five seconds until nothing is in flight, and what a busy machine takes to ask for it and to see it."""


@dataclass(frozen=True)
class Killed:
    """What kills cost one copy."""

    cloud: str
    size_bytes: int
    kills: int
    bytes_over: int
    """What passed the wire beyond the object itself: parts sent again, headers, listings."""
    seconds: float


@dataclass(frozen=True)
class Paused:
    """What a pause took."""

    cloud: str
    size_bytes: int
    drain_seconds: float
    bytes_over: int


def content_of(size: int) -> bytes:
    """As many bytes, the same each time."""
    return random.Random(size).randbytes(PART_BYTES) * (size // PART_BYTES)


def killed(house: Sandbox, folder: Path, cloud: str, size: int, kills: int) -> Killed:
    """Kill the copying worker so often, and hold the copy to what it promises."""
    content = content_of(size)
    with ground(house, folder) as held:
        source_cloud = "aws" if cloud == "gcp" else "gcp"
        source = held.lay(source_cloud, content)
        victim, wire, ends = _behind_a_wire(held, cloud, source_cloud)
        wire.bytes_per_second = RATE
        target = f"{SCHEMES[cloud]}killed/{victim.connection}"
        way = "down" if cloud == "onprem" else "up"
        began = time.monotonic()
        copy = begin(house, source, target, *ends, "--streams", str(STREAMS))
        for number in range(kills):
            mark = size * (number + 0.5) / kills
            until(lambda mark=mark: getattr(wire, way) > mark, f"{mark:.0f} bytes on their way")
            victim.kill()
            victim.start()
        document = ended(house, copy)
        seconds = time.monotonic() - began
        assert document["state"] == "SUCCEEDED", document["error"]
        assert document["result"]["digest"] == sha256_of(content)
        passed = getattr(wire, way)
        assert passed <= OVERHEAD * (size + kills * IN_FLIGHT)
        _lies_there(held, cloud, target, content)
        return Killed(cloud, size, kills, passed - size, seconds)


def paused(house: Sandbox, folder: Path, size: int) -> Paused:
    """Pause a copy in the middle, kill its worker, and have another go on."""
    content = content_of(size)
    with ground(house, folder) as held:
        source = held.lay("gcp", content)
        worker, wire = held.wired("aws")
        target = f"s3://causeway/paused/{worker.connection}"
        wire.bytes_per_second = RATE
        ends = ("--to", f"aws/{worker.connection}", "--streams", str(STREAMS))
        copy = begin(house, source, target, *ends)
        until(lambda: wire.up > size * 0.4, "bytes on their way")
        house.starter("pause", copy, check=True)
        asked = time.monotonic()
        until(lambda: status(house, copy)["state"] == "PAUSED", "drained")
        drained = time.monotonic() - asked
        assert drained <= PATIENCE_SECONDS
        before = wire.up
        assert before < size, "it was over before it was paused"
        worker.kill()
        worker.start()
        assert wire.up < before + PART_BYTES / 8, "bytes went on while it was paused"
        house.starter("resume", copy, check=True)
        document = ended(house, copy)
        assert document["state"] == "SUCCEEDED", document["error"]
        assert document["result"]["digest"] == sha256_of(content)
        assert document["bytes_sent"] == len(content)
        assert wire.up <= OVERHEAD * len(content)
        return Paused("aws", size, drained, wire.up - size)


def _behind_a_wire(held: Ground, cloud: str, source_cloud: str) -> tuple[Any, Any, list[str]]:
    """The worker to kill, the wire that its bytes pass, and the ends of the copy."""
    if cloud != "onprem":
        victim, wire = held.wired(cloud)
        return victim, wire, ["--to", f"{cloud}/{victim.connection}", "--stream"]
    # Files are written without a wire: what is read for them again is counted instead.
    reader, wire = held.wired(source_cloud)
    hosts = held.house.environment("onprem")["CAUSEWAY_STORE_HOSTS"] + f",127.0.0.1:{wire.port}"
    victim = held.worker("onprem", {"CAUSEWAY_STORE_HOSTS": hosts})
    ends = ["--from", f"{source_cloud}/{reader.connection}", "--to", f"onprem/{victim.connection}"]
    return victim, wire, [*ends, "--stream"]


def _lies_there(held: Ground, cloud: str, target: str, content: bytes) -> None:
    house, back = held.house, f"file:///back/{target.rpartition('/')[2]}"
    if cloud != "onprem":
        house.starter("copy", target, back, check=True)
    path = house.root / "onprem" / (back if cloud != "onprem" else target).removeprefix("file:///")
    assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(content).digest()
    path.unlink()
