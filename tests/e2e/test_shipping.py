"""`logs_uri` on real stores: the logs of a stage that failed lie in the bucket, wherever the stage ran."""

import json
from pathlib import Path
from typing import Any

import boto3

from sandbox.layout import CONTAINER
from tests.house import Sandbox
from tests.pipelines import write

FAILS = "import sys\nprint('about to fail', flush=True)\nsys.exit('no such column')\n"


def lying_below(house: Sandbox, prefix: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """Text and description of each object of the default bucket, by what its name has after the prefix."""
    environment = house.environment("aws")
    s3 = boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )
    found = {}
    for item in s3.list_objects_v2(Bucket=CONTAINER, Prefix=prefix).get("Contents", []):
        answer: Any = s3.get_object(Bucket=CONTAINER, Key=item["Key"])
        found[item["Key"].removeprefix(prefix)] = (answer["Body"].read().decode(), answer)
    return found


def test_the_logs_of_failed_stages_lie_in_the_bucket_encrypted_whichever_cloud_they_failed_on(
    house: Sandbox, tmp_path: Path
) -> None:
    stage = {
        "kind": "process",
        "code": "src",
        "command": "python fail.py",
        "outputs": [],
        "retries": 0,
        "on_failure": "skip",
    }
    stages = {cloud: {**stage, "on": cloud} for cloud in ("aws", "azure", "gcp", "onprem")}
    spec = {"pipeline": "kept", "logs_uri": f"s3://{CONTAINER}/logs", "stages": stages}
    file = write(tmp_path, spec, {"src/fail.py": FAILS})
    answer = house.starter("run", str(file), "--key", "one", "--json")
    assert answer.code == 0, answer.err
    lying = lying_below(house, "logs/kept/one/")
    names = ("job.log", "worker.jsonl")
    assert sorted(lying) == sorted(f"{cloud}/1/{name}" for cloud in stages for name in names)
    for stage in answer.document["stages"]:
        text, described = lying[f"{stage['name']}/1/job.log"]
        assert "about to fail" in text
        assert "no such column" in text
        assert described["ServerSideEncryption"] == "AES256"
        lines = [json.loads(line) for line in lying[f"{stage['name']}/1/worker.jsonl"][0].splitlines()]
        assert {line["run"] for line in lines} == {"kept/one"}
        assert {"jobs.submit", "jobs.wait"} <= {line["activity"] for line in lines}
        prefix = f"s3://{CONTAINER}/logs/kept/one/{stage['name']}/1/"
        assert sorted(stage["logs"]) == [prefix + name for name in names]
    assert house.starter("report", "kept/one").out.count("/job.log") == 4
