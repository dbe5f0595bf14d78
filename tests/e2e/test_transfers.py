"""What transfers promise, with real processes killed and real bytes counted on the wire."""

import hashlib
import os
import random
from pathlib import Path

import pytest

from contracts.parts import PART_BYTES
from tests.e2e.copies import SCHEMES, begin, ended, ground, status
from tests.house import Sandbox, until
from tests.objects import sha256_of

STREAMS = 4
IN_FLIGHT = STREAMS * PART_BYTES
OVERHEAD = 1.02
"""Headers, listings and TLS records beside the bytes themselves."""
SAMPLE = 128 * 1024 * 1024


@pytest.fixture(autouse=True)
def everything_up(house: Sandbox) -> None:
    house.sandbox("up", "--workers")


def killed(house: Sandbox, folder: Path, cloud: str, size: int, kills: int) -> None:
    """Kill the copying worker so often, and hold the copy to what it promises."""
    content = random.Random(size).randbytes(PART_BYTES) * (size // PART_BYTES)
    with ground(house, folder) as held:
        source_cloud = "aws" if cloud == "gcp" else "gcp"
        source = held.lay(source_cloud, content)
        if cloud == "onprem":
            # Files are written without a wire: what is read for them again is counted instead.
            reader, wire = held.wired(source_cloud)
            hosts = held.house.environment("onprem")["CAUSEWAY_STORE_HOSTS"] + f",127.0.0.1:{wire.port}"
            victim = held.worker("onprem", {"CAUSEWAY_STORE_HOSTS": hosts})
            ends = ["--from", f"{source_cloud}/{reader.connection}"]
        else:
            victim, wire = held.wired(cloud)
            ends = []
        target = f"{SCHEMES[cloud]}killed/{victim.connection}"
        ends += ["--to", f"{cloud}/{victim.connection}", "--stream"]
        way = "down" if cloud == "onprem" else "up"
        copy = begin(house, source, target, *ends, "--streams", str(STREAMS), "--limit-rate", "32MiB/s")
        for number in range(kills):
            mark = size * (number + 0.5) / kills
            until(lambda mark=mark: getattr(wire, way) > mark, f"{mark:.0f} bytes on their way", 120)
            victim.kill()
            victim.start()
        document = ended(house, copy)
        assert document["state"] == "SUCCEEDED", document["error"]
        assert document["result"]["digest"] == sha256_of(content)
        assert getattr(wire, way) <= OVERHEAD * (size + kills * IN_FLIGHT)
        back = f"file:///back/{victim.connection}"
        if cloud != "onprem":
            house.starter("copy", target, back, check=True)
        path = house.root / "onprem" / (back if cloud != "onprem" else target).removeprefix("file:///")
        assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(content).digest()


@pytest.mark.timeout(280)
def test_a_copy_whose_worker_is_killed_three_times_sends_again_only_what_was_in_flight(
    house: Sandbox, tmp_path: Path
) -> None:
    killed(house, tmp_path, "aws", SAMPLE, 3)


@pytest.mark.timeout(280)
def test_a_paused_copy_goes_on_by_another_worker_and_sends_no_part_twice(
    house: Sandbox, tmp_path: Path
) -> None:
    content = os.urandom(PART_BYTES) * 18
    with ground(house, tmp_path) as held:
        source = held.lay("gcp", content)
        worker, wire = held.wired("aws")
        target = f"s3://causeway/paused/{worker.connection}"
        pace = ("--limit-rate", "32MiB/s", "--streams", "2")
        copy = begin(house, source, target, "--to", f"aws/{worker.connection}", *pace)
        until(lambda: wire.up > 3 * PART_BYTES, "bytes on their way", 60)
        house.starter("pause", copy, check=True)
        until(lambda: status(house, copy)["state"] == "PAUSED", "drained", 60)
        before = wire.up
        worker.kill()
        worker.start()
        assert wire.up < before + PART_BYTES / 8, "bytes went on while it was paused"
        house.starter("resume", copy, check=True)
        document = ended(house, copy)
        assert document["state"] == "SUCCEEDED", document["error"]
        assert document["result"]["digest"] == sha256_of(content)
        assert document["bytes_sent"] == len(content)
        assert wire.up <= OVERHEAD * len(content)


@pytest.mark.timeout(280)
def test_grants_of_five_seconds_are_minted_anew_and_no_part_is_sent_twice(
    house: Sandbox, tmp_path: Path
) -> None:
    content = os.urandom(PART_BYTES) * 10
    with ground(house, tmp_path) as held:
        source = held.lay("gcp", content)
        minter = held.worker("gcp", {"CAUSEWAY_GRANT_LIFE": "5s"})
        worker, wire = held.wired("aws")
        ends = ["--from", f"gcp/{minter.connection}", "--to", f"aws/{worker.connection}"]
        target = f"s3://causeway/minted/{worker.connection}"
        copy = begin(house, source, target, *ends, "--limit-rate", "8MiB/s", "--streams", "2")
        document = ended(house, copy)
        assert document["state"] == "SUCCEEDED", document["error"]
        assert document["seconds"] > 10
        assert document["result"]["digest"] == sha256_of(content)
        assert wire.up <= OVERHEAD * len(content)


@pytest.mark.timeout(280)
@pytest.mark.parametrize("cloud", ["aws", "gcp"])
def test_azure_reads_an_object_of_another_cloud_by_itself(house: Sandbox, tmp_path: Path, cloud: str) -> None:
    content = os.urandom(PART_BYTES - 1)
    with ground(house, tmp_path) as held:
        source = held.lay(cloud, content)
        worker, wire = held.wired("azure")
        target = f"az://causeway/fetched/{worker.connection}"
        copy = begin(house, source, target, "--to", f"azure/{worker.connection}")
        document = ended(house, copy)
        assert document["state"] == "SUCCEEDED", document["error"]
        assert document["result"]["digest"] == sha256_of(content)
        assert wire.up + wire.down < OVERHEAD * len(content) - len(content)
        assert (201, len(content)) in [
            (entry["status"], entry["bytes"]) for entry in house.requests("blob-front")
        ]
        back = f"back/{worker.connection}"
        house.starter("copy", target, f"file:///{back}", check=True)
        assert (house.root / "onprem" / back).read_bytes() == content


@pytest.mark.timeout(280)
def test_a_store_that_nobody_reaches_from_outside_is_pushed_from(house: Sandbox, tmp_path: Path) -> None:
    content = os.urandom(PART_BYTES) * 2
    with ground(house, tmp_path) as held:
        source = held.lay("aws", content)
        private = held.worker("aws", {"CAUSEWAY_PRIVATE_STORE": "true"})
        target = f"gs://causeway/pushed/{private.connection}"
        ends = ("--from", f"aws/{private.connection}")
        refused = ended(house, begin(house, source, target, *ends))
        assert (refused["state"], refused["error"]["kind"]) == ("FAILED", "UNSUPPORTED")
        assert "--push" in refused["error"]["message"]
        document = ended(house, begin(house, source, target, *ends, "--push"))
        assert document["state"] == "SUCCEEDED", document["error"]
        assert document["result"]["digest"] == sha256_of(content)
