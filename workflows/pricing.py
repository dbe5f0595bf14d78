"""What the bytes of a copy of its own cost: by where its two ends lie, which no plan has asked them."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from contracts import presets
from contracts.artifacts import locate
from contracts.connections import ConnectionActivities, ConnectionReport, PreflightRequest
from contracts.prices import EgressPrice, EgressQuery, EgressQuote, PriceActivities
from contracts.transfers import TransferRequest
from workflows.effects import Effects
from workflows.sizing import PATIENCE

REGIONS = "regions-of-copies"
"""Copies that began before this was there asked for a price without regions, or their histories could not be replayed."""


async def price_of(request: TransferRequest, effects: Effects) -> EgressPrice | None:
    """Return the price of what leaves the source for the destination; None where nobody knows one."""
    asked = EgressQuery(source=request.source, destination=request.destination)
    if workflow.patched(REGIONS):
        source, destination = await _regions(request, effects)
        said = {"source_region": source, "destination_region": destination}
        asked = asked.model_copy(update=said)
    quote: EgressQuote = await effects.local(
        PriceActivities.egress, asked, preset=presets.local(), summary="what does it cost?"
    )
    return quote.price


async def _regions(request: TransferRequest, effects: Effects) -> tuple[str, str]:
    """Return the regions of source and destination; of each that does not answer soon, or does not say, an empty text."""
    if request.source == request.destination:
        return "", ""
    # One that is still to be made lies where its connection does.
    target = "" if request.create_container else request.target
    ends = ((request.source, request.source_uri), (request.destination, target))
    source, destination = await asyncio.gather(*(_region(on, uri, request.key, effects) for on, uri in ends))
    return source, destination


async def _region(on: str, uri: str, key: str, effects: Effects) -> str:
    container = locate(uri).model_copy(update={"name": ""}).uri if uri else ""
    containers = (container,) if container else ()
    try:
        report: ConnectionReport = await effects.call(
            ConnectionActivities.preflight,
            PreflightRequest(connection=on, containers=containers, facts=True),
            on=on,
            preset=presets.looking(PATIENCE, PATIENCE),
            stage=key,
            summary="in which region is it?",
        )
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        return ""
    lies = {facts.uri: facts.region for facts in report.facts}
    return lies.get(container) or report.region
