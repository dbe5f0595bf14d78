"""Logs of jobs: asked for page by page through the workflow `job_logs`, since no cloud is ever spoken to from here."""

import asyncio
import json
import sys
from dataclasses import dataclass, replace
from typing import Any, get_args

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.service import RPCError

from contracts.errors import ErrorKind, printable
from contracts.foreach import item_stage
from contracts.jobs import LOG_BEGINNING, FindRequest, JobKind, JobRef, LogPage, LogRequest
from contracts.mistakes import nearest
from contracts.queues import WORKFLOW_QUEUE
from contracts.runs import RunStatus, StagePhase, StageStatus
from starter import temporal
from starter.exits import Exit, StarterError
from starter.options import key_of
from workflows.failures import stage_error
from workflows.job_logs import JobLogsRequest, JobLogsWorkflow

PATIENCE_SECONDS = 20.0
"""How long one page waits for lines at the worker; a quiet job costs three workflows a minute."""
LOOK_SECONDS = 1.0
JOB_KINDS = frozenset(get_args(JobKind))
PASSING = frozenset({ErrorKind.UNAVAILABLE, ErrorKind.THROTTLED, ErrorKind.WORKER_ABSENT})
"""Kinds of errors that a follower waits out."""


@dataclass(frozen=True)
class LogOptions:
    """How `logs` was called."""

    run_id: str
    stage: str
    tail: int
    follow: bool = False
    generation: int | None = None
    as_json: bool = False
    item: int | None = None
    """Of a stage that runs over many items: whose job."""


@dataclass(frozen=True)
class Source:
    """The job whose log is read."""

    connection: str
    ref: JobRef
    find: FindRequest | None = None
    """Where its id is not known: how the worker finds it."""

    def request(self, tail: int, after: str | None, patience: float) -> JobLogsRequest:
        """Return the request for a page."""
        asked = LogRequest(ref=self.ref, tail=tail, after=after, patience_seconds=patience)
        return JobLogsRequest(
            connection=self.connection, request=asked, find=self.find, generation=self.ref.generation
        )


async def show(client: Client, options: LogOptions) -> Exit:
    """Print the last lines; when following, also every later one, of this job and of those that take its place.

    Raises:
        StarterError: there is no such run, stage or generation, or its worker does not answer.
    """
    source, waited = await _source(client, options)
    if waited and options.generation is None and options.item is None:
        # Who waited for a job may have looked away while the first of them failed.
        await _earlier(client, options, 1, source.ref.generation)
    await _print(client, options, source)
    while options.follow and options.generation is None and options.item is None:
        later = await _next(client, options, source.ref.generation)
        if later is None:
            break
        await _earlier(client, options, source.ref.generation + 1, later.ref.generation)
        source = later
        _say(f"generation {source.ref.generation} of {options.stage}")
        await _print(client, options, source, after=LOG_BEGINNING)
    return Exit.SUCCEEDED


async def _earlier(client: Client, options: LogOptions, first: int, end: int) -> None:
    """Print the whole logs of generations that came and went unseen."""
    for generation in range(first, end):
        source, _ = await _source(client, replace(options, generation=generation))
        _say(f"generation {generation} of {options.stage}")
        await _print(client, options, source, after=LOG_BEGINNING)


async def _print(client: Client, options: LogOptions, source: Source, after: str | None = None) -> None:
    patience = PATIENCE_SECONDS if options.follow else 0.0
    while True:
        try:
            page = await _page(client, options, source.request(options.tail, after, patience))
        except StarterError as error:
            if not options.follow or error.code is not Exit.UNREACHABLE:
                raise
            _say(f"{error.message}; trying again")
            await asyncio.sleep(LOOK_SECONDS)
            continue
        for line in page.lines:
            _write(options, source, line)
        sys.stdout.flush()
        after = page.next_after
        if page.ended or not options.follow:
            return


async def _page(client: Client, options: LogOptions, request: JobLogsRequest) -> LogPage:
    handle = await client.start_workflow(
        JobLogsWorkflow.run, request, id=f"{options.run_id}/logs/{key_of(None)}", task_queue=WORKFLOW_QUEUE
    )
    try:
        return await handle.result()
    except asyncio.CancelledError:
        await _left(handle)
        raise
    except WorkflowFailureError as error:
        said = stage_error(error.cause)
        code = Exit.UNREACHABLE if said.kind in PASSING else Exit.USAGE
        told = f"the log of {options.stage} cannot be read ({said.kind}): {said.message}\n-> {said.hint}"
        raise StarterError(told, code) from None


async def _left(handle: WorkflowHandle[Any, Any]) -> None:
    """Nobody waits for this page any more; it would end by itself in a moment."""
    try:
        await asyncio.shield(handle.cancel())
    except (RPCError, asyncio.CancelledError):
        return


async def _source(client: Client, options: LogOptions) -> tuple[Source, bool]:
    """Return the job to read, waiting for it when it is to be followed, and whether it was waited for."""
    said = ""
    while True:
        now = await temporal.status(client, options.run_id)
        held = _stage(now, options)
        found = _item(now, held, options) or _job(now, held, options)
        if found is not None:
            return found, bool(said)
        if not options.follow or held.phase.ended or held.phase is StagePhase.WAITING:
            raise StarterError(
                f"stage {held.name!r} has no job: it is a {held.kind} stage that is {held.phase}"
            )
        words = f"waiting for the job of {held.name}: {held.note or held.phase.value}"
        if words != said:
            said = words
            _say(words)
        await asyncio.sleep(LOOK_SECONDS)


def _stage(now: RunStatus, options: LogOptions) -> StageStatus:
    if options.stage not in now.stages:
        raise StarterError(
            f"{options.run_id} has no stage {options.stage!r}{nearest(options.stage, now.stages)}"
        )
    held = now.stages[options.stage]
    if held.job is None and held.kind not in JOB_KINDS:
        raise StarterError(f"stage {held.name!r} has no job: it is a {held.kind} stage that is {held.phase}")
    return held


def _item(now: RunStatus, held: StageStatus, options: LogOptions) -> Source | None:
    """Return the newest job of one of many items, or the generation that was asked for; a run keeps no id of them."""
    if held.fanout is None:
        if options.item is not None:
            raise StarterError(
                f"stage {held.name!r} has not begun to run over items; leave --item out, or wait"
            )
        return None
    last = held.fanout.total - 1
    if options.item is None:
        told = f"stage {held.name!r} has a job for each of its items; say whose log with --item, 0 to {last}"
        raise StarterError(told)
    if options.item > last:
        raise StarterError(f"stage {held.name!r} has no item {options.item}; they are numbered 0 to {last}")
    find = FindRequest(run_uid=now.run.run_uid, stage=item_stage(held.name, options.item))
    return Source(held.connection, JobRef(id="", name="", generation=options.generation or 0), find)


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


async def _next(client: Client, options: LogOptions, generation: int) -> Source | None:
    """Return the job that took the place of one that has ended; None once the stage has none to come."""
    latest = replace(options, generation=None)
    while True:
        now = await temporal.status(client, options.run_id)
        held = _stage(now, latest)
        if held.job is not None and held.job.generation > generation:
            return _job(now, held, latest)
        # While a stage is RUNNING another generation may come, unless its last job has succeeded.
        done = held.job is not None and held.job.phase == "SUCCEEDED"
        if held.phase is not StagePhase.RUNNING or done:
            return None
        await asyncio.sleep(LOOK_SECONDS)


def _write(options: LogOptions, source: Source, line: str) -> None:
    text = printable(line)
    if options.as_json:
        told = {
            "line": text,
            "stage": options.stage,
            "generation": source.ref.generation or None,
            "job": source.ref.name or None,
        }
        if options.item is not None:
            told["item"] = options.item
        text = json.dumps(told)
    sys.stdout.write(f"{text}\n")


def _say(words: str) -> None:
    sys.stderr.write(f"{words}\n")
