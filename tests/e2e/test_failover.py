"""A place that has no machine, on the local clouds: the job runs to its end at the next, once, and data are moved once."""

import uuid
from pathlib import Path
from typing import Any

import pytest

from sandbox.servers.faults import Fault, Faults
from tests.e2e.runs import Run
from tests.house import Sandbox, kill, until
from tests.pipelines import write
from tests.serving import HELPER

MAKE = "import pathlib, sys\npathlib.Path(sys.argv[1], 'rows.csv').write_text('a,b\\n1,2\\n')\n"
PASS = (
    "import pathlib, shutil, sys, time\ntime.sleep(3)\n"
    "shutil.copytree(sys.argv[1], sys.argv[2], dirs_exist_ok=True)\n"
)
SERVER = "from serving import serve\nserve(lambda rows: rows)\n"


def pipeline(name: str) -> dict[str, Any]:
    """Rows that one place makes, and a job over them that would rather run at AWS."""
    make = {"kind": "process", "on": "onprem", "code": "src", "command": "python make.py {outputs.rows}"}
    moves = {
        "kind": "process",
        "on": ["aws", "gcp"],
        "inputs": {"rows": "make"},
        "code": "src",
        "command": "python pass.py {inputs.rows} {outputs.rows}",
        "outputs": ["rows"],
    }
    return {"pipeline": "failover", "stages": {"make": {**make, "outputs": ["rows"]}, name: moves}}


@pytest.mark.parametrize("killed", [(), ("workflows", "gcp")], ids=["undisturbed", "workers-killed"])
def test_a_job_that_finds_no_machine_runs_once_at_the_next_place(
    house: Sandbox, tmp_path: Path, killed: tuple[str, ...]
) -> None:
    house.all_up()
    name = f"moves_{uuid.uuid4().hex[:6]}"
    faults = Faults(house.root / "faults" / "sagemaker.json")
    faults.add(Fault("capacity-job", match=f"cw-{name.replace('_', '-')}"))
    file = write(tmp_path, pipeline(name), {"src/make.py": MAKE, "src/pass.py": PASS})
    run = Run.start(house, file, "--on-failure", "fail")
    if killed:
        until(lambda: house.jobs("aws", name), "a job at the first place")
        kill(house.worker("workflows"))
        until(lambda: house.jobs("gcp", name), "a job at the second place")
        kill(house.worker("gcp"))
    document = run.until("SUCCEEDED")
    stage = next(one for one in document["stages"] if one["name"] == name)
    assert (stage["connection"], stage["attempts"]) == ("gcp/default", 2)
    assert [key[-3:] for key in house.jobs("aws", name)] == ["-g1"]
    assert [key[-3:] for key in house.jobs("gcp", name)] == ["-g2"]
    moved = [(one["artifact"], one["to"]) for one in document["transfers"]]
    assert sorted(moved) == [("make.rows", "aws/default"), ("make.rows", "gcp/default")]
    (decided,) = document["decisions"]
    assert decided["changes"] == [f"{name}: aws/default -> gcp/default"]
    assert "CAPACITY on aws/default" in decided["reason"]


def test_an_endpoint_that_finds_no_machine_answers_at_the_next_place_and_leaves_nothing_at_the_first(
    house: Sandbox, tmp_path: Path
) -> None:
    house.all_up()
    name = f"serves_{uuid.uuid4().hex[:6]}"
    faults = Faults(house.root / "faults" / "vertex.json")
    faults.add(Fault("capacity-job", match=f"cw-{name.replace('_', '-')}"))
    places = {"on": ["gcp", "aws"]}
    make = {"kind": "process", "on": "gcp", "code": "src", "command": "python make.py {outputs.rows}"}
    stages = {
        "make": {**make, "outputs": ["rows"]},
        name: {**places, "kind": "deploy", "code": "src", "command": "python server.py", "after": ["make"]},
        "ask": {**places, "kind": "invoke", "endpoint": name, "inputs": {"data": "make"}},
    }
    files = {"src/make.py": MAKE, "src/serving.py": HELPER, "src/server.py": SERVER}
    file = write(tmp_path, {"pipeline": "failover", "stages": stages}, files)
    document = Run.start(house, file, "--on-failure", "fail").until("SUCCEEDED")
    found = {one["name"]: one for one in document["stages"]}
    assert (found[name]["connection"], found[name]["attempts"]) == ("aws/default", 2)
    assert (found["ask"]["connection"], found["ask"]["rows"]) == ("aws/default", 1)
    moved = [(one["artifact"], one["to"]) for one in document["transfers"]]
    assert moved == [("make.rows", "aws/default")]
    assert f"{name}: gcp/default -> aws/default" in document["decisions"][0]["changes"]
    swept = house.starter("sweep", "--older-than", "1s", "--run", document["run_id"])
    assert swept.code == 0, swept.out


def test_items_that_find_no_machine_each_run_once_at_the_next_place(house: Sandbox, tmp_path: Path) -> None:
    house.all_up()
    name = f"each_{uuid.uuid4().hex[:6]}"
    faults = Faults(house.root / "faults" / "sagemaker.json")
    faults.add(Fault("capacity-job", match=f"cw-{name.replace('_', '-')}", times=2))
    make = {"kind": "process", "on": "onprem", "code": "src", "command": "python make.py {outputs.rows}"}
    each = {
        "kind": "process",
        "on": ["aws", "gcp"],
        "foreach": {"range": 3, "max_parallel": 2},
        "inputs": {"rows": "make"},
        "code": "src",
        "command": "python pass.py {inputs.rows} {outputs.rows}",
        "outputs": ["rows"],
    }
    stages = {"make": {**make, "outputs": ["rows"]}, name: each}
    files = {"src/make.py": MAKE, "src/pass.py": PASS}
    run = Run.start(house, write(tmp_path, {"pipeline": "failover", "stages": stages}, files))
    until(lambda: house.jobs("aws", f"{name}-0"), "a job at the first place")
    kill(house.worker("workflows"))
    document = run.until("SUCCEEDED")
    stage = next(one for one in document["stages"] if one["name"] == name)
    assert (stage["connection"], stage["outputs"]["rows"]["object_count"]) == ("gcp/default", 3)
    jobs = {cloud: [house.jobs(cloud, f"{name}-{index}") for index in range(3)] for cloud in ("aws", "gcp")}
    assert [[key[-3:] for key in held] for held in jobs["aws"]] == [["-g1"], ["-g1"], []]
    assert [[key[-3:] for key in held] for held in jobs["gcp"]] == [["-g2"]] * 3
    moved = [(one["artifact"], one["to"]) for one in document["transfers"]]
    assert sorted(moved) == [("make.rows", "aws/default"), ("make.rows", "gcp/default")]
