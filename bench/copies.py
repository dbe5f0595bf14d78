"""Copies around the four clouds: one large object and many small ones, beside the same bytes through bare SDKs."""

import itertools
import os
import time

from temporalio.client import Client

from bench.ground import Ground
from bench.memory import Watch
from bench.numbers import Numbers
from bench.raw import RawStores
from bench.runs import Stages, run
from contracts.runs import TransferResult

MB = 1e6
LARGE_BYTES = 64 * 2**20
SMALL_BYTES = 10 * 1024
SMALL_COUNT = 500
ROUTE = ("onprem", "aws", "azure", "gcp", "onprem")
LEGS = tuple(itertools.pairwise(ROUTE))
LARGE, SMALL = "64 MiB", "500 x 10 KiB"


async def measure(client: Client, ground: Ground, numbers: Numbers, rounds: int) -> None:
    """Send both kinds around once a round, by hand and as `copy` stages; the first round is not kept."""
    large, small = _seed(ground)
    stores = RawStores(ground)
    for number in range(-1, rounds):
        kept = numbers if number >= 0 else Numbers()
        for source, destination in LEGS:
            _raw(stores, kept, source, destination, LARGE, large)
            _raw(stores, kept, source, destination, SMALL, small)
        with Watch(ground, kept):
            status, _ = await run(client, _around(f"file:///{large[0]}"))
        _legs(kept, LARGE, status.transfers)
        status, _ = await run(client, _around("file:///bench/small/"))
        _legs(kept, SMALL, status.transfers)
    for source, destination in LEGS:
        for what in (LARGE, SMALL):
            leg = _leg(what, source, destination)
            numbers.ratio(f"{leg}: copy stage / bare SDK", f"{leg}: copy stage", f"{leg}: bare SDK")


def _seed(ground: Ground) -> tuple[list[str], list[str]]:
    folder = ground.onprem / "bench" / "small"
    folder.mkdir(parents=True)
    large, small = ["bench/large.bin"], [f"bench/small/{number:03}.bin" for number in range(SMALL_COUNT)]
    (ground.onprem / large[0]).write_bytes(os.urandom(LARGE_BYTES))
    for name in small:
        (ground.onprem / name).write_bytes(os.urandom(SMALL_BYTES))
    return large, small


def _raw(
    stores: RawStores, numbers: Numbers, source: str, destination: str, what: str, names: list[str]
) -> None:
    began = time.perf_counter()
    stores.copy(source, destination, names)
    _keep(
        numbers, f"{_leg(what, source, destination)}: bare SDK", what, len(names), time.perf_counter() - began
    )


def _around(source: str) -> Stages:
    stages: Stages = {"leg0": {"kind": "copy", "on": ROUTE[1], "source": source}}
    for number, cloud in enumerate(ROUTE[2:], 1):
        stages[f"leg{number}"] = {"kind": "copy", "on": cloud, "inputs": {"data": f"leg{number - 1}"}}
    return stages


def _legs(numbers: Numbers, what: str, transfers: tuple[TransferResult, ...]) -> None:
    for (source, destination), moved in zip(
        LEGS, sorted(transfers, key=lambda item: item.artifact), strict=True
    ):
        name = f"{_leg(what, source, destination)}: copy stage"
        _keep(numbers, name, what, moved.objects, moved.seconds)


def _keep(numbers: Numbers, name: str, what: str, objects: int, seconds: float) -> None:
    if what == LARGE:
        numbers.add(name, LARGE_BYTES / MB / seconds, "MB/s")
    else:
        numbers.add(name, objects / seconds, "objects/s")


def _leg(what: str, source: str, destination: str) -> str:
    return f"{what}, {source} to {destination}"
