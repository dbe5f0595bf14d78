"""What transfers promise, with real processes killed and real bytes counted on the wire."""

import os
from pathlib import Path

import pytest

from contracts.parts import PART_BYTES
from contracts.units import MIB
from tests.e2e.copies import begin, ended, ground
from tests.e2e.interrupted import OVERHEAD, killed, paused
from tests.house import Sandbox
from tests.objects import sha256_of


@pytest.fixture(autouse=True)
def everything_up(house: Sandbox) -> None:
    house.all_up()


@pytest.mark.parametrize("cloud", ["aws", pytest.param("azure", marks=pytest.mark.durability)])
def test_a_copy_whose_worker_is_killed_three_times_sends_again_only_what_was_in_flight(
    house: Sandbox, tmp_path: Path, cloud: str
) -> None:
    killed(house, tmp_path, cloud, 128 * MIB, 3)


def test_a_paused_copy_goes_on_by_another_worker_and_sends_no_part_twice(
    house: Sandbox, tmp_path: Path
) -> None:
    paused(house, tmp_path, 288 * MIB)


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


@pytest.mark.parametrize("cloud", ["aws", pytest.param("gcp", marks=pytest.mark.durability)])
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
