"""Requests to plan, connections and price books that tests make up."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from activities.prices import Entry, PriceBook
from contracts.candidates import Standing
from contracts.connections import ConnectionReport
from contracts.jobs import RunRef
from contracts.ledger import MonthState, Sent
from contracts.machines import HourPrice, Machine
from contracts.plan import PlanRequest
from contracts.prices import Tier
from contracts.queues import SCHEME_OF_CLOUD, cloud_of, normalise
from contracts.spec import PipelineSpec

RUN = RunRef(pipeline="p", key="k", run_uid="ab" * 16)
TODAY = date(2026, 11, 30)


def tiers(*ends_and_prices: str | None) -> tuple[Tier, ...]:
    """`"100", "0", None, "0.09"`: 100 GB for nothing, then 9 cents a GB."""
    pairs = zip(ends_and_prices[::2], ends_and_prices[1::2], strict=True)
    return tuple(
        Tier(up_to_gb=None if end is None else Decimal(end), per_gb=Decimal(str(price)))
        for end, price in pairs
    )


def book(currency: str = "USD", **clouds: tuple[Tier, ...]) -> PriceBook:
    """What leaving each cloud costs."""
    return PriceBook(
        [
            Entry(currency=currency, tiers=held, as_of=TODAY, source="a test", origin=cloud)
            for cloud, held in clouds.items()
        ]
    )


def machine(connection: str, price: str | None) -> Machine:
    """A machine that costs `1.20`, or `1.20 EUR`, an hour."""
    amount, _, currency = (price or "").partition(" ")
    told = HourPrice(
        per_hour=Decimal(amount or 0), currency=currency or "USD", region="", as_of=TODAY, source="a test"
    )
    return Machine(instance=f"m-{connection}", why="it is the only one", price=told if price else None)


def report(
    connection: str, *, hidden: bool = False, region: str = "us-east-1", **prices: str | None
) -> ConnectionReport:
    """What a connection answers, with what a machine for each stage costs an hour."""
    name = normalise(connection)
    cloud = cloud_of(name)
    return ConnectionReport(
        connection=name,
        identity="me",
        container=f"{SCHEME_OF_CLOUD[cloud]}://{'' if cloud == 'onprem' else 'c/'}",
        region=region,
        readable_from_outside=not hidden,
        machines={stage: machine(connection, price) for stage, price in prices.items()},
    )


def request_of(
    stages: Mapping[str, Any],
    *,
    connections: Mapping[str, ConnectionReport],
    refused: Mapping[str, str] | None = None,
    sizes: Mapping[str, int] | None = None,
    standing: Standing | None = None,
    sent: Mapping[str, int] | None = None,
    **fields: Any,
) -> PlanRequest:
    """A request to plan these stages."""
    month = [Sent(connection=name, size_bytes=size) for name, size in (sent or {}).items()]
    return PlanRequest(
        run=RUN,
        spec=PipelineSpec.model_validate({"pipeline": "p", "stages": stages, **fields}),
        connections=dict(connections),
        refused=dict(refused or {}),
        sizes=dict(sizes or {}),
        standing=standing or Standing(),
        month=MonthState(month="2026-11", sent=tuple(month)) if sent else None,
    )
