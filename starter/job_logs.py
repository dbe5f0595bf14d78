"""Logs of jobs: printed once, or followed from before there is a job through all of its generations."""

import asyncio
from dataclasses import replace

from temporalio.client import Client

from contracts.jobs import LOG_BEGINNING
from contracts.runs import StagePhase
from starter import temporal
from starter.exits import Exit
from starter.item_logs import follow_item
from starter.log_pages import LOOK_SECONDS, LogOptions, Source, Waiting, print_log, say
from starter.log_sources import may_come, no_job, source_of, stage_of, thing


async def show(client: Client, options: LogOptions) -> Exit:
    """Print the last lines; when following, also every later one, of this job and of those that take its place.

    Raises:
        StarterError: there is no such run, stage or generation, or its worker does not answer.
    """
    whole = options.follow and options.generation is None
    if whole and options.item is not None:
        await follow_item(client, options)
        return Exit.SUCCEEDED
    source, waited = await _source(client, options)
    if whole and waited:
        # Who waited for a job may have looked away while the first of them failed.
        await _earlier(client, options, 1, source.ref.generation)
    await print_log(client, options, source)
    while whole:
        later = await _next(client, options, source.ref.generation)
        if later is None:
            break
        await _earlier(client, options, source.ref.generation + 1, later.ref.generation)
        source = later
        say(f"generation {source.ref.generation} of {options.stage}")
        await print_log(client, options, source, after=LOG_BEGINNING)
    return Exit.SUCCEEDED


async def _earlier(client: Client, options: LogOptions, first: int, end: int) -> None:
    """Print the whole logs of generations that came and went unseen."""
    for generation in range(first, end):
        source, _ = await _source(client, replace(options, generation=generation))
        say(f"generation {generation} of {options.stage}")
        await print_log(client, options, source, after=LOG_BEGINNING)


async def _source(client: Client, options: LogOptions) -> tuple[Source, bool]:
    """Return the job to read, waiting for it when it is to be followed, and whether it was waited for."""
    waiting = Waiting()
    while True:
        now = await temporal.status(client, options.run_id)
        held = stage_of(now, options)
        found = source_of(now, held, options)
        if found is not None:
            return found, bool(waiting.said)
        if not options.follow or not may_come(held):
            raise no_job(now, held)
        await waiting.for_a_moment(
            f"waiting for the {thing(held)} of {held.name}: {held.note or held.phase.value}"
        )


async def _next(client: Client, options: LogOptions, generation: int) -> Source | None:
    """Return the job that took the place of one that has ended; None once the stage has none to come."""
    latest = replace(options, generation=None)
    while True:
        now = await temporal.status(client, options.run_id)
        held = stage_of(now, latest)
        if held.job is not None and held.job.generation > generation:
            return source_of(now, held, latest)
        # While a stage is RUNNING another generation may come, unless its last job has succeeded.
        done = held.job is not None and held.job.phase == "SUCCEEDED"
        if held.phase is not StagePhase.RUNNING or done:
            return None
        await asyncio.sleep(LOOK_SECONDS)
