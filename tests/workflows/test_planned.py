"""A plan asks what a run would, weighs what there is, and changes nothing; what is missing is named with its command."""

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ApplicationError

from contracts.errors import ErrorKind
from contracts.planned import Planned, PlanWanted
from contracts.queues import WORKFLOW_QUEUE
from contracts.runs import EarlierRun
from contracts.spec import PipelineSpec
from starter.exits import Exit
from starter.plans import exit_of
from tests.workflows.play import CONNECTIONS, Play, spec_of
from workflows.planned import PlanWorkflow
from workflows.weighing import PAGES

LOOKS = {"connections.preflight", "ledger.month", "storage.stat", "storage.list", "queues.describe"}
"""What changes nothing."""


async def planned(play: Play, spec: PipelineSpec) -> Planned:
    await play.serve(*CONNECTIONS)
    return await play.client.execute_workflow(
        PlanWorkflow.run, PlanWanted(spec=spec), id="plan:test", task_queue=WORKFLOW_QUEUE
    )


async def refused(play: Play, spec: PipelineSpec) -> ApplicationError:
    with pytest.raises(WorkflowFailureError) as raised:
        await planned(play, spec)
    cause = raised.value.cause
    assert isinstance(cause, ApplicationError)
    return cause


async def test_a_plan_weighs_files_and_folders_and_only_looks(play: Play) -> None:
    for number in range(play.world.page + 2):
        play.world.put(f"s3://theirs/data/{number}.csv", b"x" * 10)
    play.world.put("s3://theirs/data/notes.txt", b"x" * 1000)
    play.world.put("s3://theirs/one.bin", b"x" * 7)
    spec = spec_of(
        {
            "all": {"kind": "copy", "on": "gcp", "source": "s3://theirs/data/", "exclude": ["*.txt"]},
            "one": {"kind": "copy", "on": "azure", "source": "s3://theirs/one.bin"},
            "gone": {"kind": "copy", "on": "gcp", "source": "s3://theirs/gone.bin"},
            "train": {"inputs": {"x": "one"}},
        }
    )
    found = await planned(play, spec)
    count = play.world.page + 2
    assert found.measured.sizes == {"all.data": 10 * count, "one.data": 7, "s3://theirs/one.bin": 7}
    assert list(found.measured.unmeasured) == ["s3://theirs/gone.bin"]
    assert found.plan.quote is not None
    weighed = {line.name: line.quantity for line in found.plan.quote.of_kind("transfer").lines}
    assert weighed["one.data-to-azure.default"] == weighed["one.data-to-aws.default"] == 7
    assert {call.activity for call in play.world.calls} <= LOOKS


async def test_a_folder_of_very_many_objects_weighs_at_least_what_was_counted(play: Play) -> None:
    for number in range(play.world.page * PAGES + 1):
        play.world.put(f"s3://theirs/data/{number:04}", b"x")
    found = await planned(play, spec_of({"in": {"kind": "copy", "on": "gcp", "source": "s3://theirs/data/"}}))
    assert found.measured.sizes["in.data"] == play.world.page * PAGES
    assert found.measured.at_least == ("in.data", "s3://theirs/data/")
    assert len(play.world.asked("storage.list")) == PAGES


async def test_a_worker_that_a_pipeline_cannot_do_without_is_named_with_its_command(play: Play) -> None:
    play.world.absent = {"causeway-gcp"}
    error = await refused(play, spec_of({"a": {"on": "gcp"}, "b": {}}))
    assert error.type == ErrorKind.WORKER_ABSENT
    assert "python -m workers gcp" in error.message
    assert not play.world.asked("connections.preflight")


async def test_a_place_that_nobody_serves_is_left_out_and_said(play: Play) -> None:
    play.world.absent = {"causeway-gcp"}
    found = await planned(play, spec_of({"a": {"on": ["gcp", "aws"]}}))
    assert found.plan.placements["a"].connection == "aws/default"
    assert found.refused == {"gcp/default": "no worker serves causeway-gcp"}


async def test_a_connection_that_refuses_is_the_reason(play: Play) -> None:
    play.world.fail("connections.preflight", ErrorKind.ACCESS_DENIED, "it may not", on="aws/default")
    error = await refused(play, spec_of({"a": {}}))
    assert (error.type, error.message) == (ErrorKind.ACCESS_DENIED, "it may not")


async def test_a_run_keeps_its_quote_and_weighs_only_where_it_is_bounded_or_chooses(play: Play) -> None:
    play.world.put("s3://theirs/one.bin", b"x" * 7)
    copy = {"in": {"kind": "copy", "on": "gcp", "source": "s3://theirs/one.bin"}}
    status = await play.result(await play.start(spec_of(copy), key="plain"))
    assert status.quote is not None
    assert status.quote.lines[0].quantity is None
    copied = len(play.world.asked("storage.stat"))
    status = await play.result(await play.start(spec_of(copy, max_egress="1GB"), key="bounded"))
    assert status.quote is not None
    assert status.quote.lines[0].quantity == 7
    # Once for the plan, and once before the transfer is agreed on: the source may have grown since.
    assert len(play.world.asked("storage.stat")) == 2 * copied + 2
    ruled = spec_of(copy, policy={"max_egress": {"run": "1GB"}})
    status = await play.result(await play.start(ruled, key="ruled"))
    assert status.quote is not None
    assert status.quote.lines[0].quantity == 7
    open_stage = spec_of({**copy, "a": {"on": ["aws", "gcp"]}})
    status = await play.result(await play.start(open_stage, key="open"))
    assert status.quote is not None
    assert status.quote.lines[-1].quantity == 7
    assert [one.connection for one in status.stages["a"].candidates] == ["aws/default", "gcp/default"]
    assert len([one for one in status.stages["a"].candidates if one.chosen]) == 1


async def test_a_rule_that_would_be_broken_is_in_the_plan_and_ends_it_with_2(play: Play) -> None:
    play.world.put("s3://theirs/one.bin", b"x" * 7)
    copy = {"in": {"kind": "copy", "on": "gcp", "source": "s3://theirs/one.bin"}}
    found = await planned(play, spec_of(copy, policy={"max_egress": {"run": "6kB"}}))
    assert exit_of(found) is Exit.SUCCEEDED
    play.world.put("s3://theirs/one.bin", b"x" * 7000)
    await play.hire(*CONNECTIONS)
    again = PlanWanted(spec=spec_of(copy, policy={"max_egress": {"run": "6kB"}}))
    found = await play.client.execute_workflow(
        PlanWorkflow.run, again, id="plan:again", task_queue=WORKFLOW_QUEUE
    )
    assert [broken.rule for broken in found.plan.violations] == ["egress_run"]
    assert exit_of(found) is Exit.USAGE


async def test_what_a_rerun_takes_over_has_a_known_size(play: Play) -> None:
    spec = spec_of({"a": {}, "b": {"on": "gcp", "inputs": {"x": "a"}}})
    first = await play.result(await play.start(spec, key="first"))
    assert first.quote is not None
    assert first.quote.of_kind("transfer").lines[0].quantity is None
    kept = {"a": first.stages["a"]}
    again = await play.start(spec, key="again", earlier=EarlierRun(run_id="play/first", stages=kept))
    second = await play.result(again)
    assert second.quote is not None
    (moved,) = second.quote.of_kind("transfer").lines
    assert moved.quantity == first.stages["a"].outputs["out"].size_bytes
    assert second.stages["a"].taken_from == "play/first"
