"""The worker for workflows and for the few activities that need no cloud. It holds no cloud credentials."""

from activities.planning import Planner
from activities.queues import TemporalQueues
from contracts.queues import WORKFLOW_QUEUE
from workers.serve import Service
from workflows.job_logs import JobLogsWorkflow
from workflows.pipeline import PipelineWorkflow
from workflows.transfer import TransferWorkflow

WORKFLOWS = (PipelineWorkflow, TransferWorkflow, JobLogsWorkflow)


def service() -> Service:
    """Offer every workflow, the planner and the view of task queues."""
    return Service(
        name="workflows",
        queue=WORKFLOW_QUEUE,
        workflows=WORKFLOWS,
        activities=lambda client: (Planner().make, TemporalQueues(client).describe),
    )
