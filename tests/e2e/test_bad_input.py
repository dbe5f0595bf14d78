from pathlib import Path
from typing import Any

import pytest

from tests.house import Answer, Sandbox
from tests.pipelines import write

ROWS = [{"name": "id", "type": "INTEGER"}, {"name": "score", "type": "FLOAT"}]


@pytest.fixture(autouse=True)
def everything_up(house: Sandbox) -> None:
    house.all_up()


def run(
    house: Sandbox, tmp_path: Path, stages: dict[str, Any], files: dict[str, str] | None = None
) -> Answer:
    file = write(tmp_path, {"pipeline": "bad-input", "stages": stages}, files)
    answer = house.starter("run", str(file), "--json", "--on-failure", "fail")
    assert "Traceback" not in answer.err
    return answer


def error_of(answer: Answer, stage: str) -> dict[str, Any]:
    assert answer.code == 1, answer.err
    held: dict[str, Any] = next(item["error"] for item in answer.document["stages"] if item["name"] == stage)
    assert held["hint"]
    return held


@pytest.mark.parametrize(
    ("source", "on"),
    [
        ("file:///quickstart/nothing.csv", "aws"),
        ("s3://causeway/nothing/there.csv", "azure"),
        ("az://causeway/nothing/there.csv", "gcp"),
        ("gs://causeway/nothing/there.csv", "onprem"),
        ("s3://causeway/nothing/", "gcp"),
    ],
)
def test_a_missing_source_is_named_with_its_kind(
    house: Sandbox, tmp_path: Path, source: str, on: str
) -> None:
    answer = run(house, tmp_path, {"bring": {"kind": "copy", "on": on, "source": source}})
    error = error_of(answer, "bring")
    assert error["kind"] == "SOURCE_MISSING"
    assert source in error["message"]


def test_a_missing_container_is_named_before_anything_runs(house: Sandbox, tmp_path: Path) -> None:
    stage = {"kind": "copy", "on": "aws", "source": "gs://no-such-bucket-here/x.csv"}
    answer = run(house, tmp_path, {"bring": stage})
    assert answer.code == 1
    report = house.starter("report", answer.document["run_id"]).out
    assert "SOURCE_MISSING" in report
    assert "no-such-bucket-here" in report


def test_a_container_without_permission_is_access_denied(house: Sandbox, tmp_path: Path) -> None:
    stage = {"kind": "copy", "on": "gcp", "source": "s3://causeway-forbidden/x.csv"}
    answer = run(house, tmp_path, {"bring": stage})
    assert answer.code == 1
    report = house.starter("report", answer.document["run_id"]).out
    assert "ACCESS_DENIED" in report
    assert "causeway-forbidden" in report


def test_a_row_that_does_not_fit_is_named_by_file_and_line_and_the_table_stays_as_it_was(
    house: Sandbox, tmp_path: Path
) -> None:
    source = house.root / "onprem" / "rows"
    source.mkdir(exist_ok=True)
    table = f"demo.rows_{tmp_path.name.replace('-', '_')}"

    def load(text: str) -> Answer:
        (source / "rows.csv").write_text(text)
        stages = {
            "bring": {"kind": "copy", "on": "gcp", "source": "file:///rows/rows.csv"},
            "load": {
                "kind": "load_table",
                "on": "gcp",
                "inputs": {"rows": "bring"},
                "table": table,
                "schema": ROWS,
            },
            "count": {
                "kind": "query",
                "on": "gcp",
                "after": ["load"],
                "sql": f"SELECT COUNT(*) AS n FROM {table}",
            },
        }
        return run(house, tmp_path, stages)

    assert load("id,score\n1,0.5\n2,0.25\n").code == 0
    error = error_of(load("id,score\n1,0.5\n2,high\n3,0.1\n"), "load")
    assert error["kind"] == "INVALID_REQUEST"
    assert "rows" in error["message"] or "data" in error["message"]
    assert "line 3" in error["message"] or ":3" in error["message"]
    header = error_of(load("score,id\n0.5,1\n"), "load")
    assert header["kind"] == "INVALID_REQUEST"
    count = {"count": {"kind": "query", "on": "gcp", "sql": f"SELECT COUNT(*) AS n FROM {table}"}}
    left = run(house, tmp_path, count)
    assert left.document["stages"][0]["metrics"]["n"] == 2


def test_a_server_that_is_away_for_a_while_only_delays_the_run(house: Sandbox, tmp_path: Path) -> None:
    house.sandbox("fault", "vertex", "unavailable", "--seconds", "8")
    stage = {"kind": "process", "on": "gcp", "command": "tee {outputs.o}/x.txt", "outputs": ["o"]}
    answer = run(house, tmp_path, {"work": stage})
    assert answer.code == 0, answer.document
    assert answer.document["stages"][0]["attempts"] == 1


@pytest.mark.parametrize(
    ("cloud", "command", "kind"),
    [
        ("aws", "python -c 'import time; time.sleep(60)'", "TIMED_OUT"),
        ("azure", "no-such-program --x", "JOB_FAILED"),
        ("onprem", "no-such-program --x", "JOB_FAILED"),
        ("gcp", "true", "SOURCE_MISSING"),
    ],
)
def test_a_job_that_goes_wrong_has_the_right_kind(
    house: Sandbox, tmp_path: Path, cloud: str, command: str, kind: str
) -> None:
    stage = {
        "kind": "process",
        "on": cloud,
        "command": command,
        "outputs": ["o"],
        "retries": 0,
        "timeout": "12s",
    }
    error = error_of(run(house, tmp_path, {"work": stage}), "work")
    assert error["kind"] == kind


def test_values_of_a_pipeline_are_never_interpreted(house: Sandbox, tmp_path: Path) -> None:
    nasty = "$(touch /tmp/pwned) `id` ; rm -rf / && echo \"x\" 'y' \\ * ~ #"
    script = "import sys, pathlib; pathlib.Path(sys.argv[2], 'said.txt').write_text(sys.argv[1])"
    stages = {
        cloud: {
            "kind": "process",
            "on": cloud,
            "code": "src",
            "command": "python say.py {params.text} {outputs.said}",
            "outputs": ["said"],
        }
        for cloud in ("aws", "azure", "gcp", "onprem")
    }
    spec = {"pipeline": "nasty", "params": {"text": nasty}, "stages": stages}
    file = write(tmp_path, spec, {"src/say.py": script})
    answer = house.starter("run", str(file), "--json", "--on-failure", "fail")
    assert answer.code == 0, [stage["error"] for stage in answer.document["stages"]]
    digests = {stage["outputs"]["said"]["digest"] for stage in answer.document["stages"]}
    sizes = {stage["outputs"]["said"]["size_bytes"] for stage in answer.document["stages"]}
    assert len(digests) == 1
    assert sizes == {len(nasty.encode())}


def test_a_requirements_file_is_installed_before_the_command_on_every_cloud(
    house: Sandbox, tmp_path: Path
) -> None:
    wheel = tmp_path / "src" / "greeting-1.0-py3-none-any.whl"
    _make_wheel(wheel)
    stages = {
        cloud: {
            "kind": "process",
            "on": cloud,
            "code": "src",
            "command": "python use.py {outputs.said}",
            "outputs": ["said"],
        }
        for cloud in ("aws", "azure", "gcp", "onprem")
    }
    files = {
        "src/requirements.txt": f"./{wheel.name}\n",
        "src/use.py": "import greeting, pathlib, sys; pathlib.Path(sys.argv[1], 'said').write_text(greeting.WORDS)",
    }
    file = write(tmp_path, {"pipeline": "needs", "stages": stages}, files)
    answer = house.starter("run", str(file), "--json", "--on-failure", "fail")
    assert answer.code == 0, [stage["error"] for stage in answer.document["stages"]]


def _make_wheel(path: Path) -> None:
    import zipfile

    path.parent.mkdir(parents=True, exist_ok=True)
    info = "greeting-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("greeting.py", "WORDS = 'good morning'\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        names = ("greeting.py", f"{info}/METADATA", f"{info}/WHEEL", f"{info}/RECORD")
        wheel.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in names))
