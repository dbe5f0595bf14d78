"""What the words of `schedule` do: Temporal itself starts runs by the clock, and the starter needs not be there."""

import json
import sys
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast

from rich.table import Table
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleBackfill,
    ScheduleDescription,
    ScheduleHandle,
    ScheduleListDescription,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError, RPCStatusCode

from contracts.queues import WORKFLOW_QUEUE
from contracts.runs import DIGEST_MEMO, PIPELINE_KEY, STATE_KEY, RunRequest, run_digest, workflow_id
from contracts.scheduled import SCHEDULE_MEMO
from contracts.units import format_duration
from starter import temporal
from starter.deciding import user
from starter.exits import Exit, StarterError
from starter.options import key_of, params_of
from starter.said import say
from starter.show import console
from starter.spec.load import find, load
from starter.sweeps import SCHEDULE as SWEEPS
from starter.times import period_of, zone_of

Answer = TypeVar("Answer")
OVERLAPS = {
    "skip": ScheduleOverlapPolicy.SKIP,
    "buffer": ScheduleOverlapPolicy.BUFFER_ALL,
    "cancel": ScheduleOverlapPolicy.CANCEL_OTHER,
    "parallel": ScheduleOverlapPolicy.ALLOW_ALL,
}
"""What becomes of a run that is due while the one before it still goes on."""


@dataclass(frozen=True)
class ScheduleOptions:
    """How `schedule create` was called."""

    pipeline: str | None
    cron: str
    zone: str
    overlap: str
    name: str
    param: tuple[str, ...]
    create: bool
    replace: bool
    as_json: bool = False


async def create(options: ScheduleOptions) -> Exit:
    """Have Temporal start runs of a pipeline by the clock.

    Raises:
        StarterError: a wrong pipeline, cron expression or zone, or there is such a schedule already.
    """
    zone_of(options.zone)
    pipeline = load(find(options.pipeline), params_of(options.param))
    request = RunRequest(
        spec=pipeline.spec,
        key="",
        bundles=pipeline.bundles,
        create_containers=options.create,
        scheduled=True,
    )
    identity = workflow_id(pipeline.spec.pipeline, key_of(options.name, "--name"))
    await _put(await temporal.connected(), identity, _schedule(identity, request, options), options)
    told = f"{identity} runs by {options.cron!r} in {options.zone}; see: python -m starter schedule list"
    return say(told, as_json=options.as_json, schedule=identity)


async def list_all(*, as_json: bool) -> Exit:
    """Show every schedule of pipelines, with when it is due next and what it started last."""
    client = await temporal.connected()
    rows = [await _row(client, found) async for found in _ours(client)]
    if as_json:
        sys.stdout.write(json.dumps({"schedules": rows}, indent=2) + "\n")
    else:
        none = "no schedules; make one with: python -m starter schedule create PIPELINE --cron '0 6 * * *'"
        console().print(_table(rows) if rows else none, soft_wrap=not rows)
    return Exit.SUCCEEDED


async def pause(identity: str, reason: str, *, as_json: bool = False) -> Exit:
    """Start no further runs; those that go on do."""
    note = " ".join(filter(None, (f"by {user()}" if user() else "", reason)))
    await _answered(identity, (await _handle(identity)).pause(note=note))
    return say(
        f"{identity} starts nothing until: python -m starter schedule resume {identity}",
        as_json=as_json,
        schedule=identity,
    )


async def resume(identity: str, *, as_json: bool = False) -> Exit:
    """Start runs again as they are due."""
    await _answered(identity, (await _handle(identity)).unpause())
    return say(f"{identity} starts runs again", as_json=as_json, schedule=identity)


async def trigger(identity: str, *, as_json: bool = False) -> Exit:
    """Start a run now, for now."""
    await _answered(identity, (await _handle(identity)).trigger())
    return say(f"{identity} starts a run; see: python -m starter list", as_json=as_json, schedule=identity)


async def delete(identity: str, *, as_json: bool = False) -> Exit:
    """Forget the schedule; runs that it started go on."""
    await _answered(identity, (await _handle(identity)).delete())
    return say(f"{identity} is no more; runs that it started go on", as_json=as_json, schedule=identity)


async def backfill(identity: str, since: str, until: str, overlap: str, *, as_json: bool = False) -> Exit:
    """Start the runs that were due in a period of the past; one that was started already is not started again.

    Raises:
        StarterError: no such schedule, or no such period.
    """
    handle = await _handle(identity)
    described = await _answered(identity, handle.describe())
    begin, end = period_of(since, until, zone_of(described.schedule.spec.time_zone_name or "UTC"))
    # Temporal leaves out the very start of the period.
    wanted = ScheduleBackfill(begin - timedelta(seconds=1), end, overlap=OVERLAPS[overlap])
    await _answered(identity, handle.backfill(wanted))
    told = f"{identity} starts what was due from {begin.isoformat()} to {end.isoformat()}"
    return say(told, as_json=as_json, schedule=identity, begin=begin.isoformat(), end=end.isoformat())


def _schedule(identity: str, request: RunRequest, options: ScheduleOptions) -> Schedule:
    spec = request.spec
    return Schedule(
        action=ScheduleActionStartWorkflow(
            spec.workflow,
            request,
            id=identity,
            task_queue=WORKFLOW_QUEUE,
            memo={
                DIGEST_MEMO: run_digest(spec, request.bundles),
                SCHEDULE_MEMO: f"{options.cron} in {options.zone}",
            },
            typed_search_attributes=TypedSearchAttributes(
                [SearchAttributePair(PIPELINE_KEY, spec.pipeline), SearchAttributePair(STATE_KEY, "RUNNING")]
            ),
            static_summary=temporal.summary_of(spec),
            static_details=temporal.details_of(spec),
        ),
        spec=ScheduleSpec(cron_expressions=[options.cron], time_zone_name=options.zone),
        policy=SchedulePolicy(overlap=OVERLAPS[options.overlap]),
    )


async def _put(client: Client, identity: str, schedule: Schedule, options: ScheduleOptions) -> None:
    marks = TypedSearchAttributes([SearchAttributePair(PIPELINE_KEY, identity.partition("/")[0])])
    try:
        await client.create_schedule(identity, schedule, search_attributes=marks)
    except ScheduleAlreadyRunningError:
        if not options.replace:
            raise StarterError(
                f"there is a schedule {identity} already; give --replace, or another --name"
            ) from None
        await _answered(identity, client.get_schedule_handle(identity).update(_replaced(schedule)))
    except RPCError as error:
        if error.status is RPCStatusCode.INVALID_ARGUMENT:
            raise StarterError(f"--cron {options.cron!r}: {error.message}") from None
        raise _unanswered(identity, error) from None


def _replaced(schedule: Schedule) -> Any:
    async def update(found: ScheduleUpdateInput) -> ScheduleUpdate:
        schedule.state.paused = found.description.schedule.state.paused
        return ScheduleUpdate(schedule=schedule)

    return update


async def _handle(identity: str) -> ScheduleHandle:
    if identity == SWEEPS:
        raise StarterError(
            f"{identity} sweeps, and runs no pipeline; end it with: python -m starter sweep --no-schedule"
        )
    if not all(identity.partition("/")):
        raise StarterError(f"{identity!r} is no schedule; write pipeline/name, as `schedule list` shows it")
    return (await temporal.connected()).get_schedule_handle(identity)


async def _answered(identity: str, asked: Awaitable[Answer]) -> Answer:
    try:
        return await asked
    except RPCError as error:
        raise _unanswered(identity, error) from None


def _unanswered(identity: str, error: RPCError) -> StarterError:
    if error.status is RPCStatusCode.NOT_FOUND:
        return StarterError(f"there is no schedule {identity!r}; see: python -m starter schedule list")
    return StarterError(f"{identity}: Temporal did not take it ({error.message})", Exit.UNREACHABLE)


async def _ours(client: Client) -> AsyncIterator[ScheduleListDescription]:
    async for found in await client.list_schedules():
        if found.typed_search_attributes.get(PIPELINE_KEY) or found.id == SWEEPS:
            yield found


async def _row(client: Client, found: ScheduleListDescription) -> dict[str, Any]:
    held: ScheduleDescription = await _answered(found.id, client.get_schedule_handle(found.id).describe())
    schedule, told = held.schedule, held.info
    action = cast(ScheduleActionStartWorkflow, schedule.action)
    last = told.recent_actions[-1].action if told.recent_actions else None
    due = None if schedule.state.paused or not told.next_action_times else told.next_action_times[0]
    return {
        "schedule": found.id,
        "when": await _when(client, action) or _every(schedule.spec),
        "paused": schedule.state.paused,
        "note": (schedule.state.note or "") if schedule.state.paused else "",
        "next": due.isoformat() if due else None,
        "last_run": getattr(last, "workflow_id", None),
        "overlap": next(
            (word for word, policy in OVERLAPS.items() if policy is schedule.policy.overlap), None
        ),
        "missed": told.num_actions_missed_catchup_window,
        "skipped": told.num_actions_skipped_overlap,
    }


async def _when(client: Client, action: ScheduleActionStartWorkflow) -> str:
    payload = (action.memo or {}).get(SCHEDULE_MEMO)
    return (await client.data_converter.decode([payload], [str]))[0] if payload else ""


def _every(spec: ScheduleSpec) -> str:
    return ", ".join(f"every {format_duration(interval.every)}" for interval in spec.intervals)


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for title in ("schedule", "when", "state", "due next", "last run", "note"):
        table.add_column(title, overflow="fold")
    for row in rows:
        due = datetime.fromisoformat(row["next"]).strftime("%Y-%m-%d %H:%M %Z") if row["next"] else ""
        state = "[yellow]paused[/]" if row["paused"] else "[green]active[/]"
        table.add_row(row["schedule"], row["when"], state, due, row["last_run"] or "", row["note"])
    return table
