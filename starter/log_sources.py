"""Which job a person means by a stage, a generation and an item; and the refusal of what has no log."""

from typing import get_args

from contracts.foreach import item_stage
from contracts.jobs import FindRequest, JobKind, JobRef
from contracts.mistakes import nearest
from contracts.runs import RunStatus, StagePhase, StageStatus
from starter.exits import StarterError
from starter.log_pages import LogOptions, Source

JOB_KINDS = frozenset(get_args(JobKind)) - {"deploy"}
"""Kinds of stages that have jobs, sooner or later: a server's lines are told when it is not healthy, and are no job's."""


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
    logged = [stage.name for stage in now.stages.values() if stage.job or stage.fanout]
    instead = f"stages with a log: {', '.join(logged)}" if logged else "no stage of this run has a log yet"
    told = f"stage {held.name!r} has no job: it is a {held.kind} stage that is {held.phase}"
    return StarterError(f"{told}\n-> {instead}")


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
    return _job(now, held, options)


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
    if options.generation is None or options.generation > held.attempts:
        if options.generation and (held.phase.ended or not options.follow):
            raise StarterError(
                f"stage {held.name!r} has had {held.attempts} generation{'s' if held.attempts != 1 else ''}, "
                f"not {options.generation}"
            )
        return None
    find = FindRequest(run_uid=now.run.run_uid, stage=held.name)
    return Source(held.connection, JobRef(id="", name="", generation=options.generation), find)
