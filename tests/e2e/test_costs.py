"""What runs cost, as the real command line says it of real runs on the local clouds."""

import asyncio
import csv
import io
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil
import pytest
from temporalio.client import Client, WorkflowHandle

from contracts.connect import plugin
from contracts.runs import RunStatus
from starter.focus import COLUMNS
from tests.asked import asked
from tests.e2e.agreement import agreed, kept
from tests.e2e.runs import ENDED, Run
from tests.house import Sandbox, awaited, kill, until
from tests.pipelines import SLEEPER, write
from tests.serving import HELPER

KILLS = 3
SERVER = "from serving import serve\nserve(lambda rows: rows)\n"


@pytest.fixture(scope="module", autouse=True)
def prices(house: Sandbox) -> Iterator[None]:
    """The on-prem machine costs a tenth of a cent a second."""
    file = house.root / "settings" / "onprem.env"
    file.parent.mkdir(exist_ok=True)
    file.write_text("CAUSEWAY_ONPREM_PRICE=3.60 USD\n")
    house.sandbox("up", "--workers")
    yield
    file.unlink()
    house.sandbox("up", "--workers")


def chain(folder: Path) -> Path:
    """Three jobs on two clouds."""
    job = {
        "kind": "train",
        "code": "src",
        "command": "python sleep.py --seconds 1 --out {outputs.result}",
        "outputs": ["result"],
    }
    stages = {
        "one": {**job, "on": "onprem"},
        "two": {**job, "on": "aws", "inputs": {"it": "one.result"}},
        "three": {**job, "on": "onprem", "inputs": {"it": "two.result"}},
    }
    return write(folder, {"pipeline": "costly", "stages": stages}, {"src/sleep.py": SLEEPER})


async def posting(run: WorkflowHandle[Any, Any]) -> list[int]:
    """The posts of a run that have begun and have not ended, as its history tells."""
    history = await run.fetch_history()
    begun = [
        event.event_id
        for event in history.events
        if event.activity_task_scheduled_event_attributes.activity_type.name == "ledger.post"
    ]
    ended = {event.activity_task_completed_event_attributes.scheduled_event_id for event in history.events}
    return [number for number in begun if number not in ended]


async def killed_while_posting(house: Sandbox, run: Run) -> int:
    """Kill the worker of workflows whenever it posts, a few times at most; return how often that was."""
    client = await Client.connect(house.environment("starter")["TEMPORAL_ADDRESS"], plugins=[plugin()])
    handle = client.get_workflow_handle(run.id)
    done = 0

    async def look() -> bool:
        nonlocal done
        if done < KILLS and await posting(handle):
            victims: list[psutil.Process] = await asyncio.to_thread(lambda: list(house.workers("workflows")))
            if victims:
                await asyncio.to_thread(kill, victims[0])
                done += 1
        return bool((await handle.describe()).close_time)

    await awaited(look, f"the end of {run.id}")
    return done


def test_a_worker_killed_while_it_posts_leaves_each_charge_once_in_the_ledger_and_in_the_report(
    house: Sandbox, tmp_path: Path
) -> None:
    run = Run.start(house, chain(tmp_path))
    assert asyncio.run(killed_while_posting(house, run)) > 0
    document = run.until("SUCCEEDED")
    status = asked(house, run.id)
    assert isinstance(status, RunStatus)
    assert status.phase.value in ENDED
    lines = agreed(house, document)
    told = {(line.stage, line.kind): (str(line.count), line.quantity, line.cost) for line in status.charges}
    held = {
        (line["ResourceId"].removeprefix(f"{run.id}/"), kind_of(line)): (
            str(line["x_ChargeCount"]),
            Decimal(line["ConsumedQuantity"]),
            None if line["BilledCost"] is None else Decimal(line["BilledCost"]),
        )
        for line in lines
    }
    assert held == told
    assert {name for name, kind in held if kind == "compute"} == {"one", "two", "three"}
    # What the second leaves has the content of what the first left there, so it is not brought back.
    assert [name for name, kind in held if kind == "transfer"] == ["one.result-to-aws.default"]
    assert {count for count, _, _ in held.values()} == {"1"}


def test_an_endpoint_is_charged_once_until_it_is_gone_though_the_worker_of_workflows_is_killed_meanwhile(
    house: Sandbox, tmp_path: Path
) -> None:
    job = {"kind": "process", "code": "src", "command": "python sleep.py --seconds 5 --out {outputs.result}"}
    stages = {
        "serve": {"kind": "deploy", "on": "onprem", "code": "src", "command": "python server.py"},
        "beside": {**job, "on": "onprem", "outputs": ["result"], "after": ["serve"]},
    }
    files = {"src/sleep.py": SLEEPER, "src/serving.py": HELPER, "src/server.py": SERVER}
    run = Run.start(house, write(tmp_path, {"pipeline": "served", "stages": stages}, files))
    until(lambda: "job running" in run.line("beside"), "a job beside the endpoint")
    kill(house.worker("workflows"))
    document = run.until("SUCCEEDED")
    (line,) = [one for one in agreed(house, document) if kind_of(one) == "endpoint"]
    assert (line["x_ChargeCount"], line["BillingCurrency"]) == (1, "USD")
    seconds = Decimal(line["ConsumedQuantity"])
    assert seconds > 5
    assert Decimal(line["BilledCost"]) == (seconds / 1000).quantize(Decimal("1e-10"))
    row = next(row for row in document["costs"] if row["name"] == "serve")
    assert (row["kind"], row["high"], Decimal(row["spent"])) == (
        "endpoint",
        None,
        Decimal(line["BilledCost"]),
    )


def kind_of(line: dict[str, Any]) -> str:
    if line["ChargeDescription"].startswith("an endpoint:"):
        return "endpoint"
    return "transfer" if line["ServiceCategory"] == "Networking" else "compute"


def test_the_quickstart_costs_what_its_quote_allows_and_a_person_reads_it_in_80_columns(
    house: Sandbox,
) -> None:
    planned = house.starter("plan", "quickstart", "--json", check=True).document
    document = house.starter("run", "quickstart", "--json", "--key", "costs", check=True).document
    lines = agreed(house, document)
    kept(planned, lines)
    assert {"AWS", "Azure", "On-premises", "Microsoft", "Google Cloud"} >= {
        line["ProviderName"] for line in lines
    }
    shown = house.starter("costs", "--run", "quickstart/costs", check=True).out
    assert shown.count("no invoice") == 1
    assert "sum: " in shown
    written = house.starter("costs", "--run", "quickstart/costs", "--csv", check=True).out
    table = list(csv.DictReader(io.StringIO(written)))
    assert tuple(table[0]) == COLUMNS
    assert [row["BilledCost"] for row in table] == [line["BilledCost"] or "" for line in lines]
    month = house.starter("costs", "--by", "run", "--json", check=True).document
    assert "quickstart/costs" in {group["run"] for group in month["groups"]}


def test_what_cannot_be_told_is_a_clear_line_and_an_exit_code(house: Sandbox) -> None:
    empty = house.starter("costs", "--month", "2020-01")
    assert (empty.code, empty.out) == (0, "Costs of 2020-01: nothing was charged\n")
    for wrong in (
        ("--month", "2020-13"),
        ("--by", "colour"),
        ("--run", "no/such"),
        ("--run", "a/b", "--month", "2020-01"),
    ):
        answer = house.starter("costs", *wrong)
        assert answer.code == 2, wrong
        assert "Traceback" not in answer.err
