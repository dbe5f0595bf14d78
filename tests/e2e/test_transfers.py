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
    house.sandbox("up", "--workers")


@pytest.mark.timeout(280)
@pytest.mark.parametrize("cloud", ["aws", "azure", "gcp", "onprem"])
def test_a_copy_whose_worker_is_killed_three_times_sends_again_only_what_was_in_flight(
    house: Sandbox, tmp_path: Path, cloud: str
) -> None:
    killed(house, tmp_path, cloud, 128 * MIB, 3)


@pytest.mark.timeout(280)
def test_a_paused_copy_goes_on_by_another_worker_and_sends_no_part_twice(
    house: Sandbox, tmp_path: Path
) -> None:
    paused(house, tmp_path, 288 * MIB)


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
