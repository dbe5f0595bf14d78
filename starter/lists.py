"""What `list` does: shows runs from search attributes alone, so no worker is asked."""

import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.table import Table
from rich.text import Text
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus

from contracts.mistakes import nearest
from contracts.runs import CLOUDS_KEY, STATE_KEY, WAITING_KEY, RunPhase
from starter import temporal
from starter.clocks import taken
from starter.exits import Exit
from starter.selection import NOBODY, ListOptions, question
from starter.show import STYLES, console

_KNOWN = 200
"""Of so many runs the pipelines are told when there is none of the one that was asked for."""
_AT_ONCE = 100
_CUT = timedelta(seconds=5)
"""An execution that follows another begins within this after its end."""
_ENDS = {WorkflowExecutionStatus.COMPLETED: "SUCCEEDED", WorkflowExecutionStatus.CANCELED: "CANCELLED"}


async def list_runs(options: ListOptions) -> Exit:
    """List runs: those that go on first, then those that ended, each the newest first."""
    asked = question(options)
    client = await temporal.connected()
    found, more = await _page(client, asked, options)
    begun = await _begun(client, found)
    rows = [_row(item, begun.get(item.run_id, item.start_time)) for item in found]
    if options.as_json:
        document = {"runs": rows, "page": options.page, "more": more}
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
        return Exit.SUCCEEDED
    console().print(_table(rows) if rows else await _nothing(client, options), soft_wrap=not rows)
    if more:
        console(stderr=True).print(f"there are more: add --page {options.page + 1}", soft_wrap=True)
    return Exit.SUCCEEDED


async def _page(client: Client, asked: str, options: ListOptions) -> tuple[list[WorkflowExecution], bool]:
    """The executions of a page, and whether others follow."""
    before = (options.page - 1) * options.limit
    last = before + options.limit
    found = [item async for item in client.list_workflows(asked, limit=last + 1)]
    return found[before:last], len(found) > last


async def _begun(client: Client, found: list[WorkflowExecution]) -> dict[str, datetime]:
    """When runs began whose history was cut meanwhile, by the id of their last execution."""
    earlier: list[WorkflowExecution] = []
    names = sorted({item.id for item in found if not set(item.id) & set("'\\")})
    for start in range(0, len(names), _AT_ONCE):
        several = ", ".join(f"'{name}'" for name in names[start : start + _AT_ONCE])
        asked = f"ExecutionStatus = 'ContinuedAsNew' AND WorkflowId IN ({several})"
        earlier += [item async for item in client.list_workflows(asked)]
    earlier.sort(key=lambda item: item.start_time, reverse=True)
    begun = {}
    for item in found:
        moment = item.start_time
        for cut in (cut for cut in earlier if cut.id == item.id):
            if cut.close_time and abs(moment - cut.close_time) < _CUT:
                moment = cut.start_time
        begun[item.run_id] = moment
    return begun


async def _nothing(client: Client, options: ListOptions) -> str:
    """Say why there is nothing to show, and what there would be."""
    if options.page > 1:
        return f"there is no page {options.page}; the first is: python -m starter list"
    if not options.chooses:
        return "no runs yet; start one with: python -m starter run"
    if len(options.pipeline) != 1:
        return "no such runs; all of them: python -m starter list"
    runs = client.list_workflows(question(ListOptions()), limit=_KNOWN)
    known = {item.id.partition("/")[0] async for item in runs}
    wanted = options.pipeline[0]
    return f"no such runs of {wanted}" + ("" if wanted in known else nearest(wanted, known))


def _row(item: WorkflowExecution, begun: datetime) -> dict[str, Any]:
    pipeline, _, key = item.id.partition("/")
    waiting = item.typed_search_attributes.get(WAITING_KEY) or NOBODY
    live = item.status is WorkflowExecutionStatus.RUNNING
    end = item.close_time or datetime.now(UTC)
    return {
        "run_id": item.id,
        "pipeline": pipeline,
        "key": key,
        "state": _state(item),
        "clouds": list(item.typed_search_attributes.get(CLOUDS_KEY) or ()),
        "waiting_for": waiting if live and waiting != NOBODY else None,
        "started_at": begun.isoformat(),
        "ended_at": item.close_time.isoformat() if item.close_time else None,
        "seconds": round(max((end - begun).total_seconds(), 0.0), 3),
        "web_ui": temporal.web_ui(item.id),
    }


def _state(item: WorkflowExecution) -> str:
    """What the run said last, unless Temporal knows better: one that was terminated could not say so."""
    said = item.typed_search_attributes.get(STATE_KEY) or RunPhase.RUNNING.value
    if item.status in (None, WorkflowExecutionStatus.RUNNING) or RunPhase(said).ended:
        return said
    return _ENDS.get(item.status, RunPhase.FAILED.value)


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("run", overflow="fold")
    table.add_column("state", no_wrap=True)
    table.add_column("clouds")
    table.add_column("started (UTC)")
    table.add_column("took", justify="right", no_wrap=True)
    table.add_column("waiting for", overflow="fold")
    for row in rows:
        state = row["state"]
        table.add_row(
            Text(row["run_id"]),
            Text(state, STYLES.get(state, "")),
            " ".join(row["clouds"]),
            datetime.fromisoformat(row["started_at"]).astimezone(UTC).strftime("%Y-%m-%d %H:%M"),
            taken(row["seconds"]),
            Text(row["waiting_for"] or ""),
        )
    return table
