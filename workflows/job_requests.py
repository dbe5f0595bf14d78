"""What a job stage asks of its connection: its command, inputs and outputs, as they stand in this run."""

from contracts.artifacts import Artifact
from contracts.code import CodeRef
from contracts.inference import ROWS, BatchPredictStage
from contracts.jobs import BatchOptions, JobRequest
from contracts.stages import JobStage, outputs_of
from workflows.context import RunContext
from workflows.leaves import leave_ref
from workflows.values import command_of, environment_of


def request_of(
    context: RunContext,
    name: str,
    stage: JobStage | BatchPredictStage,
    inputs: dict[str, Artifact],
    code: CodeRef | None,
) -> JobRequest:
    """Return what the next generation of a stage asks for, with the values that the run has now."""
    generation = context.book.stage(name).attempts + 1
    prefix = context.placement(name).prefix
    return JobRequest(
        run=context.run,
        stage=name,
        generation=generation,
        kind=stage.kind,
        command=command_of(stage, context.request.spec, context.book, context.item),
        code=code,
        inputs=inputs,
        outputs={output: f"{prefix}g{generation}/{output}/" for output in outputs_of(stage)},
        image=stage.image,
        env=environment_of(stage, context.request.spec, context.book, context.item),
        resources=stage.resources,
        machine=context.placement(name).machine,
        timeout=context.timeout(name),
        batch=_batch(stage),
        leave=leave_ref(context.run, name),
    )


def _batch(stage: JobStage | BatchPredictStage) -> BatchOptions | None:
    if isinstance(stage, JobStage):
        return None
    return BatchOptions(
        data=ROWS, format=stage.format, batch_size=stage.batch_size, max_parallel=stage.max_parallel
    )
