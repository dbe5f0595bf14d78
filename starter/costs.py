"""What the command `costs` does: asks the ledger what a month, or a run, really cost."""

import json
import re
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from contracts.ledger import COSTS_QUERY, MonthCosts, Spent, ledger_id, month_of
from contracts.mistakes import nearest
from contracts.runs import RunStatus
from starter import temporal
from starter.costs_table import BY, Costs, costs_csv, costs_document, costs_view
from starter.exits import Exit, StarterError
from starter.presence import why_nobody_answers
from starter.show import console

MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
OF_A_MONTH, OF_A_RUN = ("pipeline", "cloud", "kind"), ("stage", "connection", "kind")
LATER = timedelta(days=2)
"""How long after its end a run's last charge may still be written down."""


@dataclass(frozen=True)
class CostsOptions:
    """How `costs` was called."""

    run_id: str | None = None
    month: str | None = None
    by: str = ""
    as_csv: bool = False
    as_json: bool = False


async def costs(options: CostsOptions) -> Exit:
    """Show what a run cost, or a month; without either, this month.

    Raises:
        StarterError: there is no such run, an option is wrong, or nobody answers.
    """
    by = _by(options)
    month = _month(options.month) if options.month else None
    _check(options)
    client = await temporal.connected()
    if options.run_id:
        found = await _of_run(client, options.run_id, by)
    else:
        found = await _of_month(client, month or month_of(datetime.now(UTC)), by)
    if options.as_csv:
        sys.stdout.write(costs_csv(found, grouped=bool(options.by)))
    elif options.as_json:
        sys.stdout.write(json.dumps(costs_document(found), indent=2) + "\n")
    else:
        console().print(costs_view(found), soft_wrap=not found.spent)
    return Exit.SUCCEEDED


async def _of_month(client: Client, month: str, by: tuple[str, ...]) -> Costs:
    held = await _asked(client, month)
    return Costs(f"Costs of {month}", by, held.spent if held else ())


async def _of_run(client: Client, run_id: str, by: tuple[str, ...]) -> Costs:
    """What the ledger has of a run; of what it has added up by now, the run itself knows."""
    status = await temporal.status(client, run_id)
    lines: list[Spent] = []
    for month in _months(status):
        held = await _asked(client, month)
        lines += [line for line in held.spent if line.run_id == run_id] if held else []
    title = f"Costs of {run_id}"
    if len(lines) >= len(status.charges):
        return Costs(title, by, tuple(lines))
    note = "The ledger has not all of it line by line: this is what the run itself knows."
    return Costs(title, by, status.charges, note)


async def _asked(client: Client, month: str) -> MonthCosts | None:
    """What the ledger of a month says; None where nobody wrote into it."""
    handle = client.get_workflow_handle(ledger_id(month))
    try:
        held: MonthCosts = await handle.query(
            COSTS_QUERY, result_type=MonthCosts, rpc_timeout=temporal.ANSWER_TIMEOUT
        )
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise StarterError(
            f"the ledger of {month} did not answer in {temporal.ANSWER_TIMEOUT.seconds} s; "
            f"{await why_nobody_answers(client)}",
            Exit.UNREACHABLE,
        ) from None
    return held


def _months(status: RunStatus) -> list[str]:
    """The months that a run took, and the one in which its last charge may lie."""
    moment, end = status.started_at, (status.ended_at or datetime.now(UTC)) + LATER
    found = {month_of(moment), month_of(end)}
    while moment < end:
        found.add(month_of(moment))
        moment += timedelta(days=28)
    return sorted(found)


def _check(options: CostsOptions) -> None:
    if options.run_id and options.month:
        raise StarterError("--run and --month: write one of them; a run has the months that it took")
    if options.as_csv and options.as_json:
        raise StarterError("--csv and --json: write one of them; each prints a document of its own")


def _by(options: CostsOptions) -> tuple[str, ...]:
    if not options.by:
        return OF_A_RUN if options.run_id else OF_A_MONTH
    names = tuple(name.strip() for name in options.by.split(","))
    for name in names:
        if name not in BY:
            raise StarterError(
                f"--by {name!r} is nothing that costs are put together by{nearest(name, BY)}; several have commas between"
            )
    return tuple(dict.fromkeys(names))


def _month(given: str) -> str:
    if not MONTH.fullmatch(given):
        raise StarterError(f"--month {given!r}: write a year and a month, such as 2026-11")
    return given
