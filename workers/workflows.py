"""The worker for workflows and for the few activities that need no cloud. It holds no cloud credentials."""

from activities.owners import TemporalOwners
from activities.planning import Planner
from activities.prices import PriceBook
from activities.queues import TemporalQueues
from contracts.queues import WORKFLOW_QUEUE
from workers.serve import Service
from workflows.job_logs import JobLogsWorkflow
from workflows.pipeline import PipelineWorkflow
from workflows.sweep import SweepWorkflow
from workflows.transfer import TransferWorkflow

WORKFLOWS = (PipelineWorkflow, TransferWorkflow, JobLogsWorkflow, SweepWorkflow)


def service() -> Service:
    """Offer every workflow, the planner, the price book and the view of task queues.

    Raises:
        ValueError: the user's price file cannot be read.
    """
    book = PriceBook.from_environment()
    return Service(
        name="workflows",
        queue=WORKFLOW_QUEUE,
        workflows=WORKFLOWS,
        activities=lambda client: (
            Planner(book).make,
            book.egress,
            TemporalQueues(client).describe,
            TemporalOwners(client).owners,
        ),
    )
