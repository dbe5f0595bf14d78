"""What leave people have given in a run, for the workers that ask: they believe no request, only the run itself."""

from collections.abc import Iterator

from contracts.approvals import YES_NO
from contracts.jobs import RunRef
from contracts.leaves import Leave, LeaveRef
from contracts.plan import TransferPlan
from contracts.runs import workflow_id
from contracts.stages import CopyStage
from workflows.context import RunContext

YES = YES_NO[0]


def leave_ref(run: RunRef, about: str) -> LeaveRef:
    """Where a worker may ask for leave for a stage or a transfer of a run."""
    return LeaveRef(run=workflow_id(run.pipeline, run.key), about=about)


def leave_of(context: RunContext, about: str) -> Leave:
    """Return what was allowed for a stage or a transfer by now; nothing where there is neither of that name."""
    if about in context.plan.placements:
        return _of_stage(context, about)
    transfer = context.plan.transfers.get(about)
    return _of_transfer(context, about, transfer) if transfer else Leave()


def _of_stage(context: RunContext, name: str) -> Leave:
    placement, book = context.placement(name), context.book
    inputs = set(placement.inputs.values())
    brought = (moved.result.uri for moved in book.status.transfers if moved.artifact in inputs)
    return Leave(
        declassified_by=_declassified_by(context, name),
        waived=_waived(context, {name}),
        # What a stage has left itself it may put together: the items of one that runs over many.
        sources=tuple(dict.fromkeys(filter(None, (*_sources(context, name), *brought, placement.prefix)))),
        targets=(placement.prefix,) if placement.prefix else (),
        connections=(placement.connection,),
    )


def _of_transfer(context: RunContext, key: str, transfer: TransferPlan) -> Leave:
    producer, _, output = transfer.artifact.partition(".")
    copies = isinstance(context.request.spec.stages.get(producer), CopyStage) and key in (
        context.placement(producer).transfers
    )
    takers = {name for name, held in context.plan.placements.items() if key in held.transfers}
    left = context.book.stage(producer).outputs.get(output)
    return Leave(
        declassified_by=_declassified_by(context, producer) if copies else "",
        waived=_waived(context, {key, *takers}),
        sources=tuple(_sources(context, producer)) if copies else (left.uri,) if left else (),
        targets=(transfer.target,),
        connections=(transfer.destination,),
    )


def _sources(context: RunContext, name: str) -> Iterator[str]:
    """Yield where what a stage reads was left, and of a copy its source."""
    stage = context.request.spec.stages[name]
    if isinstance(stage, CopyStage) and stage.source:
        yield stage.source
    for written in context.placement(name).inputs.values():
        producer, _, output = written.partition(".")
        held = context.book.stage(producer).outputs.get(output)
        if held:
            yield held.uri


def _declassified_by(context: RunContext, name: str) -> str:
    """Who said yes to the question that a stage names; a default that nobody gave is nobody's yes."""
    asked = context.request.spec.stages[name].declassify
    gate = context.book.stage(asked).gate if asked else None
    return gate.by if gate and gate.answer == YES and not gate.late else ""


def _waived(context: RunContext, subjects: set[str]) -> dict[str, str]:
    return {
        decided.rule: decided.by
        for decided in context.book.status.decisions
        if decided.rule and decided.answer == YES and decided.about in subjects
    }
