"""Why nobody answers for a run: what Temporal knows of the workers of workflows."""

from temporalio.api.enums.v1 import TaskQueueType, WorkerVersioningMode
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, DescribeTaskQueueResponse
from temporalio.client import Client
from temporalio.service import RPCError

from contracts.queues import DEPLOYMENT, WORKFLOW_QUEUE

START = "start one with: python -m workers workflows"


async def why_nobody_answers(temporal: Client) -> str:
    """Return what to do, in a few words: start a worker, or make the build of one that is there current."""
    request = DescribeTaskQueueRequest(
        namespace=temporal.namespace,
        task_queue=TaskQueue(name=WORKFLOW_QUEUE),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    )
    try:
        return advice(await temporal.workflow_service.describe_task_queue(request))
    except RPCError:
        return START


def advice(answer: DescribeTaskQueueResponse) -> str:
    """Judge the queue: a worker with a build gets no new run until some build of the deployment is current."""
    versioned = WorkerVersioningMode.WORKER_VERSIONING_MODE_VERSIONED
    builds = sorted(
        poller.deployment_options.build_id
        for poller in answer.pollers
        if poller.deployment_options.worker_versioning_mode == versioned
    )
    if builds and not answer.versioning_info.current_deployment_version.build_id:
        return (
            f"the worker of build {builds[-1]} takes no new run before its build is current; make it so with: temporal worker "
            f"deployment set-current-version --deployment-name {DEPLOYMENT} --build-id {builds[-1]}"
        )
    return START
