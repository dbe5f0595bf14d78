"""Stages that may run in several places, on the local clouds: each runs where the plan said, and only what must moves."""

from pathlib import Path
from typing import Any

from tests.house import Sandbox
from tests.pipelines import write

MAKE = "import pathlib, sys\npathlib.Path(sys.argv[1], 'rows.csv').write_text('a,b\\n1,2\\n')\n"
PASS = "import pathlib, shutil, sys\nshutil.copytree(sys.argv[1], sys.argv[2], dirs_exist_ok=True)\n"


def _passing(on: Any, given: str) -> dict[str, Any]:
    return {
        "kind": "process",
        "on": on,
        "inputs": {"rows": given},
        "code": "src",
        "command": "python pass.py {inputs.rows} {outputs.rows}",
        "outputs": ["rows"],
        "expect": {"duration": "10s", "output_size": "1KiB"},
    }


def test_stages_run_where_the_plan_said_and_data_go_only_where_they_must(
    house: Sandbox, tmp_path: Path
) -> None:
    make = {
        "kind": "process",
        "on": "aws",
        "code": "src",
        "command": "python make.py {outputs.rows}",
        "outputs": ["rows"],
        "expect": {"duration": "10s", "output_size": "1KiB"},
    }
    stages = {
        "make": make,
        "near": _passing(["gcp", "aws"], "make"),
        "anywhere": _passing("any", "near"),
        "home": _passing("onprem", "anywhere"),
    }
    spec = {"pipeline": "places", "choose": "near_data", "stages": stages}
    file = write(tmp_path, spec, {"src/make.py": MAKE, "src/pass.py": PASS})
    planned = house.starter("plan", str(file), "--json", check=True).document
    where = {stage["name"]: stage["connection"] for stage in planned["stages"]}
    ran = house.starter("run", str(file), "--json", "--on-failure", "fail", timeout=600).document
    assert ran["state"] == "SUCCEEDED", [stage["error"] for stage in ran["stages"]]
    assert {stage["name"]: stage["connection"] for stage in ran["stages"]} == where
    assert len({where["make"], where["near"]}) == 1
    assert where["anywhere"] in {"aws/default", "onprem/default"}
    assert len(ran["transfers"]) == 1, "what makes one crossing needs no other"
    candidates = next(stage["candidates"] for stage in ran["stages"] if stage["name"] == "anywhere")
    assert {held["connection"] for held in candidates} == {
        f"{cloud}/default" for cloud in ("aws", "azure", "gcp", "onprem")
    }
    assert all(held["why"] for held in candidates)
