"""What runs leave on the local clouds, seen and ended from the command line."""

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.runs import Run
from tests.e2e.test_control import temporal
from tests.house import Sandbox, until
from tests.pipelines import CLOUDS, SLEEPER, write


@pytest.fixture(autouse=True)
def everything_up(house: Sandbox) -> None:
    house.all_up()


def naps(folder: Path, *clouds: str) -> Path:
    """A pipeline with a long job on each cloud."""
    nap = {"kind": "train", "code": "src", "command": "python sleep.py --seconds 300 --out {outputs.o}"}
    stages = {f"on_{cloud}": {**nap, "on": cloud, "outputs": ["o"], "timeout": "15m"} for cloud in clouds}
    return write(folder, {"pipeline": "naps", "stages": stages}, {"src/sleep.py": SLEEPER})


def left(house: Sandbox, *arguments: str) -> tuple[int, dict[str, Any]]:
    """What a sweep finds, however young."""
    answer = house.starter("sweep", "--older-than", "1s", "--json", *arguments)
    return answer.code, answer.document


def jobs(document: dict[str, Any], run: Run) -> dict[str, str]:
    """The state of each orphaned job of a run, by its connection."""
    return {
        orphan["connection"].split("/")[0]: orphan["state"]
        for orphan in document["orphans"]
        if orphan["run"] == run.id and orphan["item"]["kind"] == "job"
    }


def test_jobs_of_a_run_that_nobody_tends_are_found_and_stopped_and_a_live_run_s_never(
    house: Sandbox, tmp_path: Path
) -> None:
    orphaned = Run.start(house, naps(tmp_path / "a", *CLOUDS))
    living = Run.start(house, naps(tmp_path / "b", "onprem"))
    for cloud in CLOUDS:
        orphaned.until_job(f"on_{cloud}", "running")
    living.until_job("on_onprem", "running")
    assert left(house, "--run", orphaned.id)[1]["orphans"] == []
    temporal(house, "terminate", "--workflow-id", orphaned.id)
    code, document = left(house)
    assert code == 1
    assert jobs(document, orphaned) == dict.fromkeys(CLOUDS, "found")
    assert jobs(document, living) == {}
    shown = house.starter("sweep", "--older-than", "1s", "--run", orphaned.id)
    assert shown.code == 1
    assert orphaned.id in shown.out
    code, document = left(house, "--run", orphaned.id, "--stop")
    assert jobs(document, orphaned) == dict.fromkeys(CLOUDS, "stopped")
    assert code == 0
    code, document = left(house, "--run", orphaned.id)
    assert (code, document["orphans"]) == (0, [])
    assert living.stage("on_onprem")["state"] == "RUNNING"
    sleepers = [command for command in house.commands() if "sleep.py" in command]
    assert sleepers, "the living run's script goes on"
    house.starter("cancel", living.id, check=True)
    living.reach("CANCELLED")
    until(lambda: not [line for line in house.commands() if "sleep.py" in line], "no script is left")
    assert left(house, "--run", living.id)[1]["orphans"] == []


def test_temporal_sweeps_by_a_schedule_until_it_is_told_not_to(house: Sandbox) -> None:
    assert house.starter("sweep", "--every", "10s").code == 2
    house.starter("sweep", "--every", "6h", "--stop", check=True)
    house.starter("sweep", "--every", "1m", "--on", "aws", check=True)
    temporal(house, "trigger", "--schedule-id", "causeway-sweep", of="schedule")
    until(lambda: "sweep:scheduled" in temporal(house, "list"), "the schedule has swept")
    house.starter("sweep", "--no-schedule", check=True)
    assert "no schedule" in house.starter("sweep", "--no-schedule", check=True).out
    assert house.starter("sweep", "--older-than", "soon").code == 2
    assert house.starter("sweep", "--on", "mars").code == 2


def test_an_endpoint_that_should_have_stayed_is_swept_when_its_run_died_before_it_answered(
    house: Sandbox, tmp_path: Path
) -> None:
    serve = {"kind": "deploy", "on": "onprem", "code": "src", "temporary": False, "timeout": "15m"}
    serve |= {"command": "python never_well.py --seconds 300 --out ."}
    file = write(tmp_path, {"pipeline": "stays", "stages": {"serve": serve}}, {"src/never_well.py": SLEEPER})
    run = Run.start(house, file)

    def servers() -> list[str]:
        return [line for line in house.commands() if "never_well.py" in line]

    until(servers, "the server runs")
    temporal(house, "terminate", "--workflow-id", run.id)
    _, document = left(house, "--run", run.id)
    assert [orphan["item"]["kind"] for orphan in document["orphans"]] == ["endpoint"]
    code, document = left(house, "--run", run.id, "--stop")
    assert [orphan["state"] for orphan in document["orphans"]] == ["stopped"]
    assert (code, servers()) == (0, [])
