"""Transfers beside rclone and beside the bare bytes: throughput, CPU, memory and small objects, on real servers."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio.client import Client

from bench.ground import Ground
from bench.memory import Watched
from bench.numbers import Numbers
from bench.raw import RawStores
from bench.rclone import Rclone, Spent
from contracts.jobs import RunRef
from contracts.limits import Limits
from contracts.plan import TransferMethod
from contracts.queues import WORKFLOW_QUEUE
from contracts.runs import TransferResult
from contracts.transfers import TransferRequest
from workflows.transfer import TransferWorkflow

MB, MIB, GIB = 1e6, 2**20, 2**30
STREAMS = 4
FREE_SIZES = (256 * MIB, GIB, 4 * GIB)
LARGE_BYTES = GIB
MANY, MANY_BYTES = 64, 16 * MIB
SMALL, SMALL_BYTES = 10_000, 10 * 1024
ONE, SOME, TINY = "1 GiB", "64 x 16 MiB", "10 000 x 10 KiB"


@dataclass(frozen=True)
class Leg:
    """A way from one store to another."""

    name: str
    source: str
    destination: str
    method: TransferMethod
    source_uri: str
    """Prefix of our URIs at the source."""
    target_uri: str
    theirs: tuple[str, str]
    """Prefixes of rclone's at both ends."""


S3, SECOND, BLOB, GCS = "s3://causeway/", "s3://second/", "az://causeway/", "gs://causeway/"
THEIRS = {
    S3: "S3:causeway/",
    SECOND: "SECOND:second/",
    BLOB: "AZ:causeway/",
    GCS: "GS:causeway/",
    "file:///": "HERE:",
    "s3://source/": "FREE:source/",
    "s3://sink/": "SINK:sink/",
}


def leg(name: str, whence: str, source: str, where: str, destination: str) -> Leg:
    """A way between two stores, below `bench/` of the first."""
    method: TransferMethod = "push" if whence == "file:///" else "pull"
    below = "" if whence == "s3://source/" else "bench/"
    theirs = (THEIRS[whence] + below, THEIRS[where])
    return Leg(name, source, destination, method, whence + below, where, theirs)


LEGS = (
    leg("S3 to S3", S3, "aws/default", SECOND, "aws/second"),
    leg("S3 to Blob", S3, "aws/default", BLOB, "azure/default"),
    leg("Blob to GCS", BLOB, "azure/default", GCS, "gcp/default"),
    leg("file to S3", "file:///", "onprem/default", S3, "aws/default"),
)
FREE = leg("free to free", "s3://source/", "aws/source", "s3://sink/", "aws/sink")


class Transfers:
    """Runs each of our copies beside the peer's and the bare one, round by round."""

    def __init__(self, client: Client, ground: Ground, numbers: Numbers) -> None:
        """Measure on this ground."""
        self._client = client
        self._ground = ground
        self._numbers = numbers
        self._rclone = Rclone(ground)
        self._raw = RawStores(ground)

    def prepare(self) -> None:
        """Have the second bucket."""
        self._raw.make_bucket("second")

    async def measure(self, rounds: int) -> None:
        """Every leg with one large object and with many of one part; a small one opens the connections first."""
        sources = dict.fromkeys(leg.source_uri for leg in LEGS)
        for source in sources:
            self._raw.seed(source, "warm", MANY_BYTES, 1)
            self._raw.seed(source, "large", LARGE_BYTES, 1)
            self._raw.seed(source, "many/", MANY_BYTES, MANY)
        for leg in LEGS:
            await self._round(leg, "", "warm", MANY_BYTES, kept=False)
        for _ in range(rounds):
            for leg in LEGS:
                await self._round(leg, ONE, "large", LARGE_BYTES)
                await self._round(leg, SOME, "many/", MANY * MANY_BYTES)
        for source in sources:
            self._raw.clear(source)

    async def measure_small(self, rounds: int) -> None:
        """Ten thousand small objects from S3 to S3."""
        leg = LEGS[0]
        self._raw.seed(leg.source_uri, "small/", SMALL_BYTES, SMALL)
        for _ in range(rounds):
            theirs = self._theirs(leg, "small/")
            self._raw.clear(leg.target_uri)
            _, seconds, events = await self._ours(leg, "small/")
            self._raw.clear(leg.target_uri)
            self._numbers.add(f"{TINY}, {leg.name}: rclone", SMALL / theirs.seconds, "objects/s")
            self._numbers.add(f"{TINY}, {leg.name}: Causeway", SMALL / seconds, "objects/s")
            self._numbers.add(f"{TINY}: history events", events, "events")
        self._ratio(f"{TINY}, {leg.name}")
        self._raw.clear(leg.source_uri)

    async def measure_alone(self, rounds: int) -> None:
        """CPU and memory against a store that costs nothing."""
        for size in FREE_SIZES:
            name, of = str(size), f"{size // MIB} MiB"
            for _ in range(rounds if size == GIB else 1):
                theirs = self._theirs(FREE, name)
                with Watched(self._ground.extra["aws/sink"]) as worker:
                    await self._ours(FREE, name)
                self._numbers.add(f"{of}, memory of the worker above rest", worker.risen_mib, "MiB")
                self._numbers.add(f"{of}, memory of rclone", theirs.peak_mib, "MiB")
                self._numbers.add(f"{of}, CPU of rclone", theirs.cpu_seconds * GIB / size, "s/GiB")
                self._numbers.add(f"{of}, CPU of the worker", worker.cpu_seconds * GIB / size, "s/GiB")
            self._numbers.ratio(
                f"{of}, CPU: worker / rclone", f"{of}, CPU of the worker", f"{of}, CPU of rclone"
            )

    async def _round(self, leg: Leg, what: str, name: str, size: int, *, kept: bool = True) -> None:
        numbers = self._numbers if kept else Numbers()
        timed: tuple[tuple[str, Callable[[], float]], ...] = (
            ("rclone", lambda: self._theirs(leg, name).seconds),
            ("bare", lambda: self._raw.copy(leg.source_uri + name, leg.target_uri + "bare/" + name, STREAMS)),
        )
        for who, run in timed:
            numbers.add(f"{what}, {leg.name}: {who}", size / MB / run(), "MB/s")
            self._raw.clear(leg.target_uri + ("bare/" if who == "bare" else "theirs/"))
        _, seconds, _ = await self._ours(leg, name)
        numbers.add(f"{what}, {leg.name}: Causeway", size / MB / seconds, "MB/s")
        self._raw.clear(leg.target_uri + "ours/")
        if kept:
            self._ratio(f"{what}, {leg.name}", latest=True)
            numbers.latest_ratio(
                f"{what}, {leg.name}: Causeway / bare",
                f"{what}, {leg.name}: Causeway",
                f"{what}, {leg.name}: bare",
            )

    def _ratio(self, of: str, *, latest: bool = False) -> None:
        ratio = self._numbers.latest_ratio if latest else self._numbers.ratio
        ratio(f"{of}: Causeway / rclone", f"{of}: Causeway", f"{of}: rclone")

    def _theirs(self, leg: Leg, name: str) -> Spent:
        source, target = leg.theirs
        if source.startswith("HERE:"):
            source = f"{self._ground.onprem}/{source.removeprefix('HERE:')}"
        return self._rclone.copy(
            source + name, f"{target}theirs/{name}", streams=STREAMS, folder=name.endswith("/")
        )

    async def _ours(self, leg: Leg, name: str) -> tuple[TransferResult, float, int]:
        key = uuid.uuid4().hex
        request = TransferRequest(
            run=RunRef(pipeline="copy", key=key, run_uid=key),
            key=key,
            artifact=name,
            source=leg.source,
            source_uri=leg.source_uri + name,
            kind="folder" if name.endswith("/") else "file",
            destination=leg.destination,
            target=f"{leg.target_uri}ours/{name}",
            method=leg.method,
            limits=Limits(streams=STREAMS),
            timeout=timedelta(minutes=30),
        )
        handle = await self._client.start_workflow(
            TransferWorkflow.run, request, id=f"copy/{key}", task_queue=WORKFLOW_QUEUE
        )
        result = await handle.result()
        told = await handle.describe()
        spent = (_known(told.close_time) - _known(told.start_time)).total_seconds()
        return result, spent, told.history_length


def _known(moment: datetime | None) -> datetime:
    if moment is None:
        raise RuntimeError("a transfer that has a result has both its times")
    return moment
