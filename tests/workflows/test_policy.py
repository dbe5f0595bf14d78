"""Runs under a policy: what ends them before a byte moves, what waits for a waiver, and leave that workers believe."""

from typing import Any

import pytest
from temporalio.client import WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from contracts.approvals import Approval
from contracts.errors import ErrorKind
from contracts.jobs import RunRef
from contracts.leaves import Leave
from contracts.plan import Plan
from contracts.policy import Policy
from contracts.queues import WORKFLOW_QUEUE
from contracts.runs import RunPhase, RunProgress, RunRequest, RunStatus, StagePhase
from tests.workflows.play import Play, Run, spec_of
from tests.workflows.spending import GB, per_gb
from workflows.pipeline import PipelineWorkflow

RULES: dict[str, Any] = {
    "classes": {"pii": {"regions": ["eu-*"]}},
    "data": {"s3://causeway/customers/": "pii"},
    "places": {"aws": "eu-central-1", "azure": "eu-west", "gcp": "us-central1", "onprem": "eu-here"},
    "waivers": {"declassify": ["erin"]},
}
ASK: dict[str, Any] = {
    "kind": "approve",
    "question": "Publish?",
    "approvers": ["erin"],
    "after": ["ingest"],
    "on_failure": "fail",
}
INGEST: dict[str, Any] = {
    "kind": "copy",
    "on": "aws",
    "source": "s3://causeway/customers/",
    "on_failure": "fail",
}
RELEASED: dict[str, Any] = {"inputs": {"x": "ingest"}, "declassify": "ask", "when": 'ask.answer == "yes"'}


def under(play: Play, **changed: Any) -> None:
    play.world.policy = Policy.model_validate({**RULES, **changed})
    play.put("aws/default", "customers/a.csv")


async def answer(run: Run, given: str, stage: str = "", by: str = "") -> None:
    await run.execute_update(PipelineWorkflow.approve, Approval(stage=stage, answer=given, by=by))


async def waits(play: Play, run: Run, stage: str = "") -> RunStatus:
    return await play.until(run, lambda now: stage in now.asking)


def moved(play: Play) -> list[Any]:
    return [call for call in play.world.calls if call.activity in {"storage.copy", "jobs.submit"}]


async def test_a_run_over_a_rule_that_nobody_may_waive_ends_before_a_byte_moves(play: Play) -> None:
    under(play)
    stages = {"ingest": INGEST, "train": {"on": "gcp", "inputs": {"x": "ingest"}}}
    kind, status = await play.failure(await play.start(spec_of(stages)))
    assert kind == ErrorKind.POLICY_VIOLATION
    said = "data of class pii may lie in eu-* only; gcp/default is in us-central1 (nobody may waive it)"
    assert status.notes == (f"POLICY_VIOLATION: rule regions, stage train: {said}",)
    assert moved(play) == []


async def test_a_run_within_the_policy_goes_through_and_says_its_class_in_its_paths(play: Play) -> None:
    under(play)
    stages = {"ingest": INGEST, "train": {"on": "azure", "inputs": {"x": "ingest"}}}
    status = await play.finish(spec_of(stages))
    for stage in status.stages.values():
        for artifact in stage.outputs.values():
            assert f"/runs/{status.run.run_uid}/classes.pii/{stage.name}/" in artifact.uri


async def test_what_was_left_without_a_class_is_not_taken_over_for_what_has_one(play: Play) -> None:
    under(play)
    play.put("aws/default", "open/a.csv")
    train = {"on": "aws", "inputs": {"x": "ingest"}, "cache": True}
    plain = {"ingest": {**INGEST, "source": "s3://causeway/open/"}, "train": train}
    first = await play.finish(spec_of(plain), key="first")
    again = await play.finish(spec_of(plain), key="again")
    assert again.stages["train"].taken_from == f"play/{first.run.key}"
    classified = await play.finish(spec_of({"ingest": INGEST, "train": train}), key="classified")
    assert classified.stages["train"].taken_from == ""
    assert "/classes.pii/train/" in classified.stages["train"].outputs["out"].uri


async def test_a_rule_that_somebody_may_waive_holds_the_run_for_that_person(play: Play) -> None:
    under(play, waivers={"regions": ["dana"]})
    stages = {"ingest": INGEST, "train": {"on": "gcp", "inputs": {"x": "ingest"}}}
    run = await play.start(spec_of(stages))
    gate = (await waits(play, run)).asking[""]
    assert gate.approvers == ("dana",)
    assert gate.question.startswith("waive the rule regions? data of class pii may lie in eu-* only;")
    assert gate.shown == {"rule": "regions", "stage": "train", "value": "us-central1"}
    assert moved(play) == []
    with pytest.raises(WorkflowUpdateFailedError):
        await answer(run, "yes", by="guy")
    await answer(run, "yes", by="dana")
    status = await play.result(run)
    assert status.phase is RunPhase.SUCCEEDED
    (decided,) = status.decisions
    assert (decided.rule, decided.about, decided.by, decided.answer) == ("regions", "train", "dana", "yes")


async def test_a_waiver_that_is_refused_ends_the_run(play: Play) -> None:
    under(play, waivers={"regions": ["dana"]})
    run = await play.start(spec_of({"ingest": {**INGEST, "on": "gcp"}}))
    await waits(play, run)
    await answer(run, "no", by="dana")
    kind, _ = await play.failure(run)
    assert (kind, moved(play)) == (ErrorKind.POLICY_VIOLATION, [])


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        pytest.param(
            {"max_egress": {"run": "1GB"}, "waivers": {"egress_run": ["dana"]}},
            "waive the rule egress_run? the run would send 2000000000 bytes out of clouds",
            id="egress",
        ),
        pytest.param(
            {"approvals": {"price": "0.10 USD"}, "waivers": {"price": ["dana"]}},
            "waive the rule price? the quote is 0.2 USD; above 0.10 USD it needs an approval",
            id="price",
        ),
    ],
)
async def test_a_limit_that_only_the_workers_policy_has_is_asked_about_before_a_byte_moves(
    play: Play, limits: dict[str, Any], told: str
) -> None:
    play.world.policy = Policy.model_validate(limits)
    play.world.price = per_gb("0.10")
    play.world.sizes["large"] = 2 * GB
    source = play.put("aws/default", "open/a.bin", b"large")
    run = await play.start(spec_of({"away": {"kind": "copy", "on": "gcp", "source": source}}))
    status = await waits(play, run)
    assert status.asking[""].question.startswith(told)
    assert moved(play) == []
    await answer(run, "yes", by="dana")
    assert (await play.result(run)).phase is RunPhase.SUCCEEDED


@pytest.mark.parametrize(
    "released",
    [
        pytest.param({"on": "aws", **RELEASED}, id="a job"),
        pytest.param({"on": "azure", **RELEASED}, id="a job elsewhere"),
        pytest.param({"kind": "copy", "on": "gcp", **RELEASED}, id="a copy across the border"),
    ],
)
async def test_an_approved_stage_leaves_what_has_no_class(play: Play, released: dict[str, Any]) -> None:
    under(play)
    run = await play.start(spec_of({"ingest": INGEST, "ask": ASK, "out": {**released, "on_failure": "fail"}}))
    await waits(play, run, "ask")
    await answer(run, "yes", "ask", by="erin")
    status = await play.result(run)
    (left,) = status.stages["out"].outputs.values()
    assert f"/runs/{status.run.run_uid}/out/" in left.uri


async def test_workers_hear_from_the_run_itself_what_was_allowed_and_for_what(play: Play) -> None:
    under(play)
    run = await play.start(spec_of({"ingest": INGEST, "ask": ASK, "out": {"on": "aws", **RELEASED}}))
    status = await waits(play, run, "ask")
    asked = await run.query(PipelineWorkflow.leave, "out")
    (source,) = (artifact.uri for artifact in status.stages["ingest"].outputs.values())
    target = f"s3://causeway/runs/{status.run.run_uid}/out/"
    expected = Leave(sources=(source, target), targets=(target,), connections=("aws/default",))
    assert asked == expected
    await answer(run, "yes", "ask", by="erin")
    await play.result(run)
    said = await run.query(PipelineWorkflow.leave, "out")
    assert said == expected.model_copy(update={"declassified_by": "erin"})
    assert await run.query(PipelineWorkflow.leave, "nothing") == Leave()


async def test_the_default_answer_that_nobody_gave_declassifies_nothing(play: Play) -> None:
    under(play)
    gate = {**ASK, "timeout": "1m", "default": "yes"}
    out = {"on": "aws", **RELEASED, "on_failure": "fail", "retries": 0}
    run = await play.start(spec_of({"ingest": INGEST, "ask": gate, "out": out}))
    await waits(play, run, "ask")
    await play.pass_time(minutes=2)
    kind, status = await play.failure(run)
    assert kind == ErrorKind.POLICY_VIOLATION
    assert status.stages["out"].phase is StagePhase.FAILED
    assert not play.world.jobs


async def test_a_run_that_begins_with_progress_that_it_has_not_made_is_refused(play: Play) -> None:
    under(play)
    spec = spec_of({"ingest": INGEST, "ask": ASK, "out": {"on": "aws", **RELEASED}})
    honest = await play.start(spec)
    status = await waits(play, honest, "ask")
    plan = await _plan_of(play, honest)
    gate = status.stages["ask"].gate
    assert gate
    yes = gate.model_copy(update={"answer": "yes", "by": "erin"})
    ask = status.stages["ask"].model_copy(update={"gate": yes, "phase": StagePhase.SUCCEEDED})
    run = RunRef(pipeline="play", key="forged", run_uid="cd" * 16)
    forged = status.model_copy(update={"run": run, "stages": {**status.stages, "ask": ask}})
    request = RunRequest(spec=spec, key="forged", progress=RunProgress(status=forged, plan=plan))
    with pytest.raises(WorkflowFailureError) as failed:
        await play.client.execute_workflow(
            PipelineWorkflow.run, request, id="play/forged", task_queue=WORKFLOW_QUEUE
        )
    cause = failed.value.cause
    assert isinstance(cause, ApplicationError)
    assert cause.type == ErrorKind.INVALID_REQUEST
    assert "a run begins without progress" in cause.message
    assert not play.world.jobs


async def _plan_of(play: Play, run: Run) -> Any:
    history = await run.fetch_history()
    for event in history.events:
        if event.HasField("activity_task_completed_event_attributes"):
            payloads = event.activity_task_completed_event_attributes.result.payloads
            for found in await play.client.data_converter.decode(payloads, [dict]):
                if isinstance(found, dict) and "placements" in found:
                    return Plan.model_validate(found)
    raise AssertionError("no plan was made")
