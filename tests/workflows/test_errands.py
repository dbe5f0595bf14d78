"""What the command line starts and waits for has an end, and does not outlive a person's patience unless it should."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError

from contracts.checks import CheckRequest, CheckWanted
from contracts.sweeps import SweepRequest
from starter import errands
from starter.errands import Errand
from starter.exits import Exit, StarterError
from tests.house import PATIENCE_SECONDS
from tests.workflows.play import Play
from workflows.check import CheckWorkflow
from workflows.sweep import SweepWorkflow

WANTED = CheckWanted(requests=(CheckRequest(connection="aws/default"),))
SWEEP = SweepRequest(connections=("aws/default",), older_than=timedelta(hours=2))


async def status_of(play: Play, identity: str) -> Any:
    with pytest.raises(WorkflowFailureError):
        async with asyncio.timeout(PATIENCE_SECONDS):
            await play.client.get_workflow_handle(identity).result()
    return (await play.client.get_workflow_handle(identity).describe()).status


async def interrupt(work: asyncio.Task[object]) -> None:
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work


async def test_an_errand_that_nobody_takes_up_ends_with_a_line_that_says_what_to_do(play: Play) -> None:
    errand = Errand("check", "check:alone", timedelta(seconds=1))
    with pytest.raises(StarterError, match="the check was not over after 1s and was ended") as told:
        await errands.run(play.client, CheckWorkflow.run, WANTED, errand)
    assert told.value.code is Exit.UNREACHABLE
    assert "python -m workers workflows" in told.value.message
    assert await status_of(play, errand.id) is WorkflowExecutionStatus.TIMED_OUT


async def test_ctrl_c_leaves_no_check_running(play: Play, capsys: pytest.CaptureFixture[str]) -> None:
    await play.serve("aws/default")
    looking = play.world.hold("connections.check")
    errand = Errand("check", "check:left", timedelta(minutes=5))
    work = play.in_background(errands.run(play.client, CheckWorkflow.run, WANTED, errand))
    await play.reach(looking)
    await interrupt(work)
    looking.release()
    assert await status_of(play, errand.id) is WorkflowExecutionStatus.CANCELED
    assert "the check is cancelled" in capsys.readouterr().err


async def test_ctrl_c_leaves_a_sweep_that_stops_things_running_and_says_so(
    play: Play, capsys: pytest.CaptureFixture[str]
) -> None:
    await play.serve("aws/default")
    finding = play.world.hold("sweep.find")
    errand = Errand("sweep", "sweep:left", timedelta(days=1), goes_on=True)
    asked = SWEEP.model_copy(update={"stop": True})
    work = play.in_background(errands.run(play.client, SweepWorkflow.run, asked, errand))
    await play.reach(finding)
    await interrupt(work)
    finding.release()
    report = await play.client.get_workflow_handle_for(SweepWorkflow.run, errand.id).result()
    assert [swept.connection for swept in report.connections] == ["aws/default"]
    assert "the sweep goes on without you, for at most 1d: sweep:left" in capsys.readouterr().err
