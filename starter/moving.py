"""What a run moves at this moment: its transfers under way, as their own workflows tell of them."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError

from contracts.copies import CopyProgress
from contracts.runs import TRANSFER_WORKFLOW, RunStatus, TransferResult
from contracts.transfers import TransferStatus
from starter.temporal import handle
from workflows.transfer import TransferWorkflow

ASKED_AT_ONCE = 6
"""Transfers that are asked each time; a terminal has no room for the bars of more."""
_SOON = timedelta(seconds=3)
_MOVING = {"storage.copy", "storage.copy_parts", "storage.push", "storage.push_parts"}


@dataclass(frozen=True)
class Moving:
    """A transfer under way."""

    status: TransferStatus
    in_flight: int
    """Bytes that its status does not count yet."""

    @property
    def bytes_done(self) -> int:
        """Bytes that have arrived, by all that is known."""
        return min(self.status.bytes_done + self.in_flight, self.status.bytes_total)


async def under_way(temporal: Client, identity: str) -> list[Moving]:
    """The run's transfers under way, at most `ASKED_AT_ONCE`; one that does not answer soon is left out."""
    try:
        description = await handle(temporal, identity).describe(rpc_timeout=_SOON)
    except RPCError:
        return []
    pending = description.raw_description.pending_children
    ids = [child.workflow_id for child in pending if child.workflow_type_name == TRANSFER_WORKFLOW]
    found = await asyncio.gather(*(_asked(temporal, identity) for identity in ids[:ASKED_AT_ONCE]))
    return [one for one in found if one is not None]


async def in_flight(description: Any) -> int:
    """Bytes that heartbeats tell of and the workflow has not counted yet."""
    total = 0
    for pending in description.raw_description.pending_activities:
        if pending.activity_type.name in _MOVING and pending.HasField("heartbeat_details"):
            converter = description.data_converter
            told = await converter.decode(pending.heartbeat_details.payloads, [CopyProgress])
            total += told[0].bytes_done
    return total


def egress_so_far(now: RunStatus, moving: list[Moving]) -> str:
    """What leaving clouds has cost by now, per currency, in a few words; what has no known price is counted."""
    priced: list[TransferResult | TransferStatus] = [*now.transfers, *(one.status for one in moving)]
    sums: dict[str, Decimal] = {}
    for one in priced:
        if one.cost is not None:
            sums[one.currency] = sums.get(one.currency, Decimal()) + one.cost
    unknown = sum(one.cost is None for one in priced)
    words = [f"{amount:.4f} {currency}" for currency, amount in sorted(sums.items())]
    words += [f"{unknown} without a known price"] if unknown else []
    return f"egress {', '.join(words)}" if words else ""


async def _asked(temporal: Client, identity: str) -> Moving | None:
    child = temporal.get_workflow_handle_for(TransferWorkflow.run, identity)
    try:
        status = await child.query(TransferWorkflow.status, rpc_timeout=_SOON)
        return Moving(status, await in_flight(await child.describe(rpc_timeout=_SOON)))
    except (RPCError, WorkflowQueryFailedError):
        return None
