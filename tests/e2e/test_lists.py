"""Runs are found again by what they are: the real `list` against a real server's search attributes."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from contracts.runs import PIPELINE_KEY
from tests.e2e.runs import Run
from tests.house import CHECKOUT, Sandbox, until
from tests.pipelines import sleeper, write


@pytest.fixture(autouse=True)
def everything_up(house: Sandbox) -> None:
    house.all_up()


@workflow.defn(name="cut")
class Cut:
    """A workflow of one's own whose history is cut twice."""

    @workflow.run
    async def run(self, times: int) -> None:
        await asyncio.sleep(1)
        if times:
            workflow.continue_as_new(times - 1)


def listed(house: Sandbox, *arguments: str) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = house.starter("list", *arguments, "--json", check=True).document["runs"]
    return runs


def names(house: Sandbox, *arguments: str) -> set[str]:
    return {run["run_id"] for run in listed(house, "--limit", "500", *arguments)}


def at_temporal(house: Sandbox, asked: Any) -> Any:
    async def whole() -> Any:
        address = house.environment("starter")["TEMPORAL_ADDRESS"]
        return await asked(await Client.connect(address))

    return asyncio.run(whole())


def gate(folder: Path, name: str) -> Path:
    stages = {"ask": {"kind": "approve", "question": "Shall it?"}}
    return write(folder, {"pipeline": name, "stages": stages})


def test_runs_are_found_by_state_pipeline_cloud_time_and_whom_they_wait_for(
    house: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "gate").mkdir()
    asking = Run.start(house, gate(tmp_path / "gate", "list-gate"))
    asking.reach("WAITING")
    napping = Run.start(house, sleeper(tmp_path, "onprem", 0))
    napping.reach("SUCCEEDED")
    both = {asking.id, napping.id}
    until(lambda: both <= names(house), "both are listed")
    assert names(house, "--waiting") & both == {asking.id}
    over = ("--state", "succeeded", "--state", "FAILED")
    until(lambda: names(house, *over) & both == {napping.id}, "one of them is over")
    assert names(house, "--cloud", "onprem") & both == {napping.id}
    assert names(house, "--cloud", "onprem", "--cloud", "aws") & both == set()
    assert names(house, "--pipeline", "list-gate") == {asking.id}
    assert names(house, "--since", "2h") >= both
    assert not names(house, "--until", "2h") & both
    (row,) = listed(house, "--pipeline", "list-gate")
    assert (row["state"], row["waiting_for"]) == ("WAITING", "an answer to ask")
    assert row["seconds"] > 0
    text = house.starter("list", "--pipeline", "list-gate", check=True).out
    assert all(word in text for word in (asking.id, "WAITING", "an answer to ask"))
    at_temporal(house, lambda client: client.get_workflow_handle(asking.id).terminate())
    until(lambda: names(house, "--pipeline", "list-gate", "--state", "FAILED"), "it counts as failed")
    assert not names(house, "--pipeline", "list-gate", "--waiting")
    assert not names(house, "--pipeline", "list-gate", "--state", "waiting")
    assert "did you mean 'list-gate'" in house.starter("list", "--pipeline", "list-gat", check=True).out


def test_a_workflow_of_ones_own_is_listed(house: Sandbox) -> None:
    file = CHECKOUT / "pipelines" / "custom_workflow"
    run = Run.start(house, file, "--on-failure", "fail")
    # Search attributes are written a moment after the start.
    until(lambda: run.id in names(house, "--pipeline", "custom-workflow"), "it is listed")
    until(lambda: run.id in names(house, "--state", "succeeded"), "it has succeeded")


def test_a_run_whose_history_was_cut_is_one_run_from_its_first_begin(house: Sandbox) -> None:
    async def cut(client: Client) -> datetime:
        marks = TypedSearchAttributes([SearchAttributePair(PIPELINE_KEY, "cut")])
        async with Worker(
            client, task_queue="cut", workflows=[Cut], workflow_runner=UnsandboxedWorkflowRunner()
        ):
            run = await client.start_workflow(
                "cut", 2, id="cut/one", task_queue="cut", search_attributes=marks
            )
            await run.result()
        first = client.get_workflow_handle(run.id, run_id=run.first_execution_run_id)
        return (await first.describe()).start_time

    began: datetime = at_temporal(house, cut)
    (row,) = until(lambda: listed(house, "--pipeline", "cut", "--state", "succeeded"), "its end")
    assert abs(datetime.fromisoformat(row["started_at"]) - began) < timedelta(milliseconds=2)
    assert row["seconds"] > 2.5


def test_pages_follow_one_another_without_gap_or_repetition(house: Sandbox, tmp_path: Path) -> None:
    runs = {Run.start(house, gate(tmp_path, "list-pages")).id for _ in range(5)}
    of = ("--pipeline", "list-pages", "--limit", "2")
    pages = [house.starter("list", *of, "--page", str(page), "--json").document for page in (1, 2, 3)]
    assert [page["more"] for page in pages] == [True, True, False]
    assert [len(page["runs"]) for page in pages] == [2, 2, 1]
    assert {run["run_id"] for page in pages for run in page["runs"]} == runs
    assert "add --page 2" in house.starter("list", *of).err
    assert "there is no page 9" in house.starter("list", *of, "--page", "9").out
    for run in runs:
        house.starter("cancel", run, check=True)


def test_a_wrong_value_is_refused_with_what_would_be_right(house: Sandbox) -> None:
    answer = house.starter("list", "--state", "faild")
    assert (answer.code, "did you mean 'FAILED'?" in answer.err) == (2, True), answer.err
