"""What each command does, over Temporal alone: no cloud is ever spoken to from here."""

import asyncio
import json
import sys
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from temporalio.client import Client

from contracts.runs import RunPhase, RunRequest, RunStatus, workflow_id
from contracts.scheduled import TIME_PLACEHOLDER, undated
from contracts.spec import PipelineSpec
from starter import copy_commands, job_logs, local, temporal
from starter.copies import CopyOptions, is_copy, limits_of
from starter.deciding import user
from starter.document import run_document
from starter.exits import Exit, StarterError
from starter.log_pages import LogOptions
from starter.options import key_of, moment_of, params_of
from starter.papers import refuse_copy
from starter.said import say
from starter.show import console, live_view, print_report
from starter.spec.load import find, load
from starter.traced import starting
from starter.watch import watch as watch_run
from workflows.pipeline import PipelineWorkflow

ENDS = {RunPhase.SUCCEEDED: Exit.SUCCEEDED, RunPhase.FAILED: Exit.FAILED, RunPhase.CANCELLED: Exit.FAILED}


@dataclass(frozen=True)
class RunOptions:
    """How `run` was called."""

    pipeline: str | None
    key: str | None
    param: tuple[str, ...]
    on_failure: str | None
    detach: bool
    create: bool
    as_json: bool


async def run(options: RunOptions) -> Exit:
    """Start a run, or attach to it, and watch it to its end."""
    pipeline = load(find(options.pipeline), params_of(options.param), options.on_failure)
    _refuse_undated(pipeline.spec)
    request = RunRequest(
        spec=pipeline.spec,
        key=key_of(options.key),
        bundles=pipeline.bundles,
        create_containers=options.create,
    )
    sandboxed = not local.temporal_is_configured()
    if sandboxed:
        local.bring_up()
    client = await temporal.connected()
    return await launch(client, request, detach=options.detach, as_json=options.as_json, sandboxed=sandboxed)


async def launch(
    client: Client, request: RunRequest, *, detach: bool, as_json: bool, sandboxed: bool = False
) -> Exit:
    """Have Temporal run it, say where it can be seen, and watch it unless told not to."""
    with starting() as trace:
        handle, attached = await temporal.start(client, request)
    said = console(stderr=True)
    said.print(f"run {handle.id}{' is there already; attached' if attached else ''}", soft_wrap=True)
    said.print(f"Web UI {temporal.web_ui(handle.id)}", soft_wrap=True)
    if trace and not attached:
        said.print(f"trace {trace}", soft_wrap=True)
    if detach:
        return await _detached(client, handle.id, as_json=as_json)
    try:
        return await _watched(client, handle.id, as_json=as_json)
    finally:
        said.print(_afterwards(handle.id, sandboxed=sandboxed), soft_wrap=True)


def _refuse_undated(spec: PipelineSpec) -> None:
    names = undated(spec)
    if names:
        raise StarterError(
            f"the param {names[0]!r} asks for {TIME_PLACEHOLDER}, which only a schedule knows; give it by "
            f"--param {names[0]}=2026-11-30T06:00:00Z, or use: python -m starter schedule create"
        )


async def copy(options: CopyOptions) -> Exit:
    """Copy between two stores, durably."""
    return await copy_commands.copy(options, temporal.connected)


async def limit(run_id: str, rate: str | None, streams: int, *, as_json: bool = False) -> Exit:
    """Change how much a copy may take at once."""
    if not is_copy(run_id):
        raise StarterError(
            f"{run_id} is no copy; limits are those of copies, as `python -m starter list` shows them"
        )
    limits = limits_of(rate, streams)
    return await copy_commands.limit(await temporal.connected(), run_id, limits, as_json=as_json)


async def status(run_id: str, *, as_json: bool) -> Exit:
    """Show how a run stands."""
    if is_copy(run_id):
        await copy_commands.show(await temporal.connected(), run_id, as_json=as_json)
        return Exit.SUCCEEDED
    now = await temporal.status(await temporal.connected(), run_id)
    if as_json:
        _json(run_document(now, temporal.web_ui(run_id)))
    else:
        console().print(live_view(now))
    return Exit.SUCCEEDED


async def watch(run_id: str, *, as_json: bool = False) -> Exit:
    """Watch a run to its end."""
    if is_copy(run_id):
        return await copy_commands.watch(await temporal.connected(), run_id, as_json=as_json)
    return await _watched(await temporal.connected(), run_id, as_json=as_json)


async def pause(run_id: str, reason: str, until: str, jobs: str, *, as_json: bool = False) -> Exit:
    """Pause a run."""
    moment = moment_of(until)
    payload = {"reason": reason, "by": user(), "until": moment.isoformat() if moment else ""}
    payload |= {"jobs": "" if jobs == "continue" else jobs}
    await temporal.tell(
        await temporal.connected(),
        run_id,
        PipelineWorkflow.pause,
        {name: value for name, value in payload.items() if value},
    )
    till = f" until {moment:%Y-%m-%d %H:%M %Z}; sooner" if moment else ";"
    return say(
        f"{run_id} pauses{till} resume it with: python -m starter resume {run_id}",
        as_json=as_json,
        run_id=run_id,
        until=payload["until"] or None,
        jobs=jobs,
    )


async def resume(run_id: str, *, as_json: bool = False) -> Exit:
    """Resume a run."""
    await temporal.tell(await temporal.connected(), run_id, PipelineWorkflow.resume, {"by": user()})
    return say(f"{run_id} goes on", as_json=as_json, run_id=run_id)


async def cancel(run_id: str, *, as_json: bool = False) -> Exit:
    """Cancel a run."""
    await temporal.cancel(await temporal.connected(), run_id)
    told = f"{run_id} is being cancelled; watch it with: python -m starter watch {run_id}"
    return say(told, as_json=as_json, run_id=run_id)


async def logs(options: LogOptions) -> Exit:
    """Print the log of a stage's job, and follow it if asked."""
    refuse_copy(options.run_id)
    return await job_logs.show(await temporal.connected(), options)


async def _watched(client: Client, run_id: str, *, as_json: bool) -> Exit:
    out = console()
    try:
        now = await watch_run(client, run_id, out, quiet=as_json)
    except asyncio.CancelledError:
        back = f"\nthe run goes on; return with: python -m starter watch {run_id}"
        console(stderr=True).print(back, soft_wrap=True)
        raise
    page = temporal.web_ui(run_id)
    if as_json:
        _json(run_document(now, page))
    else:
        _finish(out, now, page)
    return ENDS.get(now.phase, Exit.WAITING)


async def _detached(client: Client, run_id: str, *, as_json: bool) -> Exit:
    if as_json:
        _json(run_document(await temporal.status(client, run_id), temporal.web_ui(run_id)))
    else:
        console().print(f"watch it with: python -m starter watch {run_id}", soft_wrap=True)
    return Exit.SUCCEEDED


def _finish(out: Console, now: RunStatus, page: str) -> None:
    out.print()
    print_report(out, now, page)
    if not now.phase.ended:
        run_id = workflow_id(now.run.pipeline, now.run.key)
        waiting = [name for name, stage in now.stages.items() if stage.phase == "WAITING" and not stage.asks]
        if waiting:
            out.print(
                f"\nit waits for a person: python -m starter retry|skip|abort {run_id} {waiting[0]}",
                style="yellow",
                soft_wrap=True,
            )


def _afterwards(run_id: str, *, sandboxed: bool) -> str:
    if not sandboxed:
        return ""
    return "the local clouds and workers are left running; stop all with: make down"


def _json(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
