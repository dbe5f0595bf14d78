import os
import signal
import subprocess
import time
from pathlib import Path

import boto3
import pytest

from sandbox.layout import Layout
from tests.e2e.runs import Run
from tests.house import CHECKOUT, PATIENCE_SECONDS, Sandbox, until
from tests.pipelines import SLEEPER, sleeper, write


@pytest.fixture(autouse=True)
def everything_up(house: Sandbox) -> None:
    house.all_up()


def test_a_pause_from_the_starter_drains_while_the_job_goes_on_and_resume_finishes(
    house: Sandbox, tmp_path: Path
) -> None:
    # Long enough for four commands on a busy machine.
    run = Run.start(house, sleeper(tmp_path, "aws", 15))
    run.until_job("nap", "running")
    house.starter("pause", run.id, "--reason", "lunch", check=True)
    run.reach("PAUSED")
    text = " ".join(run.text().split())
    assert "1 remote job running" in text
    assert "lunch" in text
    until(lambda: "job succeeded" in run.text(), "the job ends while the run is paused")
    time.sleep(2)
    assert run.document["state"] == "PAUSED", "collect waits for resume"
    house.starter("resume", run.id, check=True)
    run.reach("SUCCEEDED")


def test_a_pause_sent_as_a_bare_signal_takes_hold(house: Sandbox, tmp_path: Path) -> None:
    run = Run.start(house, sleeper(tmp_path, "gcp", 5))
    run.until_job("nap", "running")
    temporal(house, "signal", "--workflow-id", run.id, "--name", "pause")
    run.reach("PAUSED")
    temporal(house, "signal", "--workflow-id", run.id, "--name", "resume")
    run.reach("SUCCEEDED")


@pytest.mark.parametrize(
    "cloud",
    ["aws", *(pytest.param(cloud, marks=pytest.mark.durability) for cloud in ("azure", "gcp")), "onprem"],
)
def test_cancel_while_a_job_runs_stops_it_and_leaves_no_process(
    house: Sandbox, tmp_path: Path, cloud: str
) -> None:
    run = Run.start(house, sleeper(tmp_path, cloud, 120))
    run.until_job("nap", "running")
    until(lambda: _sleepers(house), "the script runs")
    house.starter("cancel", run.id, check=True)
    document = run.until("CANCELLED")
    assert document["stages"][0]["state"] == "CANCELLED"
    until(lambda: not _sleepers(house), "the script's processes are gone")
    assert house.starter("watch", run.id).code == 1
    again = house.starter("cancel", run.id)
    assert again.code == 2
    assert f"{run.id} has ended already" in again.err


def test_cancel_in_the_middle_of_a_copy_gives_up_its_upload(house: Sandbox, tmp_path: Path) -> None:
    large = house.root / "onprem" / "cancelled"
    large.mkdir(exist_ok=True)
    (large / "block.bin").write_bytes(os.urandom(1024 * 1024) * 192)
    stages = {
        "up": {"kind": "copy", "on": "gcp", "source": "file:///cancelled/block.bin"},
        "over": {"kind": "copy", "on": "aws", "inputs": {"it": "up"}},
        "again": {"kind": "copy", "on": "aws", "source": "gs://causeway/cancelled/block.bin"},
    }
    # Slow enough that a command can come in the middle.
    stages["over"]["limit_rate"] = stages["again"]["limit_rate"] = "20MB/s"
    stages["up"]["target"] = "gs://causeway/cancelled/block.bin"
    stages["again"]["after"] = ["up"]
    before = _uploads(house)
    run = Run.start(house, write(tmp_path, {"pipeline": "cancelled-copy", "stages": stages}))
    until(lambda: len(_uploads(house) - before) == 2, "both copy")
    house.starter("cancel", run.id, check=True)
    document = run.until("CANCELLED")
    assert {stage["name"]: stage["state"] for stage in document["stages"]} == {
        "up": "SUCCEEDED",
        "over": "CANCELLED",
        "again": "CANCELLED",
    }
    assert not _uploads(house) - before


def test_a_script_that_fails_waits_for_a_person_with_its_last_log_lines(
    house: Sandbox, tmp_path: Path
) -> None:
    script = (
        "import sys\nprint('reading the data')\nprint('no column named age', file=sys.stderr)\nsys.exit(3)\n"
    )
    stage = {"kind": "process", "on": "azure", "code": "src", "command": "python fail.py", "retries": 1}
    file = write(tmp_path, {"pipeline": "failing", "stages": {"clean": stage}}, {"src/fail.py": script})
    answer = house.starter("run", str(file), "--json", "--key", "fails")
    assert answer.code == 4
    held = answer.document["stages"][0]
    assert answer.document["state"] == "WAITING"
    assert held["state"] == "WAITING"
    assert held["attempts"] == 2
    assert held["error"]["kind"] == "JOB_FAILED"
    assert "no column named age" in held["error"]["message"]
    assert held["error"]["hint"]
    refused = house.starter("retry", "failing/fails", "cleen")
    assert refused.code == 2
    assert "did you mean 'clean'?" in refused.err
    assert house.starter("skip", "failing/fails", "clean").code == 0
    assert Run(house, "failing/fails").until("SUCCEEDED")["stages"][0]["state"] == "SKIPPED"


def test_on_failure_fail_ends_the_run_failed_and_stops_what_runs(house: Sandbox, tmp_path: Path) -> None:
    spec = {
        "pipeline": "fail-fast",
        "stages": {
            "long": {
                "kind": "process",
                "on": "aws",
                "code": "src",
                "command": "python sleep.py --seconds 120 --out {outputs.o}",
                "outputs": ["o"],
            },
            "broken": {"kind": "process", "on": "onprem", "command": "sh -c 'sleep 6; exit 9'", "retries": 0},
        },
    }
    file = write(tmp_path, spec, {"src/sleep.py": SLEEPER})
    answer = house.starter("run", str(file), "--json", "--on-failure", "fail")
    assert answer.code == 1
    states = {stage["name"]: stage["state"] for stage in answer.document["stages"]}
    assert states == {"long": "CANCELLED", "broken": "FAILED"}
    until(lambda: not _sleepers(house), "the script's processes are gone")


def test_an_absent_worker_is_shown_within_a_minute_and_fails_nothing(house: Sandbox, tmp_path: Path) -> None:
    stage = {"kind": "copy", "on": "gcp/nowhere", "source": "file:///quickstart/breast_cancer.csv"}
    file = write(tmp_path, {"pipeline": "absent", "stages": {"bring": stage}})
    run = Run.start(house, file)
    until(lambda: "waiting for a worker on causeway-gcp.nowhere" in run.text(), "the absence is shown")
    assert run.document["state"] == "RUNNING"
    house.starter("cancel", run.id, check=True)
    run.reach("CANCELLED")


def test_ctrl_c_leaves_the_run_going_and_says_how_to_return(house: Sandbox, tmp_path: Path) -> None:
    file = sleeper(tmp_path, "onprem", 3)
    watching = house.spawn(
        "-m",
        "starter",
        "run",
        str(file),
        "--key",
        "interrupted",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Where the tests run in the background, an interrupt would be ignored from birth.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    run = Run(house, "sleeper-onprem/interrupted")
    until(lambda: house.starter("status", run.id).code == 0, "the run has started")
    watching.send_signal(signal.SIGINT)
    out, err = watching.communicate(timeout=PATIENCE_SECONDS)
    assert watching.returncode == 130
    assert f"python -m starter watch {run.id}" in out + err
    assert "Traceback" not in out + err
    run.reach("SUCCEEDED")


def _sleepers(house: Sandbox) -> list[str]:
    return [command for command in house.commands() if "sleep.py" in command]


def _uploads(house: Sandbox) -> set[str]:
    """The multipart uploads that S3 itself lists as unfinished."""
    known = house.environment("aws")
    s3 = boto3.client(
        "s3",
        endpoint_url=known["AWS_ENDPOINT_URL"],
        region_name=known["AWS_REGION"],
        aws_access_key_id=known["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=known["AWS_SECRET_ACCESS_KEY"],
    )
    return {upload["UploadId"] for upload in s3.list_multipart_uploads(Bucket="causeway").get("Uploads", [])}


def temporal(house: Sandbox, *arguments: str, of: str = "workflow") -> str:
    """Tell Temporal something by its own command line, and return what it answers."""
    layout = Layout.from_environment()
    binary = next((layout.tools / "local").rglob("temporal"), None)
    assert binary is not None
    address = house.environment("starter")["TEMPORAL_ADDRESS"]
    done = subprocess.run(
        [str(binary), of, *arguments, "--address", address],
        check=True,
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
    )
    return done.stdout
