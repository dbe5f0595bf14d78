"""A control plane that is away while a job runs: what the run shows meanwhile, and what came of it."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.servers.faults import Fault, Faults
from tests.e2e.runs import Run
from tests.house import PATIENCE_SECONDS, Sandbox, until
from tests.pipelines import sleeper

SERVERS = {"aws": "sagemaker", "azure": "azure", "gcp": "vertex"}


@dataclass
class Away:
    """What was seen of one run."""

    cloud: str
    unknown: dict[str, Any] = field(default_factory=dict)
    """The stage as `status --json` told it meanwhile."""
    document: dict[str, Any] = field(default_factory=dict)
    """The run at its end."""
    jobs: list[str] = field(default_factory=list)


def play(house: Sandbox, folder: Path, seconds: float) -> dict[str, Away]:
    """Take the control plane of each cloud away for so long while a job runs; all clouds at once."""
    with ThreadPoolExecutor(len(SERVERS)) as pool:
        played = [pool.submit(_play, house, folder / cloud, cloud, seconds) for cloud in SERVERS]
        return {one.cloud: one for one in (future.result() for future in played)}


def _play(house: Sandbox, folder: Path, cloud: str, seconds: float) -> Away:
    stage = f"away_{cloud}_{seconds:.0f}"
    file = sleeper(folder, cloud, 10)
    file.write_text(file.read_text().replace('"nap"', f'"{stage}"'))
    run = Run.start(house, file)
    run.until_job(stage, "running")
    # Written here and now: a command takes so long on a busy machine that the job might end before.
    faults = Faults(house.root / "faults" / f"{SERVERS[cloud]}.json")
    faults.add(Fault("away", until=time.time() + seconds))
    found = Away(cloud)

    def unknown() -> bool:
        found.unknown = run.stage(stage)
        return bool(found.unknown["job"]["state"] == "UNKNOWN")

    until(unknown, f"the job of {stage} is UNKNOWN")
    found.document = run.until("SUCCEEDED", seconds + PATIENCE_SECONDS)
    found.jobs = house.jobs(cloud, stage)
    return found
