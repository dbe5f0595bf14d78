"""What a run does for each kind of stage. Jobs have a file of their own."""

import asyncio
from collections.abc import Awaitable

from temporalio import workflow
from temporalio.exceptions import ActivityError, ChildWorkflowError, is_cancelled_exception

from contracts import presets
from contracts.artifacts import Artifact
from contracts.graph import OutputName
from contracts.inference import ROWS, BatchPredictStage, DeployStage, InvokeStage, RetireStage
from contracts.plan import picked_key, transfer_key
from contracts.stages import CopyStage, JobStage, LoadTableStage, PickStage, QueryStage
from contracts.tables import LoadRequest, QueryRequest, QueryResult, TableActivities, TableJobKey
from workflows.charges import of_query
from workflows.children import Children
from workflows.closing import cancel_table_jobs
from workflows.context import RunContext
from workflows.effects import Response
from workflows.endpoints import run_deploy, run_invoke, run_retire
from workflows.failures import stage_error
from workflows.finishing import to_the_end
from workflows.generations import run_job
from workflows.leaves import leave_ref
from workflows.outcomes import Outcome, StageFailed
from workflows.paying import begin_query, end_query
from workflows.picks import pick
from workflows.transfers import Transfers
from workflows.values import query_of

ROWS_KEPT = 20
"""Rows of a query's answer that the report shows; a status of 200 stages stays small."""


async def run_stage(context: RunContext, children: Children, name: str) -> Outcome:
    """Run one stage to its end.

    Raises:
        StageFailed: it is out of retries.
        ActivityError, ChildWorkflowError: something it needs could not be done.
    """
    stage, transfers = context.request.spec.stages[name], children.transfers
    if isinstance(stage, PickStage):
        return pick(context, name, stage)
    if isinstance(stage, CopyStage):
        return await _copy(context, transfers, name, stage)
    inputs = await bring_inputs(context, transfers, name)
    if isinstance(stage, JobStage) and stage.foreach:
        return await children.fanouts.run(name, stage, inputs)
    if isinstance(stage, JobStage | BatchPredictStage):
        return await run_job(context, name, stage, inputs)
    if isinstance(stage, DeployStage):
        return await run_deploy(context, name, stage, inputs)
    if isinstance(stage, InvokeStage):
        return await run_invoke(context, name, stage, inputs[ROWS])
    if isinstance(stage, RetireStage):
        return await run_retire(context, name, stage)
    if isinstance(stage, LoadTableStage):
        return await _load(context, name, stage, next(iter(inputs.values())))
    if isinstance(stage, QueryStage):
        return await _query(context, name, stage)
    raise AssertionError("unreachable: the run itself asks people; see `workflows.gates`")


async def bring_inputs(context: RunContext, transfers: Transfers, name: str) -> dict[str, Artifact]:
    """Have every input of a stage lie on its connection."""
    placement = context.placement(name)

    async def bring(written: str) -> Artifact:
        artifact = context.book.output(_named(written))
        key = _key(context, _named(written), written, placement.connection)
        if key not in placement.transfers:
            return artifact
        context.book.note(name, f"bringing {written} from {context.plan.transfers[key].source}")
        return await _or_given_up(context, name, transfers.bring(key, artifact, name))

    brought = await asyncio.gather(*(bring(written) for written in placement.inputs.values()))
    return dict(zip(placement.inputs, brought, strict=True))


async def _copy(context: RunContext, transfers: Transfers, name: str, stage: CopyStage) -> Outcome:
    taken = context.placement(name).inputs
    produced = _named(next(iter(taken.values()))) if taken else None
    key = _key(context, produced, f"{name}.data", stage.on)
    plan = context.plan.transfers[key]
    context.book.note(name, f"copying from {plan.source}")
    context.book.change(name, attempts=context.book.stage(name).attempts + 1)
    if produced is None:
        moving = transfers.move(key, plan, name, source_uri=str(stage.source))
    else:
        artifact = context.book.output(produced)
        moving = transfers.move(key, plan, name, source_uri=artifact.uri, artifact=artifact)
    result = await _or_given_up(context, name, moving)
    return Outcome(outputs={"data": result.result})


async def _or_given_up(context: RunContext, name: str, moving: Awaitable[Response]) -> Response:
    """Return what a transfer comes to; one that was cancelled has cleaned up after itself, and the stage says so."""
    try:
        return await moving
    except (ChildWorkflowError, asyncio.CancelledError) as error:
        if is_cancelled_exception(error):
            context.book.note(name, "gave up what was not whole")
        raise


async def _load(context: RunContext, name: str, stage: LoadTableStage, files: Artifact) -> Outcome:
    await context.checkpoint.passed()
    context.book.note(name, f"loading {stage.table}")
    key = _table_key(context, name)
    request = LoadRequest(
        key=key,
        table=stage.table,
        files=files,
        format=stage.format,
        columns=stage.columns,
        write=stage.write,
        leave=leave_ref(context.run, name),
    )
    work = context.effects.call(
        TableActivities.load,
        request,
        on=stage.on,
        preset=presets.asking(context.timeout(name)),
        stage=name,
        summary=f"load {stage.table}",
    )
    receipt = await _or_cancelled(context, key, stage.table, work)
    return Outcome(rows=receipt.rows)


async def _query(context: RunContext, name: str, stage: QueryStage) -> Outcome:
    await begin_query(context, name)
    await context.checkpoint.passed()
    context.book.note(name, "querying")
    sql, parameters = query_of(stage.sql, context.request.spec, context.book)
    key = _table_key(context, name)
    work = context.effects.call(
        TableActivities.query,
        QueryRequest(key=key, sql=sql, parameters=parameters),
        on=stage.on,
        preset=presets.asking(context.timeout(name)),
        stage=name,
        summary="query",
    )
    began, price = workflow.now(), context.plan.queries.get(stage.on)
    billed: int | None = None
    try:
        result = await _or_cancelled(context, key, None, work)
        billed = result.billed_bytes
    finally:
        end_query(context, name, price.cost(billed) if price and billed is not None else None)
    if context.charging:
        context.charging.add(of_query(key, stage.on, billed, price, began))
    return Outcome(rows=result.rows, metrics=_metrics(result), shown=result.shown[:ROWS_KEPT])


async def _or_cancelled(
    context: RunContext, key: TableJobKey, table: str | None, work: Awaitable[Response]
) -> Response:
    """Return what the work comes to; if it does not, nothing of it goes on and nothing stays staged."""
    try:
        return await work
    except (ActivityError, asyncio.CancelledError) as error:
        alive = await to_the_end(_cancelled(context, key, table))
        if is_cancelled_exception(error) or not alive:
            raise
        said = stage_error(error)
        told = said.model_copy(update={"message": f"{said.message}\n{alive}"})
        raise StageFailed(told, confirmed=False) from error


async def _cancelled(context: RunContext, key: TableJobKey, table: str | None) -> str:
    """Stop what a load or query that ended early may have left, or say that it may go on."""
    try:
        await cancel_table_jobs(context, key, table)
    except ActivityError as refusal:
        said = stage_error(refusal)
        words = f"a table job of this stage may still run: {said.message}"
        context.book.change(key.stage, error=said.model_copy(update={"message": words}))
        return words
    return ""


def _table_key(context: RunContext, name: str) -> TableJobKey:
    generation = context.book.stage(name).attempts + 1
    context.book.change(name, attempts=generation)
    return TableJobKey(run=context.run, stage=name, generation=generation)


def _metrics(result: QueryResult) -> dict[str, float]:
    """The numbers of a single row are metrics, so that later stages and gates can use them."""
    if result.rows != 1 or not result.shown:
        return {}
    row = result.shown[0].items()
    return {
        key: float(value)
        for key, value in row
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _key(context: RunContext, produced: OutputName | None, artifact: str, destination: str) -> str:
    """The plan's name for the movement of an artifact; of a pick's output there is one for each candidate."""
    choice = context.book.stage(produced.stage).choice if produced else None
    if choice is None:
        return transfer_key(artifact, destination)
    return picked_key(artifact, choice.stage, destination)


def _named(written: str) -> OutputName:
    stage, _, output = written.partition(".")
    return OutputName(stage=stage, output=output)
