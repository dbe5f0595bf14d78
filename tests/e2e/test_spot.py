"""Spot machines are taken back, and the job goes on from its checkpoint; what no machine has is refused before anything."""

from pathlib import Path
from typing import Any

from tests.e2e.runs import Run
from tests.house import Sandbox
from tests.pipelines import write

SERVERS = {"aws": "sagemaker", "azure": "azure", "gcp": "vertex"}
STEPS = 8
COUNT = f"""
set -eu
began=$(ls "$CAUSEWAY_CHECKPOINT_DIR" | wc -l)
n=$began
while [ "$n" -lt {STEPS} ]; do
  n=$((n + 1))
  echo "$n" > "$CAUSEWAY_CHECKPOINT_DIR/$n"
  sleep 0.3
done
printf '{{"began": %d, "ended": %d}}' "$began" "$n" > "$1/metrics.json"
"""


def counting(cloud: str, **stage: Any) -> dict[str, Any]:
    return {
        "kind": "train",
        "on": cloud,
        "code": "src",
        "command": "sh count.sh {outputs.metrics}",
        "outputs": ["metrics"],
        "retries": 1,
        "timeout": "5m",
        "resources": {"spot": True},
        **stage,
    }


def test_a_job_that_loses_its_spot_machine_counts_on_from_its_checkpoint(
    house: Sandbox, tmp_path: Path
) -> None:
    house.sandbox("up", "--workers")
    stages = {f"count_{cloud}": counting(cloud) for cloud in (*SERVERS, "onprem")}
    for cloud, server in SERVERS.items():
        house.sandbox("fault", server, "preempt-job", "--match", f"count-{cloud}")
    file = write(tmp_path, {"pipeline": "spot", "stages": stages}, {"src/count.sh": COUNT})
    run = Run.start(house, file, "--on-failure", "fail")
    stages = {stage["name"]: stage for stage in run.until("SUCCEEDED")["stages"]}
    for cloud in SERVERS:
        stage = stages[f"count_{cloud}"]
        assert stage["attempts"] == 2, stage
        assert len(house.jobs(cloud, f"count_{cloud}")) == 2
        assert 0 < stage["metrics"]["began"] < STEPS, (
            "the second generation went on where the first had come to"
        )
        assert stage["metrics"]["ended"] == STEPS
    assert stages["count_onprem"]["attempts"] == 1
    assert stages["count_onprem"]["metrics"]["ended"] == STEPS
    chosen = {name: stage["machine"] for name, stage in stages.items()}
    assert chosen["count_aws"].startswith(
        "ml.m5.large (2 CPU, 8 GiB): the worker's default has what is asked"
    )
    assert chosen["count_azure"].startswith("Standard_D2s_v3 (2 CPU, 8 GiB): the cheapest known here")
    assert chosen["count_gcp"].startswith("e2-standard-4 (4 CPU, 16 GiB): the cheapest known here")
    assert "nobody takes it back" in chosen["count_onprem"]


def test_what_no_machine_has_ends_the_run_before_anything_is_moved(house: Sandbox, tmp_path: Path) -> None:
    house.sandbox("up", "--workers")
    stages = {
        "ingest": {"kind": "copy", "on": "gcp", "source": "file:///quickstart/breast_cancer.csv"},
        "tune": counting("gcp", resources={"accelerator": "A10:1"}, after=["ingest"]),
    }
    file = write(tmp_path, {"pipeline": "greedy", "stages": stages}, {"src/count.sh": COUNT})
    done = house.starter("run", str(file))
    assert done.code != 0
    told = " ".join((done.out + done.err).split())
    assert "UNSUPPORTED" in told
    assert "stage tune on gcp/default: no machine of gcp that is known here has 1 CPU, A10:1" in told
    assert "the nearest is" in told
