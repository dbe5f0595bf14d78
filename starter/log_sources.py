"""Which job or server a person means by a stage, a generation and an item; and the refusal of what has no log."""

from typing import get_args

from contracts.endpoints import server_ref
from contracts.foreach import item_stage
from contracts.jobs import FindRequest, JobKind, JobRef
from contracts.mistakes import nearest
from contracts.runs import RunStatus, StagePhase, StageStatus
from starter.exits import StarterError
from starter.log_pages import LogOptions, Source

JOB_KINDS = frozenset(get_args(JobKind))
"""Kinds of stages that have jobs, sooner or later, or a server."""


def stage_of(now: RunStatus, options: LogOptions) -> StageStatus:
    """Return the stage.

    Raises:
        StarterError: there is no such stage, or it is of a kind that has no job.
    """
    if options.stage not in now.stages:
        raise StarterError(
            f"{options.run_id} has no stage {options.stage!r}{nearest(options.stage, now.stages)}"
        )
    held = now.stages[options.stage]
    if held.job is None and held.kind not in JOB_KINDS:
        raise no_job(now, held)
    return held


def no_job(now: RunStatus, held: StageStatus) -> StarterError:
    """Build the refusal; it names the stages that have logs."""
    logged = [stage.name for stage in now.stages.values() if stage.job or stage.fanout or stage.endpoint]
    instead = f"stages with a log: {', '.join(logged)}" if logged else "no stage of this run has a log yet"
    told = f"stage {held.name!r} has no {thing(held)}: it is a {held.kind} stage that is {held.phase}"
    return StarterError(f"{told}\n-> {instead}")


def thing(held: StageStatus) -> str:
    """What of a stage has a log."""
    return "server" if held.kind == "deploy" else "job"


def may_come(held: StageStatus) -> bool:
    """Whether a stage that has no job yet may still have one without a person's decision."""
    return not held.phase.ended and held.phase is not StagePhase.WAITING


def source_of(now: RunStatus, held: StageStatus, options: LogOptions) -> Source | None:
    """Return the job whose log is asked for; None while there is none that could be read.

    Raises:
        StarterError: the stage has had no such generation, or has no such item, or it is not said which.
    """
    if held.fanout is not None:
        return _item(now, held, options)
    if options.item is not None and (held.job or not options.follow or not may_come(held)):
        raise StarterError(
            f"stage {held.name!r} runs over no items, or has not begun to; leave --item out, or wait"
        )
    return _server(now, held, options) if held.kind == "deploy" else _job(now, held, options)


def item_source(now: RunStatus, held: StageStatus, options: LogOptions, generation: int) -> Source:
    """Return a generation of an item's job, 0 for the newest: a run keeps no id of them, so the worker finds it."""
    find = FindRequest(run_uid=now.run.run_uid, stage=item_stage(held.name, options.item or 0))
    return Source(held.connection, JobRef(id="", name="", generation=generation), find)


def _item(now: RunStatus, held: StageStatus, options: LogOptions) -> Source:
    last = held.fanout.total - 1 if held.fanout else 0
    if options.item is None:
        told = f"stage {held.name!r} has a job for each of its items; say whose log with --item, 0 to {last}"
        raise StarterError(told)
    if options.item > last:
        raise StarterError(f"stage {held.name!r} has no item {options.item}; they are numbered 0 to {last}")
    return item_source(now, held, options, options.generation or 0)


def _job(now: RunStatus, held: StageStatus, options: LogOptions) -> Source | None:
    job = held.job
    if job is not None and options.generation in {None, job.generation}:
        ref = JobRef(id=job.id, name=job.name, generation=job.generation, kind=job.kind)
        return Source(held.connection, ref)
    if options.generation is None or _is_to_come(held, options, options.generation):
        return None
    return _found(now, held, JobRef(id="", name="", generation=options.generation))


def _server(now: RunStatus, held: StageStatus, options: LogOptions) -> Source | None:
    """Return the server of the endpoint; one that is not known to answer yet is looked for, unless it can be waited for."""
    if held.endpoint is not None and options.generation in {None, held.endpoint.ref.generation}:
        return Source(held.connection, server_ref(held.endpoint.ref))
    generation = options.generation or held.attempts
    if _is_to_come(held, options, generation) or options.follow:
        return None
    loads = held.phase is StagePhase.RUNNING and generation == held.attempts > 0
    if not loads:
        return None
    return _found(now, held, JobRef(id="", name="", generation=generation, kind="deploy"))


def _is_to_come(held: StageStatus, options: LogOptions, generation: int) -> bool:
    """Whether a stage may still come to a generation.

    Raises:
        StarterError: it has had none of this number, and nobody waits for it.
    """
    if generation <= held.attempts:
        return False
    if held.phase.ended or not options.follow:
        raise StarterError(
            f"stage {held.name!r} has had {held.attempts} generation{'s' if held.attempts != 1 else ''}, "
            f"not {generation}"
        )
    return True


def _found(now: RunStatus, held: StageStatus, ref: JobRef) -> Source:
    return Source(held.connection, ref, FindRequest(run_uid=now.run.run_uid, stage=held.name))
