"""Requests that somebody forged: one worker is asked for one thing, past every plan."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

from contracts.errors import ErrorKind


@workflow.defn(name="forged")
class Forged:
    """Asks one worker for one thing, as anybody who may start workflows can have one ask."""

    @workflow.run
    async def run(self, queue: str, name: str, request: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = await workflow.execute_activity(
            name,
            request,
            task_queue=queue,
            result_type=dict,
            start_to_close_timeout=timedelta(seconds=30),
            retry_policy=RetryPolicy(maximum_attempts=1),
        )
        return found


async def asked(client: Client, queue: str, name: str, request: Any, *, via: str = "") -> dict[str, Any]:
    """What comes of a request to the worker of a queue, asked by way of the worker of another."""
    asks = (queue, name, request.model_dump(mode="json"))
    id = f"forged/{uuid.uuid4().hex}"
    found: dict[str, Any] = await client.execute_workflow(
        Forged.run, args=asks, id=id, task_queue=via or queue
    )
    return found


async def refused(client: Client, queue: str, name: str, request: Any, *, via: str = "") -> str:
    """How a request is refused: the rules that are named."""
    with pytest.raises(WorkflowFailureError) as failed:
        await asked(client, queue, name, request, via=via)
    activity = failed.value.cause
    assert isinstance(activity, ActivityError)
    assert isinstance(activity.cause, ApplicationError)
    assert (activity.cause.type, activity.cause.non_retryable) == (ErrorKind.POLICY_VIOLATION, True)
    return activity.cause.message
