import os
import time
from pathlib import Path

import pytest

from tests.e2e.runs import Run
from tests.house import Sandbox, kill, until
from tests.pipelines import sleeper, write

SERVERS = {"aws": "sagemaker", "azure": "azure", "gcp": "vertex"}


@pytest.fixture(autouse=True)
def everything_up(house: Sandbox) -> None:
    house.all_up()


@pytest.mark.parametrize("victim", ["onprem", pytest.param("aws", marks=pytest.mark.durability)])
def test_a_worker_killed_while_it_copies_ends_in_a_whole_object(
    house: Sandbox, tmp_path: Path, victim: str
) -> None:
    source = house.root / "onprem" / "large"
    source.mkdir(exist_ok=True)
    (source / "block.bin").write_bytes(os.urandom(64 * 1024 * 1024))
    # Slow enough to die in.
    stage = {"kind": "copy", "on": "aws", "source": "file:///large/block.bin", "limit_rate": "16MiB/s"}
    run = Run.start(house, write(tmp_path, {"pipeline": "large-copy", "stages": {"bring": stage}}))
    until(lambda: "copying" in run.line("bring"), "copying")
    time.sleep(0.3)
    kill(house.worker(victim))
    document = run.until("SUCCEEDED")
    assert document["stages"][0]["outputs"]["data"]["size_bytes"] == 64 * 1024 * 1024
    assert document["transfers"][0]["verified"] == "end_to_end"


def test_a_killed_workflow_worker_changes_nothing(house: Sandbox, tmp_path: Path) -> None:
    run = Run.start(house, _renamed(sleeper(tmp_path, "onprem", 4), "steady"))
    run.until_job("steady", "running")
    kill(house.worker("workflows"))
    run.reach("SUCCEEDED")
    assert len(house.jobs("onprem", "steady")) == 1


def test_a_killed_temporal_server_comes_back_on_its_state_and_the_run_succeeds(
    house: Sandbox, tmp_path: Path
) -> None:
    run = Run.start(house, _renamed(sleeper(tmp_path, "onprem", 4), "durable"))
    run.until_job("durable", "running")
    kill(house.server("temporal"))
    house.sandbox("up", "--workers")
    run.reach("SUCCEEDED")
    assert len(house.jobs("onprem", "durable")) == 1


@pytest.mark.parametrize(
    "cloud",
    [pytest.param(cloud, marks=() if cloud == "aws" else pytest.mark.durability) for cloud in SERVERS],
)
def test_a_killed_cloud_server_comes_back_knowing_its_job_and_the_run_succeeds(
    house: Sandbox, tmp_path: Path, cloud: str
) -> None:
    stage = f"cloud_{cloud}"
    run = Run.start(house, _renamed(sleeper(tmp_path, cloud, 4), stage))
    run.until_job(stage, "running")
    kill(house.server(SERVERS[cloud]))
    house.sandbox("up")
    document = run.until("SUCCEEDED")
    assert len(house.jobs(cloud, stage)) == 1
    assert document["stages"][0]["attempts"] == 1


def _renamed(file: Path, stage: str) -> Path:
    file.write_text(file.read_text().replace('"nap"', f'"{stage}"'))
    return file
