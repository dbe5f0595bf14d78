"""Budgets and limits of egress on the local clouds: what fits begins, what could exceed waits, and a person decides."""

import uuid
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from contracts.runs import RunStatus
from tests.asked import asked
from tests.e2e.agreement import agreed
from tests.e2e.runs import Run
from tests.house import Sandbox, until
from tests.pipelines import write

TRAINS = ("aws", "azure", "gcp")
WAITS = """
import pathlib, sys, time
while not pathlib.Path("{gate}").exists():
    time.sleep(0.1)
pathlib.Path(sys.argv[1], "done.txt").write_text("done")
"""
ROWS = 124_123
"""What the file that is copied weighs."""
FINEST = Decimal("1e-8")
"""A run's account has nine digits of each step, the ledger all."""


@dataclass
class Three:
    """Three jobs side by side, each on its own cloud, that go on until they are let."""

    house: Sandbox
    folder: Path
    mark: str

    @property
    def gate(self) -> Path:
        return self.folder / "gate"

    @property
    def clouds(self) -> dict[str, str]:
        return {f"on_{cloud}_{self.mark}": cloud for cloud in TRAINS}

    def file(self, **fields: Any) -> Path:
        job = {
            "kind": "train",
            "code": "src",
            "command": "python waits.py {outputs.done}",
            "outputs": ["done"],
            "timeout": "10h",
            "retries": 0,
        }
        stages = {name: {**job, "on": cloud} for name, cloud in self.clouds.items()}
        files = {"src/waits.py": WAITS.format(gate=self.gate)}
        return write(self.folder, {"pipeline": "three", "stages": stages, **fields}, files)

    def most(self) -> dict[str, Decimal]:
        """What each may cost, as the plan says it."""
        quote = self.house.starter("plan", str(self.file()), "--json", check=True).document["quote"]
        return {line["name"]: Decimal(line["high"]) for line in quote["lines"]}

    def jobs(self) -> dict[str, int]:
        """How many jobs each cloud itself has had for them."""
        return {name: len(self.house.jobs(cloud, name)) for name, cloud in self.clouds.items()}


@pytest.fixture(autouse=True)
def everything_up(house: Sandbox) -> None:
    house.all_up()


@pytest.fixture
def three(house: Sandbox, tmp_path: Path) -> Three:
    return Three(house, tmp_path, uuid.uuid4().hex[:6])


def standing(run: Run, budget: Decimal) -> RunStatus | None:
    """How a run stands, which may never spend more than was agreed to."""
    status = asked(run.house, run.id)
    if status and status.spending:
        held = status.spending
        assert held.spent + held.held_cost <= budget + held.allowed
    return status


def waiting(run: Run, budget: Decimal, running: int) -> RunStatus:
    """How it stands once so many jobs run and another step asks."""

    def look() -> RunStatus | None:
        status = standing(run, budget)
        jobs = [stage.job for stage in status.stages.values() if stage.job] if status else []
        alive = [job for job in jobs if job.phase.value == "RUNNING"]
        return status if status and status.asking and len(alive) == running else None

    found: RunStatus = until(look, f"{run.id} asks while {running} jobs run")
    return found


def begun(three: Three) -> tuple[Run, Decimal, str]:
    """A run of which any two jobs fit into the budget, its budget, and the stage that has to ask."""
    most = three.most()
    budget = (sum(most.values(), Decimal(0)) - min(most.values()) / 2).quantize(Decimal("0.01"))
    run = Run.start(three.house, three.file(budget=f"{budget} USD"), "--on-failure", "fail")
    (stage,) = waiting(run, budget, running=2).asking
    assert three.jobs() == {name: int(name != stage) for name in three.clouds}
    return run, budget, stage


def test_of_three_jobs_on_three_clouds_two_begin_and_the_third_waits_for_a_yes(three: Three) -> None:
    run, budget, stage = begun(three)
    text = run.text()
    assert f"could exceed the budget of {budget} USD" in " ".join(text.split())
    assert f"approve {run.id} {stage} --answer yes" in text
    three.house.starter("approve", run.id, stage, "--answer", "yes", "--by", "ann", check=True)
    until(lambda: not (now := standing(run, budget)) or not now.asking, f"{stage} asks no more")
    until(lambda: three.jobs()[stage], f"a job of {stage}")
    three.gate.touch()
    document = run.until("SUCCEEDED")
    assert three.jobs() == dict.fromkeys(three.clouds, 1)
    (decided,) = document["decisions"]
    assert (decided["stage"], decided["rule"], decided["by"]) == (stage, "budget", "ann")
    lines = agreed(three.house, document)
    spent = sum(Decimal(line["BilledCost"]) for line in lines)
    assert abs(spent - Decimal(document["budget"]["spent"])) < FINEST
    assert 0 < spent <= budget + Decimal(document["budget"]["allowed_above"])
    assert document["budget"]["under_way"] == "0"


def test_after_a_no_the_third_job_was_never_submitted(three: Three) -> None:
    run, budget, stage = begun(three)
    three.house.starter("approve", run.id, stage, "--answer", "no", "--by", "ann", check=True)
    document = run.until("FAILED")
    errors = {one["name"]: one["error"]["kind"] for one in document["stages"] if one["error"]}
    assert errors[stage] == "BUDGET_EXCEEDED"
    assert three.jobs() == {name: int(name != stage) for name in three.clouds}
    lines = agreed(three.house, document)
    assert {line["ResourceId"].rpartition("/")[2] for line in lines} == {*three.clouds} - {stage}
    assert sum(Decimal(line["BilledCost"]) for line in lines) <= budget


def test_what_could_leave_a_cloud_beyond_max_egress_waits_and_after_a_no_is_never_sent(
    house: Sandbox, tmp_path: Path
) -> None:
    ingest = {"kind": "copy", "on": "aws", "source": "file:///quickstart/breast_cancer.csv"}
    copy = {"kind": "copy", "inputs": {"it": "ingest"}, "on_failure": "skip"}
    copies = {
        "fits": {**copy, "on": "azure"},
        "allowed": {**copy, "on": "gcp", "after": ["fits"]},
        "refused": {**copy, "on": "onprem", "after": ["fits"]},
    }
    spec = {"pipeline": "leaving", "max_egress": "200kB", "stages": {"ingest": ingest, **copies}}
    lay = rows_at_home(house)
    run = Run.start(house, write(tmp_path, spec))
    first = until(lambda: (now := asked(house, run.id)) and len(now.asking) == 2 and now, "two that ask")
    assert {one.destination for one in first.transfers if one.source == "aws/default"} == {"azure/default"}
    assert all("more than max_egress of" in gate.question for gate in first.asking.values())
    house.starter("approve", run.id, "allowed", "--answer", "yes", check=True)
    house.starter("approve", run.id, "refused", "--answer", "no", check=True)
    document = run.until("SUCCEEDED")
    states = {one["name"]: one["state"] for one in document["stages"]}
    assert states == {
        "ingest": "SUCCEEDED",
        "fits": "SUCCEEDED",
        "allowed": "SUCCEEDED",
        "refused": "SKIPPED",
    }
    sent = [line for line in agreed(house, document) if line["BillingAccountId"] == "aws/default"]
    assert {line["x_Destination"] for line in sent} == {"azure/default", "gcp/default"}
    assert [int(line["ConsumedQuantity"]) for line in sent] == [ROWS, ROWS]
    assert document["budget"]["sent_bytes"] == 2 * ROWS
    assert rows_at_home(house) == lay


def rows_at_home(house: Sandbox) -> list[Path]:
    """Every file on-prem that weighs what the rows do."""
    files = (path for path in (house.root / "onprem").rglob("*") if path.is_file())
    return sorted(path for path in files if path.stat().st_size == ROWS)
