"""What a run is charged for: jobs, endpoints, bytes that were sent, what queries read; each once it has ended. Code over data."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from temporalio import workflow

from contracts.jobs import JobRequest, JobState, RunRef
from contracts.ledger import EGRESS, Charge, reservation_of
from contracts.machines import Machine
from contracts.prices import EgressPrice, QueryPrice
from contracts.runs import workflow_id
from contracts.tables import TableJobKey
from contracts.transfers import TransferRequest

HOUR = Decimal(3600)
SCANNED = "bytes read"
"""The `sku` of queries."""


def of_job(request: JobRequest, state: JobState, connection: str, stage: str) -> Charge | None:
    """Return what a generation cost that has ended, however it did; None for one that never had a machine.

    `stage` is the one that it is shown under: an item's own.
    """
    seconds = state.billed_seconds if state.billed_seconds is not None else state.run_seconds
    if seconds is None:
        return None
    ended = state.ended_at or workflow.now()
    return Charge(
        id=f"{request.run.run_uid}/{request.stage}/g{state.ref.generation}",
        **_run(request.run),
        stage=stage,
        kind="compute",
        connection=connection,
        **_time_of(request.machine, Decimal(str(seconds))),
        started_at=min(state.started_at or ended, ended),
        ended_at=ended,
    )


def of_endpoint(
    run: RunRef, stage: str, generation: int, connection: str, machine: Machine | None, began: datetime
) -> Charge:
    """Return what an endpoint has cost since it was asked for: by the second of its machine, whether or not it was used."""
    ended = workflow.now()
    return Charge(
        id=f"{run.run_uid}/{stage}/e{generation}",
        **_run(run),
        stage=stage,
        kind="endpoint",
        connection=connection,
        **_time_of(machine, Decimal(str((ended - began).total_seconds()))),
        started_at=began,
        ended_at=ended,
    )


def of_transfer(
    request: TransferRequest, execution: str, size_bytes: int, price: EgressPrice | None, began: datetime
) -> Charge | None:
    """Return what bytes cost that a transfer sent, whether or not it reached its end; None where it sent none.

    Bytes that stay on a connection are no charge. `execution` tells one try of a transfer from the next.
    """
    if not size_bytes or request.source == request.destination:
        return None
    return Charge(
        id=f"{reservation_of(request.run.run_uid, request.key)}/{execution}",
        **_run(request.run),
        stage=request.key,
        kind="transfer",
        connection=request.source,
        destination=request.destination,
        sku=EGRESS,
        quantity=Decimal(size_bytes),
        unit="B",
        egress=price,
        settles=reservation_of(request.run.run_uid, request.key),
        price_source=f"{price.source}, as of {price.as_of}" if price else "",
        started_at=began,
        ended_at=workflow.now(),
    )


def of_query(
    key: TableJobKey, connection: str, size_bytes: int | None, price: QueryPrice | None, began: datetime
) -> Charge | None:
    """Return what a query cost that read so many bytes; None where it read none, or its vendor does not say."""
    if not size_bytes:
        return None
    return Charge(
        id=f"{key.run.run_uid}/{key.stage}/q{key.generation}",
        **_run(key.run),
        stage=key.stage,
        kind="query",
        connection=connection,
        sku=SCANNED,
        quantity=Decimal(size_bytes),
        unit="B",
        cost=price.cost(size_bytes) if price else None,
        currency=price.currency if price else "",
        price_source=f"{price.source}, as of {price.as_of}" if price else "",
        started_at=began,
        ended_at=workflow.now(),
    )


def _run(run: RunRef) -> dict[str, str]:
    return {"run_id": workflow_id(run.pipeline, run.key), "pipeline": run.pipeline}


def _time_of(machine: Machine | None, seconds: Decimal) -> dict[str, Any]:
    """What a machine and its price come to for a time; nobody knows how much less one costs that may be taken away."""
    price = machine.price if machine and not machine.spot else None
    return {
        "region": price.region if price else "",
        "sku": machine.instance if machine else "",
        "quantity": seconds,
        "unit": "s",
        "cost": price.per_hour * seconds / HOUR if price else None,
        "currency": price.currency if price else "",
        "price_source": _source(machine),
    }


def _source(machine: Machine | None) -> str:
    if machine is None or machine.price is None:
        return ""
    if machine.spot:
        return "spot costs less than on demand, how much is not known"
    return f"{machine.price.source}, as of {machine.price.as_of}"
