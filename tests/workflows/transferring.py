"""Transfers as tests start them, and what is laid out for them."""

import asyncio
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ActivityError, ApplicationError

from contracts.jobs import RunRef
from contracts.parts import PART_BYTES, SPAN_PARTS
from contracts.prices import EgressPrice, Tier
from contracts.queues import WORKFLOW_QUEUE
from contracts.runs import TransferResult
from contracts.transfers import TransferRequest
from tests.house import PATIENCE_SECONDS
from tests.workflows.play import Play
from workflows.transfer import TransferWorkflow

SPAN = SPAN_PARTS * PART_BYTES
LARGE = 3 * SPAN + 5
PRICE = EgressPrice(
    currency="USD",
    tiers=(Tier(up_to_gb=None, per_gb=Decimal("0.1")),),
    as_of=date(2026, 3, 1),
    source="the test",
)
Transfer = WorkflowHandle[TransferWorkflow, TransferResult]


async def start(play: Play, key: str = "k", *, source: str = "aws", **fields: Any) -> Transfer:
    await play.serve(source, "azure")
    scheme = {"aws": "s3://causeway", "onprem": "file://"}[source]
    request = TransferRequest(
        run=RunRef(pipeline="copy", key=key, run_uid=f"uid-{key}"),
        key=key,
        artifact="data",
        source=f"{source}/default",
        source_uri=f"{scheme}/data/",
        **{
            "kind": "folder",
            "destination": "azure/default",
            "target": "az://causeway/out/",
            "method": "push" if source == "onprem" else "pull",
            **fields,
        },
    )
    return await play.client.start_workflow(
        TransferWorkflow.run, request, id=f"copy/{key}", task_queue=WORKFLOW_QUEUE
    )


async def ended(transfer: Transfer) -> TransferResult:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await transfer.result()


async def error_of(transfer: Transfer) -> ApplicationError:
    with pytest.raises(WorkflowFailureError) as failed:
        await ended(transfer)
    cause = failed.value.cause
    found = cause.cause if isinstance(cause, ActivityError) else cause
    assert isinstance(found, ApplicationError), repr(cause)
    return found


def lay(play: Play, count: int, on: str = "aws") -> None:
    for number in range(count):
        play.put(on, f"data/{number:05}", f"content {number}".encode())


def lay_large(play: Play, on: str = "aws") -> str:
    play.world.sizes["large"] = LARGE
    return play.put(on, "data/large", b"large")
