"""Copies that cannot be: each ends in one clear error of the right kind, by the real commands and real workers."""

import json
from pathlib import Path
from typing import Any

import psutil
import pytest

from contracts.units import MIB
from tests.e2e.copies import SCHEMES, begin, ended, ground
from tests.e2e.interrupted import content_of
from tests.house import Answer, Sandbox
from tests.wire import Fault

WAIT_SECONDS = 4


@pytest.fixture(autouse=True)
def everything_up(house: Sandbox) -> None:
    house.all_up()


def error_of(answer: Answer) -> dict[str, Any]:
    assert answer.code == 1, answer.err
    assert "Traceback" not in answer.err
    error: dict[str, Any] = json.loads(answer.out)["error"]
    assert error["hint"]
    return error


@pytest.mark.parametrize(
    "target", ["s3://no-such-bucket-here/x", "az://no-such-here/x", "gs://no-such-here/x"]
)
def test_a_destination_that_is_not_there_is_named(house: Sandbox, tmp_path: Path, target: str) -> None:
    with ground(house, tmp_path) as held:
        source = held.lay("aws" if target.startswith("gs") else "gcp", b"some content")
    error = error_of(house.starter("copy", source, target, "--json"))
    assert error["kind"] == "SOURCE_MISSING"
    assert target.rpartition("/")[0] in error["message"]


@pytest.mark.parametrize("source", ["pushed", "pulled"])
def test_a_destination_that_may_not_be_written_is_access_denied(
    house: Sandbox, tmp_path: Path, source: str
) -> None:
    with ground(house, tmp_path) as held:
        laid = held.lay("onprem" if source == "pushed" else "gcp", b"some content")
    error = error_of(house.starter("copy", laid, "s3://causeway-forbidden/x", "--json"))
    assert error["kind"] == "ACCESS_DENIED"
    assert "causeway-forbidden" in error["message"]


@pytest.mark.parametrize("source", [scheme + "nothing/there" for scheme in SCHEMES.values()])
def test_a_source_that_is_not_there_is_named(house: Sandbox, source: str) -> None:
    target = "s3://causeway/never" if not source.startswith("s3") else "gs://causeway/never"
    error = error_of(house.starter("copy", source, target, "--json"))
    assert error["kind"] == "SOURCE_MISSING"
    assert source in error["message"]


def test_a_worker_mints_no_read_outside_its_allow_list_whoever_asks(house: Sandbox, tmp_path: Path) -> None:
    with ground(house, tmp_path) as held:
        source = held.lay("gcp", b"not for everybody")
        minter = held.worker("gcp", {"CAUSEWAY_GRANT_ALLOW": "gs://causeway/laid-not/"})
        ends = ("--from", f"gcp/{minter.connection}", "--json")
        error = error_of(house.starter("copy", source, f"s3://causeway/stolen/{minter.connection}", *ends))
    assert error["kind"] == "ACCESS_DENIED"
    assert source in error["message"]


def test_a_disk_that_is_full_is_told_before_anything_is_sent_and_the_copy_goes_on_once_it_is_not(
    house: Sandbox, tmp_path: Path
) -> None:
    content = content_of(48 * MIB)
    with ground(house, tmp_path) as held:
        source = held.lay("gcp", content)
        worker = held.worker("onprem", {})
        assert worker.process is not None
        process, target = psutil.Process(worker.process.pid), f"file:///full/{worker.connection}"
        # A file that may not grow: to whoever writes one, a disk without room.
        process.rlimit(psutil.RLIMIT_FSIZE, (20 * MIB, psutil.RLIM_INFINITY))
        ends = ("--to", f"onprem/{worker.connection}")
        error = error_of(house.starter("copy", source, target, *ends, "--json"))
        assert error["kind"] == "DISK_FULL"
        assert not (house.root / "onprem/full").exists()
        process.rlimit(psutil.RLIMIT_FSIZE, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))
        assert house.starter("copy", source, target, *ends, "--json", check=True).code == 0
        assert (house.root / "onprem/full" / worker.connection).read_bytes() == content


@pytest.mark.parametrize(
    ("cloud", "status"),
    [
        ("aws", "503"),
        ("gcp", "429"),
        pytest.param("aws", "429", marks=pytest.mark.durability),
        pytest.param("azure", "503", marks=pytest.mark.durability),
    ],
)
def test_a_store_that_asks_for_patience_is_left_alone_for_as_long(
    house: Sandbox, tmp_path: Path, cloud: str, status: Any
) -> None:
    with ground(house, tmp_path) as held:
        worker, wire = held.wired(cloud)
        source = held.lay("aws" if cloud == "gcp" else "gcp", content_of(16 * MIB))
        wire.retry_after = WAIT_SECONDS
        # First the copy asks where its bucket lies, which it does without if it is refused; Google's SDK looks at the
        # bucket besides, in a thread of its own, and may be the one that is.
        wire.expect(Fault("down", status, number) for number in range(4 if cloud == "gcp" else 2))
        copy = begin(
            house,
            source,
            f"{SCHEMES[cloud]}patient/{worker.connection}",
            "--to",
            f"{cloud}/{worker.connection}",
        )
        document = ended(house, copy)
        assert document["state"] == "SUCCEEDED", document["error"]
        refused = next(line for line in wire.refused if worker.connection in line)
        first, second = wire.times[refused][:2]
        assert second - first >= WAIT_SECONDS
