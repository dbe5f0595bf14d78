"""The pipelines of `ends`: work that is under way for long enough, and a stage that a person may give the run up for."""

import random
from typing import Any

from contracts.units import MIB
from tests.e2e.copies import SCHEMES
from tests.house import Sandbox
from tests.pipelines import SLEEPER
from tests.serving import HELPER

COPIES = ("copying",)
SERVERS = ("deploying", "invoking")
LIMITS = {
    "asking": 4,
    "accepted": 6,
    "queued": 8,
    "running": 10,
    "collecting": 15,
    "copying": 8,
    "deploying": 15,
    "invoking": 15,
}
"""Seconds after which the time of a stage is over where that is what ends it, by what is under way then."""
LARGE_BYTES = 128 * MIB
RATE = "8MiB/s"
ROWS = 200
SLOW = """
import time
from serving import serve
def score(rows):
    time.sleep(3)
    return [{"id": row["id"]} for row in rows]
serve(score)
"""
DOUBT = {
    "kind": "process",
    "on": "onprem",
    "command": "true",
    "when": "1 / params.none > 0",
    "on_failure": "wait",
}
"""Waits for a person as soon as the run has begun: its condition cannot be told."""


def pipeline(
    house: Sandbox, cloud: str, phase: str, end: str, stage: str
) -> tuple[dict[str, Any], dict[str, str]]:
    """Write down a run whose stage of this name gets into the phase; and the files of its code."""
    stages, script = _stages(house, cloud, phase, end, stage)
    if end == "abort":
        stages["doubt"] = DOUBT
    spec = {
        "pipeline": f"ends-{cloud}",
        "params": {"none": 0},
        "defaults": {"on_failure": "fail", "retries": 0, "timeout": "10m"},
        "stages": stages,
    }
    return spec, {f"src/{stage}.py": script, "src/serving.py": HELPER}


def _stages(house: Sandbox, cloud: str, phase: str, end: str, stage: str) -> tuple[dict[str, Any], str]:
    limit = {"timeout": f"{LIMITS[phase]}s"} if end == "time_out" else {}
    if phase in COPIES:
        return {stage: _copy(cloud, end)}, SLEEPER
    if phase == "invoking":
        return _asked(house, cloud, stage, limit), SLOW
    seconds = 1 if phase == "collecting" else 240
    nap = {"on": cloud, "code": "src", "command": f"python {stage}.py --seconds {seconds} --out ."}
    if phase == "deploying":
        return {stage: {"kind": "deploy", **nap, **limit}}, SLEEPER
    nap["command"] = f"python {stage}.py --seconds {seconds} --out {{outputs.o}}"
    return {stage: {"kind": "train", **nap, "outputs": ["o"], **limit}}, SLEEPER


def _copy(cloud: str, end: str) -> dict[str, Any]:
    """A copy is not bound by its `timeout` once it is under way; `max_duration` is what bounds it."""
    limit = {"max_duration": f"{LIMITS['copying']}s"} if end == "time_out" else {}
    source = _large("aws" if cloud == "gcp" else "gcp")
    # Azure would read by itself, as fast as it can.
    slow = {"limit_rate": RATE, "streams": 2, "server_side": False}
    return {"kind": "copy", "on": cloud, "source": source, **slow, **limit}


def _asked(house: Sandbox, cloud: str, stage: str, limit: dict[str, str]) -> dict[str, Any]:
    folder = house.root / "onprem" / "ends"
    folder.mkdir(exist_ok=True)
    lines = (f"{number},{number / 2}\n" for number in range(ROWS))
    (folder / f"{stage}.csv").write_text("id,x\n" + "".join(lines))
    server = {"kind": "deploy", "on": cloud, "code": "src", "command": f"python {stage}.py"}
    ask = {"kind": "invoke", "on": cloud, "endpoint": stage, "inputs": {"data": "rows"}, **limit}
    return {
        "rows": {"kind": "copy", "on": cloud, "source": f"file:///ends/{stage}.csv"},
        stage: server,
        "ask": {**ask, "batch_size": 2, "max_parallel": 1},
    }


def lay(house: Sandbox) -> None:
    """Have the large object lie in both of the stores that copies are made from."""
    content = random.Random(4).randbytes(MIB) * (LARGE_BYTES // MIB)
    (house.root / "onprem" / "ends-large.bin").write_bytes(content)
    for cloud in ("gcp", "aws"):
        house.starter("copy", "file:///ends-large.bin", _large(cloud), check=True)


def _large(cloud: str) -> str:
    return f"{SCHEMES[cloud]}ends/large.bin"
