"""Who owns what, as a real Temporal server tells it."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.client import WorkflowExecutionStatus
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from activities.owners import TemporalOwners
from contracts.connect import plugin
from contracts.errors import ErrorKind
from contracts.runs import PIPELINE_WORKFLOW, RUN_UID_KEY, SEARCH_ATTRIBUTES, RunStatus
from contracts.sweeps import Owner, OwnersRequest
from tests.fakes.lives import Life
from tests.house import PATIENCE_SECONDS
from tests.workflows.play import Play, spec_of
from tests.workflows.servers import dev_server
from workflows.pipeline import PipelineWorkflow

HOUR = timedelta(hours=1)
QUICK = timedelta(seconds=1)
NOBODY = "0" * 32


async def owners(play: Play, *run_uids: str) -> dict[str, Owner]:
    asked = OwnersRequest(run_uids=run_uids)
    told = await TemporalOwners(play.client, patience=QUICK).owners(asked)
    assert tuple(owner.run_uid for owner in told.owners) == run_uids
    return {owner.run_uid: owner for owner in told.owners}


async def told(play: Play, run_uid: str, *, live: bool) -> Owner:
    """The owner, once visibility has caught up."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            owner = (await owners(play, run_uid))[run_uid]
            if owner.live is live and owner.workflow_id:
                return owner
            await asyncio.sleep(0.1)


async def until_refused(play: Play) -> None:
    """Ask until it is refused, for visibility may be behind."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            await owners(play, NOBODY)
            await asyncio.sleep(0.1)


async def test_a_run_owns_what_it_made_until_it_has_ended(forgetful: Play) -> None:
    play = forgetful
    play.world.lives["job"] = [Life(runs=HOUR)]
    run = await play.start(spec_of({"job": {}}))
    await play.until_noted(run, "job", "job running")
    status: RunStatus = await run.query(PipelineWorkflow.status)
    uid = status.run.run_uid
    assert (await told(play, uid, live=True)).workflow_id == run.id
    assert (await owners(play, uid, NOBODY))[NOBODY] == Owner(run_uid=NOBODY, live=False)
    await run.cancel()
    await play.cancelled(run)
    ended = await told(play, uid, live=False)
    assert ended.closed_at is not None


async def test_a_run_whose_history_was_cut_owns_nothing_once_it_was_terminated(forgetful: Play) -> None:
    play = forgetful
    names = [f"job{number}" for number in range(6)]
    play.world.lives[names[-1]] = [Life(runs=HOUR)]
    stages = {name: {"after": names[at - 1 : at] if at else []} for at, name in enumerate(names)}
    run = await play.start(spec_of(stages))
    status = await play.until_noted(run, names[-1], "job running")
    uid = status.run.run_uid
    await run.terminate()
    executions = [found async for found in play.client.list_workflows(f'WorkflowId = "{run.id}"')]
    assert WorkflowExecutionStatus.CONTINUED_AS_NEW in {found.status for found in executions}
    # Visibility may not know yet who goes on.
    assert (await told(play, uid, live=True)).workflow_id == run.id
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            (owner,) = (
                await TemporalOwners(play.client, cut=timedelta(0)).owners(OwnersRequest(run_uids=(uid,)))
            ).owners
            if not owner.live:
                break
            await asyncio.sleep(0.1)
    assert owner.closed_at is not None


async def test_a_live_run_that_does_not_tell_its_mark_keeps_everything_from_being_an_orphan(
    forgetful: Play,
) -> None:
    play = forgetful
    mute = await play.client.start_workflow(PIPELINE_WORKFLOW, id="play/mute", task_queue="nobody")
    with pytest.raises(ApplicationError, match="play/mute lives and does not tell what it owns") as refused:
        await until_refused(play)
    assert refused.value.type == ErrorKind.UNAVAILABLE
    await mute.terminate()


async def test_a_server_that_does_not_know_the_mark_is_no_reason_to_stop_anything(
    runner: asyncio.Runner,
) -> None:
    others = [key for key in SEARCH_ATTRIBUTES if key is not RUN_UID_KEY]
    env = await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(dev_server()), search_attributes=others, plugins=[plugin()]
    )
    try:
        with pytest.raises(
            ApplicationError, match="search-attribute create --name CausewayRunUid"
        ) as refused:
            await TemporalOwners(env.client).owners(OwnersRequest(run_uids=(NOBODY,)))
        assert refused.value.non_retryable
    finally:
        await env.shutdown()
