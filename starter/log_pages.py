"""A job's log, page by page: asked for through the workflow `job_logs`, since no cloud is ever spoken to from here."""

import asyncio
import json
import sys
from dataclasses import dataclass
from typing import Any

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.service import RPCError

from contracts.errors import ErrorKind, printable
from contracts.jobs import FindRequest, JobRef, LogPage, LogRequest
from contracts.queues import WORKFLOW_QUEUE
from starter.exits import Exit, StarterError
from starter.options import key_of
from workflows.failures import stage_error
from workflows.job_logs import JobLogsRequest, JobLogsWorkflow

PATIENCE_SECONDS = 20.0
"""How long one page waits for lines at the worker; a quiet job costs three workflows a minute."""
LOOK_SECONDS = 1.0
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


async def print_log(client: Client, options: LogOptions, source: Source, after: str | None = None) -> None:
    """Print a job's last lines or, after a place in its log, all that follow; when following, until the job has ended.

    Raises:
        StarterError: the log cannot be read.
    """
    patience = PATIENCE_SECONDS if options.follow else 0.0
    while True:
        try:
            page = await page_of(
                client, options.run_id, options.stage, source.request(options.tail, after, patience)
            )
        except StarterError as error:
            if not options.follow or error.code is not Exit.UNREACHABLE:
                raise
            say(f"{error.message}; trying again")
            await asyncio.sleep(LOOK_SECONDS)
            continue
        for line in page.lines:
            _write(options, source, line)
        sys.stdout.flush()
        after = page.next_after
        if page.ended or not options.follow:
            return


class Waiting:
    """Tells a follower what is waited for, each thing once, and looks again after a moment."""

    def __init__(self) -> None:
        self.said = ""

    async def for_a_moment(self, words: str) -> None:
        """Say it, unless it was the last thing said, and wait."""
        if words != self.said:
            self.said = words
            say(words)
        await asyncio.sleep(LOOK_SECONDS)


def say(words: str) -> None:
    """Tell a person something that is no line of the log."""
    sys.stderr.write(f"{words}\n")


async def page_of(client: Client, run_id: str, stage: str, request: JobLogsRequest) -> LogPage:
    """Fetch one page; who gives up waiting for it has it cancelled.

    Raises:
        StarterError: the log cannot be read.
    """
    handle = await client.start_workflow(
        JobLogsWorkflow.run, request, id=f"{run_id}/logs/{key_of(None)}", task_queue=WORKFLOW_QUEUE
    )
    try:
        return await handle.result()
    except asyncio.CancelledError:
        await _left(handle)
        raise
    except WorkflowFailureError as error:
        said = stage_error(error.cause)
        code = Exit.UNREACHABLE if said.kind in PASSING else Exit.USAGE
        told = f"the log of {stage} cannot be read ({said.kind}): {said.message}\n-> {said.hint}"
        raise StarterError(told, code) from None


async def _left(handle: WorkflowHandle[Any, Any]) -> None:
    """Nobody waits for this page any more; it would end by itself in a moment."""
    try:
        await asyncio.shield(handle.cancel())
    except (RPCError, asyncio.CancelledError):
        return


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
