"""A job stage: generation after generation, a new one only after the last one has ended for certain."""

from datetime import timedelta

from temporalio import workflow

from contracts.artifacts import Artifact
from contracts.code import CodeRef
from contracts.errors import ErrorKind
from contracts.inference import BatchPredictStage
from contracts.jobs import (
    JobRequest,
)
from contracts.runs import StageError
from contracts.stages import JobStage
from workflows.context import RunContext
from workflows.failover import may_move
from workflows.job_requests import request_of
from workflows.jobs import JobRunner
from workflows.outcomes import Halted, Outcome, StageFailed
from workflows.paying import begin_job, end_job
from workflows.publishing import publish

CAPACITY_PAUSE = timedelta(seconds=10)
"""Between generations when the provider had no machine or took it back; doubled each time, up to the longest."""
LONGEST_PAUSE = timedelta(minutes=10)


async def run_job(
    context: RunContext, name: str, stage: JobStage | BatchPredictStage, inputs: dict[str, Artifact]
) -> Outcome:
    """Run a job stage to its end; `retries` counts further generations.

    Raises:
        StageFailed: the last generation allowed has failed, or none may follow this kind of failure.
    """
    return await run_generations(context, name, stage, inputs, await publish(context, name, stage))


async def run_generations(
    context: RunContext,
    name: str,
    stage: JobStage | BatchPredictStage,
    inputs: dict[str, Artifact],
    code: CodeRef | None,
) -> Outcome:
    """Run a job whose code is published, generation after generation.

    Raises:
        StageFailed: the last generation allowed has failed, or none may follow this kind of failure.
    """
    used = 0
    while True:
        await begin_job(context, name)
        request = request_of(context, name, stage, inputs, code)
        runner = JobRunner(context, request)
        try:
            outcome = await runner.run()
            end_job(context, name)
            return outcome
        except Halted:
            end_job(context, name)
            await _resumed(context, request)
            continue
        except StageFailed as failure:
            if failure.confirmed:
                end_job(context, name)
            # Another place is better than to wait for this one.
            kind = failure.error.kind
            moves = may_move(context, name, kind) or context.goes_elsewhere(runner.ref, kind)
            last = used == context.retries(name) or moves
            if last or not failure.confirmed or not context.may_follow(runner.ref, kind):
                raise
            error = failure.error
        await _again(context, request, error, used)
        used += 1


async def _again(context: RunContext, request: JobRequest, error: StageError, used: int) -> None:
    """Say why a generation has ended that another one follows, and return when that one may start."""
    name = request.stage
    if context.shipping:
        context.shipping.ended(name)
    context.book.failed_by(name, error.kind)
    reason = f"generation {request.generation}: {error.kind}: {error.message[:200]}"
    note = f"{error.kind}; starting generation {request.generation + 1}"
    context.book.change(name, history=(*context.book.stage(name).history, reason), note=note)
    if error.kind in {ErrorKind.CAPACITY, ErrorKind.PREEMPTED}:
        pause = min(CAPACITY_PAUSE * 2**used, LONGEST_PAUSE)
        await workflow.sleep(pause, summary=f"{name}: begins again after {error.kind}")


async def _resumed(context: RunContext, request: JobRequest) -> None:
    """Say that a pause had a generation stopped, and return when the next one may start."""
    name, pause = request.stage, context.checkpoint.pause
    if context.shipping:
        context.shipping.ended(name)
    who = f" by {pause.by}" if pause and pause.by else ""
    reason = f"generation {request.generation}: stopped by a pause{who}"
    note = f"stopped by a pause; generation {request.generation + 1} follows the resume"
    context.book.change(name, history=(*context.book.stage(name).history, reason), note=note)
    await context.checkpoint.passed()
