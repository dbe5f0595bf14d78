"""A policy at every worker of the local clouds: what keeps to it runs, what breaks it does not begin, whoever asks."""

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from contracts.artifacts import ObjectStat
from contracts.connect import plugin
from contracts.copies import CopyItem, CopyRequest
from contracts.errors import ErrorKind
from contracts.grants import Measure, ReadGrantRequest, WriteGrantRequest, WriteIntent
from contracts.jobs import JobRequest, RunRef
from contracts.leaves import LeaveRef
from contracts.queues import WORKFLOW_QUEUE, queue_of
from contracts.storage import StatRequest
from starter.copies import CopyOptions, request_of
from tests.e2e.runs import Run
from tests.forged import Forged, asked, refused
from tests.house import WORKERS, Sandbox, until
from tests.pipelines import write
from workflows.transfer import TransferWorkflow

POLICY = """
classes:
  people: {clouds: [aws, gcp, onprem], regions: ["us-*"], encryption: provider}
data:
  file:///people/: people
images: [sandbox]
max_egress: {run: 1MB}
approvals:
  crossing: [people]
waivers:
  crossing: [dana]
places:
  onprem: us-east-1
  aws: us-east-1
  gcp: us-central1
"""
PEOPLE = b"name,age\nAda,36\n"
OLDER = "import pathlib, sys\npathlib.Path(sys.argv[2], 'older.csv').write_text(pathlib.Path(sys.argv[1]).read_text())\n"
FETCH = {"kind": "copy", "on": "aws", "source": "file:///people/list.csv"}
OLDER_STAGE = {
    "kind": "process",
    "on": "aws",
    "code": "src",
    "inputs": {"people": "fetch"},
    "command": "python older.py {inputs.people} {outputs.older}",
    "outputs": ["older"],
}
AWAY = {"kind": "copy", "on": "gcp", "inputs": {"people": "fetch"}}
BROKEN = {
    "place": {**FETCH, "on": "azure"},
    "lock": {**FETCH, "on": "onprem"},
    "image": {**OLDER_STAGE, "image": "ghcr.io/stranger/image:1"},
    "fetch": FETCH,
    "large": {"kind": "copy", "on": "aws", "source": "file:///ruled/large.bin"},
    "leaves": {"kind": "copy", "on": "gcp", "inputs": {"large": "large"}},
}


@pytest.fixture(scope="module")
def policy(house: Sandbox) -> Iterator[Path]:
    """All workers of the house go by it, until the last test of it has ended."""
    file = house.root / "policy.yaml"
    file.write_text(POLICY)
    for name, content in {"people/list.csv": PEOPLE, "ruled/large.bin": bytes(1_000_001)}.items():
        path = house.root / "onprem" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    settings = [house.root / "settings" / f"{worker}.env" for worker in WORKERS]
    for path in settings:
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"CAUSEWAY_POLICY={file}\n")
    house.sandbox("up", "--workers")
    yield file
    for path in settings:
        path.unlink()
    house.sandbox("up", "--workers")


def pipeline(folder: Path, **stages: dict[str, Any]) -> Path:
    return write(folder, {"pipeline": "ruled", "stages": stages}, {"src/older.py": OLDER})


def stored(house: Sandbox, cloud: str) -> set[Path]:
    """All that a local store keeps of anybody's data."""
    below = {"azure": "state/blob/__blobstorage__", "gcp": "state/gcs/objects"}[cloud]
    return {path for path in (house.root / below).rglob("*") if path.is_file()}


def people(files: set[Path]) -> list[Path]:
    return [path for path in files if path.read_bytes() == PEOPLE]


def test_a_run_that_keeps_all_rules_is_asked_nothing_and_its_data_say_their_class(
    house: Sandbox, policy: Path, tmp_path: Path
) -> None:
    file = pipeline(tmp_path, fetch=FETCH, older=OLDER_STAGE)
    assert house.starter("validate", str(file), "--policy", str(policy)).code == 0
    answer = house.starter("run", str(file), "--json", "--on-failure", "fail")
    assert answer.code == 0, answer.err
    uris = [stage["outputs"].popitem()[1]["uri"] for stage in answer.document["stages"]]
    assert all("/classes.people/" in uri for uri in uris), uris
    assert answer.document["decisions"] == []


def test_a_crossing_waits_for_those_who_may_allow_it_and_then_the_data_cross(
    house: Sandbox, policy: Path, tmp_path: Path
) -> None:
    file = pipeline(tmp_path, fetch=FETCH, away=AWAY)
    run = Run.start(house, file, "--on-failure", "fail")
    gate = until(lambda: run.document.get("gate"), "the question of the run")
    assert "cross from aws/default (us-east-1) to gcp/default (us-central1)" in gate["question"]
    assert people(stored(house, "gcp")) == []
    assert house.starter("approve", run.id, "--answer", "yes", "--by", "mallory").code == 2
    house.starter("approve", run.id, "--answer", "yes", "--by", "dana", "--comment", "agreed", check=True)
    ended = run.until("SUCCEEDED")
    assert len(people(stored(house, "gcp"))) == 1
    (decided,) = ended["decisions"]
    assert (decided["rule"], decided["by"], decided["reason"]) == ("crossing", "dana", "agreed")
    page = tmp_path / "report.html"
    house.starter("report", run.id, "--html", str(page), check=True)
    assert all(word in page.read_text() for word in ("crossing", "dana", "agreed"))


def test_each_rule_that_a_pipeline_breaks_is_told_and_no_byte_moves(
    house: Sandbox, policy: Path, tmp_path: Path
) -> None:
    file, before = pipeline(tmp_path, **BROKEN), stored(house, "azure")
    answer = house.starter("validate", str(file), "--policy", str(policy))
    assert answer.code == 2
    assert "stages.place: rule clouds" in answer.err
    assert "stages.image: rule images" in answer.err
    answer = house.starter("plan", str(file), "--json")
    assert answer.code == 2
    found = {(one["rule"], one["stage"]) for one in answer.document["violations"]}
    assert found >= {("clouds", "place"), ("encryption", "lock"), ("images", "image"), ("egress_run", "")}
    answer = house.starter("run", str(file), "--json", "--on-failure", "fail")
    assert answer.code == 1
    assert "rule clouds, stage place" in answer.document["notes"][-1]
    assert stored(house, "azure") == before


def test_what_is_forged_is_refused_by_the_workers_themselves(
    house: Sandbox, policy: Path, tmp_path: Path
) -> None:
    kept = Run.start(house, pipeline(tmp_path, fetch=FETCH), "--on-failure", "fail").until("SUCCEEDED")
    uri, before = kept["stages"][0]["outputs"]["data"]["uri"], stored(house, "azure")
    asyncio.run(_forged(house, uri, LeaveRef(run=kept["run_id"], about="fetch")))
    assert stored(house, "azure") == before
    assert not (house.root / "onprem/forged").exists()
    assert people(stored(house, "azure")) == []


async def _forged(house: Sandbox, uri: str, leave: LeaveRef) -> None:
    """Ask the workers for all that would bring the people to Azure, past every plan."""
    client = await Client.connect(house.environment("starter")["TEMPORAL_ADDRESS"], plugins=[plugin()])
    queue = f"forged-{uuid.uuid4().hex}"
    aws, azure = queue_of("aws/default"), queue_of("azure/default")
    runner = UnsandboxedWorkflowRunner()
    async with Worker(client, task_queue=queue, workflows=[Forged], workflow_runner=runner):
        found = await asked(client, aws, "storage.stat", StatRequest(uri=uri), via=queue)
        held = ObjectStat.model_validate(found)
        read = ReadGrantRequest(objects=(held,), destination="azure/default", leave=leave)
        assert "not on azure/default" in await refused(client, aws, "storage.grant_read", read, via=queue)
        told_other = read.model_copy(update={"destination": "gcp/default"})
        assert "rule crossing" in await refused(client, aws, "storage.grant_read", told_other, via=queue)
        target = "az://causeway/forged/list.csv"
        copy = CopyRequest(items=(CopyItem(source=held, target=target),), leave=leave)
        assert "not on azure/default" in await refused(client, azure, "storage.copy", copy, via=queue)
        open_ = CopyRequest(items=(CopyItem(source=held, target="file:///forged/list.csv"),), leave=leave)
        onprem = queue_of("onprem/default")
        assert "rule encryption" in await refused(client, onprem, "storage.copy", open_, via=queue)
        measure = Measure(source=held, crc32c="", md5="", sha256="")
        write = WriteGrantRequest(intents=(WriteIntent(target=target, measure=measure),), leave=leave)
        assert "rule clouds" in await refused(client, azure, "storage.grant_write", write, via=queue)
        run = RunRef(pipeline="forged", key="forged", run_uid=uuid.uuid4().hex)
        job = JobRequest(run=run, stage="x", generation=1, kind="process", command=(), image="ghcr.io/x/y:1")
        assert "rule images" in await refused(client, aws, "jobs.submit", job, via=queue)
    transfer = request_of(CopyOptions(source=uri, target=target))
    with pytest.raises(WorkflowFailureError) as failed:
        await client.execute_workflow(
            TransferWorkflow.run, transfer, id=f"copy/{queue}", task_queue=WORKFLOW_QUEUE
        )
    assert ErrorKind.POLICY_VIOLATION in str(failed.value.cause.cause.type)  # type: ignore[union-attr]
