"""A run that is cancelled at whatever moment of its job leaves no process, no job, no upload and no claim."""

from pathlib import Path
from typing import Any

import pytest

from tests.durability.drama import CREATES
from tests.durability.matrix import JOB_SERVERS
from tests.durability.observer import Observer
from tests.e2e.runs import Run
from tests.house import Sandbox, until
from tests.pipelines import CLOUDS, SLEEPER, write

pytestmark = [pytest.mark.durability, pytest.mark.timeout(300)]
PHASES = ("asking", "accepted", "queued", "running", "collecting")
"""`asking`: the create is on its way; `accepted`: the job is there and the answer was lost."""


def nap(folder: Path, cloud: str, stage: str, phase: str) -> Path:
    seconds = 1 if phase == "collecting" else 240
    job = {
        "kind": "train",
        "on": cloud,
        "code": "src",
        "command": f"python {stage}.py --seconds {seconds} --out {{outputs.o}}",
        "outputs": ["o"],
        "timeout": "10m",
    }
    files = {f"src/{stage}.py": SLEEPER}
    return write(folder, {"pipeline": "cancelled", "stages": {stage: job}}, files)


def reach(house: Sandbox, observer: Observer, run: Run, cloud: str, stage: str, phase: str) -> None:
    """Return at the moment, or as near to it as can be seen from outside."""
    if phase == "asking":
        observer.until_in_flight(run.id, "jobs.submit", 60)
    elif phase == "accepted":
        until(lambda: house.jobs(cloud, stage), "the job is there", 60)
    elif phase == "queued":
        observer.until_in_flight(run.id, "jobs.wait", 60)
    elif phase == "running":
        run.until_job(stage, "running")
    else:
        observer.until_in_flight(run.id, "jobs.collect", 90)


def misbehave(house: Sandbox, cloud: str, phase: str) -> None:
    fault = {"asking": ("slow", "--delay", "4"), "accepted": ("drop",)}.get(phase)
    if fault and cloud in JOB_SERVERS:
        house.sandbox("fault", JOB_SERVERS[cloud], *fault, "--times", "1", "--match", CREATES[cloud])


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_cancel_at_whatever_moment_leaves_nothing(
    house: Sandbox, observer: Observer, tmp_path: Path, cloud: str, phase: str
) -> None:
    house.sandbox("up", "--workers")
    stage = f"{phase}_{cloud}"
    misbehave(house, cloud, phase)
    run = Run.start(house, nap(tmp_path, cloud, stage, phase))
    reach(house, observer, run, cloud, stage, phase)
    house.starter("cancel", run.id, check=True)
    document = ended(run)
    until(lambda: not [line for line in house.commands() if f"{stage}.py" in line], "no process is left", 30)
    answer = house.starter("sweep", "--run", run.id, "--older-than", "1s", "--json", check=True)
    assert answer.document["orphans"] == []
    assert answer.document["left"] == 0
    assert len(house.jobs(cloud, stage)) <= 1
    if phase != "collecting":
        assert document["state"] == "CANCELLED"


def ended(run: Run) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        document = run.document
        return document if document["state"] in {"CANCELLED", "SUCCEEDED"} else None

    found: dict[str, Any] = until(look, "the run has ended", 180)
    return found
