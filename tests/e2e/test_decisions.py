"""Decisions through the real command line: a retry that changes what failed, a skip with something in its place."""

from pathlib import Path

import boto3
import pytest

from tests.e2e.runs import Run
from tests.house import Sandbox, until
from tests.pipelines import sleeper, write

CLEAN = """
import pathlib, sys
if sys.argv[1] != "age":
    sys.exit(f"no column named {sys.argv[1]}")
(pathlib.Path(sys.argv[2]) / "rows.csv").write_text("age\\n7\\n")
"""
USE = """
import pathlib, sys
there, rows, out = map(pathlib.Path, sys.argv[1:])
(out / "all.txt").write_text(there.read_text() + (rows / "rows.csv").read_text())
"""


@pytest.fixture(autouse=True)
def everything_up(house: Sandbox) -> None:
    house.all_up()


def test_a_run_that_failed_twice_goes_on_with_what_people_change_and_give(
    house: Sandbox, tmp_path: Path
) -> None:
    stages = {
        "fetch": {"kind": "copy", "on": "aws", "source": "file:///nowhere/data.csv"},
        "clean": {
            "kind": "process",
            "on": "onprem",
            "code": "src",
            "command": "python clean.py {params.column} {outputs.rows}",
            "outputs": ["rows"],
            "retries": 0,
        },
        "use": {
            "kind": "process",
            "on": "onprem",
            "code": "src",
            "inputs": {"there": "fetch", "rows": "clean.rows"},
            "command": "python use.py {inputs.there} {inputs.rows} {outputs.all}",
            "outputs": ["all"],
        },
    }
    spec = {"pipeline": "decided", "params": {"column": "agee"}, "stages": stages}
    run = Run.start(house, write(tmp_path, spec, {"src/clean.py": CLEAN, "src/use.py": USE}))
    both = "a decision on fetch, clean"
    until(lambda: run.document["waiting_for"] == both, "both stages wait")
    refused = house.starter("retry", run.id, "clean", "--param", "colum=age")
    assert refused.code == 2
    assert "did you mean 'column'?" in refused.err
    assert house.starter("retry", run.id, "clean", "--resources", "cpu: 4").code == 2
    changes = ("--param", "column=age", "--timeout", "4m", "--resources", '{"memory": "64MiB"}')
    told = house.starter("retry", run.id, "clean", *changes, "--reason", "a typo", check=True).out
    assert "params.column 'agee' -> 'age'" in told
    refused = house.starter("skip", run.id, "fetch")
    assert refused.code == 2
    assert "data is needed by use; give --output data=URI" in refused.err
    _put(house, "decided/data.csv", b"from last week\n")
    house.starter("skip", run.id, "fetch", "--output", "data=s3://causeway/decided/data.csv", check=True)
    document = run.until("SUCCEEDED")
    states = {stage["name"]: stage["state"] for stage in document["stages"]}
    assert states == {"fetch": "SKIPPED", "clean": "SUCCEEDED", "use": "SUCCEEDED"}
    (found,) = house.root.rglob("all.txt")
    assert found.read_text() == "from last week\nage\n7\n"
    decisions = {decided["stage"]: decided for decided in document["decisions"]}
    assert decisions["clean"]["reason"] == "a typo"
    assert decisions["fetch"]["changes"] == ["data = s3://causeway/decided/data.csv"]
    assert all(decided["by"] for decided in decisions.values())


def _put(house: Sandbox, name: str, content: bytes) -> None:
    known = house.environment("aws")
    s3 = boto3.client(
        "s3",
        endpoint_url=known["AWS_ENDPOINT_URL"],
        region_name=known["AWS_REGION"],
        aws_access_key_id=known["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=known["AWS_SECRET_ACCESS_KEY"],
    )
    s3.put_object(Bucket="causeway", Key=name, Body=content)


def test_a_pause_that_stops_jobs_leaves_no_process_and_its_end_begins_them_again(
    house: Sandbox, tmp_path: Path
) -> None:
    run = Run.start(house, sleeper(tmp_path, "onprem", 20))
    run.until_job("nap", "running")
    told = house.starter(
        "pause", run.id, "--jobs", "stop", "--until", "45s", "--reason", "price peak", check=True
    )
    assert f"resume it with: python -m starter resume {run.id}" in told.out
    document = run.until("PAUSED")
    assert "stopped by a pause; generation 2 follows the resume" in document["stages"][0]["note"]
    assert not [command for command in house.commands() if "sleep.py" in command]
    assert "jobs are stopped" in " ".join(run.text().split())
    done = run.until("SUCCEEDED")
    assert done["stages"][0]["attempts"] == 2
    assert [decided["decision"] for decided in done["decisions"]] == ["pause", "resume"]
    assert house.starter("pause", run.id, "--until", "25:00").code == 2
