"""What the command `sweep` does: starts the workflow that sweeps, or has Temporal start it by a schedule."""

import json
import sys
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
    WorkflowFailureError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from contracts.errors import hint_for, page_for
from contracts.queues import WORKFLOW_QUEUE, Cloud, normalise
from contracts.runs import RUN_UID_KEY, RunStatus
from contracts.sweeps import SweepReport, SweepRequest
from contracts.units import parse_duration
from starter import errands, temporal
from starter.copies import is_copy
from starter.exits import Exit, StarterError
from starter.options import key_of
from starter.show import console
from starter.sweep_show import sweep_document, sweep_view
from workflows.sweep import SweepWorkflow

SCHEDULE = "causeway-sweep"
SHORTEST = timedelta(minutes=1)
LISTING = timedelta(hours=1)
"""A page of a connection takes seconds; one whose control plane is away takes ten minutes until that is told."""
STOPPING = timedelta(days=1)
"""Vendors may take minutes to end one thing. What a sweep that is ended did not stop is found by the next."""


@dataclass(frozen=True)
class SweepOptions:
    """How `sweep` was called."""

    run: str | None
    on: tuple[str, ...]
    older_than: str
    stop: bool
    every: str | None
    unschedule: bool
    as_json: bool


async def sweep(options: SweepOptions) -> Exit:
    """Sweep once, or change the schedule by which Temporal sweeps."""
    age = _duration("--older-than", options.older_than)
    if options.unschedule or options.every is not None:
        return await _schedule(options, age)
    client = await temporal.connected()
    request = await _request(client, options, age)
    try:
        # Not `sweep/...`, which would be the identity of a run of a pipeline named sweep.
        limit = limit_of(stop=options.stop)
        errand = errands.Errand("sweep", f"sweep:{key_of(None)}", limit, goes_on=options.stop)
        report = await errands.run(client, SweepWorkflow.run, request, errand)
    except WorkflowFailureError as error:
        raise StarterError(_told(error), Exit.FAILED) from None
    if options.as_json:
        sys.stdout.write(json.dumps(sweep_document(report), indent=2) + "\n")
    else:
        console().print(sweep_view(report))
    return exit_of(report, named=bool(options.on or options.run))


def limit_of(*, stop: bool) -> timedelta:
    """Return how long a sweep may take altogether, waiting for a worker included."""
    return STOPPING if stop else LISTING


async def _request(client: Client, options: SweepOptions, age: timedelta) -> SweepRequest:
    connections, run_uid = _connections(options.on), None
    if options.run is not None:
        run_uid, used = await _marks(client, options.run)
        connections = connections if options.on or not used else used
    return SweepRequest(
        connections=connections, older_than=age, stop=options.stop, run=options.run, run_uid=run_uid
    )


async def _marks(client: Client, run_id: str) -> tuple[str, tuple[str, ...]]:
    """Return the mark of a run or a copy, and the connections that it used, where it tells them."""
    description = await temporal.describe(client, run_id)
    run_uid = description.typed_search_attributes.get(RUN_UID_KEY)
    if is_copy(run_id):
        if not run_uid:
            raise StarterError(f"{run_id} began with an older version and does not tell its mark")
        return run_uid, ()
    status = await temporal.status(client, run_id)
    return run_uid or status.run.run_uid, used_by(status)


def used_by(status: RunStatus) -> tuple[str, ...]:
    """Return the connections of a run's stages; a question to a person has none."""
    return tuple(sorted({stage.connection for stage in status.stages.values()} - {""}))


def _connections(given: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return tuple(dict.fromkeys(normalise(name) for name in given or tuple(Cloud)))
    except ValueError as error:
        raise StarterError(f"--on: {error}") from None


def _duration(option: str, given: str) -> timedelta:
    try:
        return parse_duration(given)
    except ValueError as error:
        raise StarterError(f"{option} {given!r}: {error}") from None


def exit_of(report: SweepReport, *, named: bool = False) -> Exit:
    """Return 0 where nothing is left, 1 where something is or could not be looked at, 3 where no connection could be.

    A cloud without a worker may be one that nobody uses; one that was named, or that the named run used, was to be looked at.
    """
    troubled = [swept for swept in report.connections if swept.trouble]
    if len(troubled) == len(report.connections):
        return Exit.UNREACHABLE
    unlooked = troubled if named else _unlooked(report)
    return Exit.FAILED if report.left or unlooked else Exit.SUCCEEDED


def _unlooked(report: SweepReport) -> bool:
    """Whether a worker was there and its connection could not be swept to its end."""
    return any(swept.trouble and not swept.trouble.startswith("no worker") for swept in report.connections)


def _told(error: WorkflowFailureError) -> str:
    cause: BaseException | None = error.cause
    while cause is not None and not isinstance(cause, ApplicationError) and cause.__cause__ is not None:
        cause = cause.__cause__
    kind = cause.type if isinstance(cause, ApplicationError) and cause.type else "UNKNOWN"
    return f"the sweep failed: {kind}: {cause}\n-> {hint_for(kind)}\n   {page_for(kind)}"


async def _schedule(options: SweepOptions, age: timedelta) -> Exit:
    if options.unschedule and options.every is not None:
        raise StarterError("--every makes a schedule and --no-schedule ends it; give one of them")
    if options.run is not None:
        raise StarterError("a schedule sweeps what every run left; leave --run out")
    if options.unschedule:
        return await _unscheduled(await temporal.connected(), options)
    interval = _duration("--every", options.every or "")
    if interval < SHORTEST:
        raise StarterError(f"--every {options.every!r}: write at least 1m")
    request = SweepRequest(connections=_connections(options.on), older_than=age, stop=options.stop)
    await _scheduled(await temporal.connected(), request, interval)
    does = "lists and stops" if options.stop else "lists"
    told = f"Temporal {does} orphans every {options.every} from now on; end it with: python -m starter sweep --no-schedule"
    _say(options, {"schedule": SCHEDULE, "every": options.every, "stop": options.stop}, told)
    return Exit.SUCCEEDED


async def _scheduled(client: Client, request: SweepRequest, interval: timedelta) -> None:
    """Have exactly one schedule, whatever there was before."""
    schedule = Schedule(
        action=ScheduleActionStartWorkflow(
            SweepWorkflow.run,
            request,
            id="sweep:scheduled",
            task_queue=WORKFLOW_QUEUE,
            execution_timeout=limit_of(stop=request.stop),
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=interval)]),
        # One that takes longer than the interval is not overtaken.
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP),
    )

    async def replaced(found: ScheduleUpdateInput) -> ScheduleUpdate:
        return ScheduleUpdate(schedule=schedule)

    try:
        await client.create_schedule(SCHEDULE, schedule)
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(SCHEDULE).update(replaced)


async def _unscheduled(client: Client, options: SweepOptions) -> Exit:
    try:
        await client.get_schedule_handle(SCHEDULE).delete()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise StarterError(
                f"the schedule could not be ended ({error.status.name})", Exit.UNREACHABLE
            ) from None
        _say(options, {"schedule": None}, "there is no schedule of sweeps")
        return Exit.SUCCEEDED
    _say(options, {"schedule": None}, "sweeps are no longer scheduled")
    return Exit.SUCCEEDED


def _say(options: SweepOptions, document: dict[str, Any], words: str) -> None:
    if options.as_json:
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    else:
        console().print(words, soft_wrap=True)
