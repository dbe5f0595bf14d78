"""The worker for workflows and for the few activities that need no cloud. It holds no cloud credentials."""

import importlib
import os
from collections.abc import Callable
from typing import Any

from temporalio.client import Client

from activities.alerts import Receiver, Webhook
from activities.connections import TemporalConnections
from activities.ledger import TemporalLedger
from activities.lineage import LineageSettings, OpenLineage
from activities.owners import TemporalOwners
from activities.planning import Planner
from activities.policies import from_mapping
from activities.prices import PriceBook
from activities.queues import TemporalQueues
from activities.scheduled import TemporalRuns
from contracts.observed import Observed
from contracts.queues import WORKFLOW_QUEUE
from workers.connections import named
from workers.serve import Service
from workers.versions import deployment
from workflows.alert import AlertWorkflow
from workflows.check import CheckWorkflow
from workflows.foreach import FanoutWorkflow
from workflows.job_logs import JobLogsWorkflow
from workflows.ledger import LedgerWorkflow, UpgradedLedgerWorkflow
from workflows.lineage import LineageWorkflow
from workflows.pipeline import PipelineWorkflow
from workflows.planned import PlanWorkflow
from workflows.sweep import SweepWorkflow
from workflows.transfer import TransferWorkflow

OWN = "CAUSEWAY_WORKFLOWS"
WORKFLOWS = (
    PipelineWorkflow,
    TransferWorkflow,
    FanoutWorkflow,
    JobLogsWorkflow,
    SweepWorkflow,
    CheckWorkflow,
    PlanWorkflow,
    AlertWorkflow,
    LineageWorkflow,
    LedgerWorkflow,
)


def service() -> Service:
    """Offer every workflow, the planner, the price book, the view of task queues and the way to who watches runs.

    Raises:
        ValueError: the policy, the user's price file or file of connections cannot be read, a workflow of their own
            cannot be found, a build is misnamed, or a setting of alerts or lineage is wrong.
    """
    book = PriceBook.from_environment()
    receiver = Receiver.from_mapping(os.environ)
    lineage = LineageSettings.from_mapping(os.environ)
    observed = Observed(alerts=receiver.wanted if receiver else (), lineage=lineage is not None)
    names, policy = named(os.environ), from_mapping(os.environ)
    webhook = Webhook(receiver, observed)
    build = deployment(os.environ)
    return Service(
        name="workflows",
        queue=WORKFLOW_QUEUE,
        deployment=build,
        workflows=(*_workflows(build is not None), *own_workflows(os.environ.get(OWN, ""))),
        activities=lambda client: (
            Planner(book, observed, policy).make,
            book.egress,
            TemporalQueues(client, observed).describe,
            TemporalConnections(client, names).known,
            webhook.describe,
            webhook.send,
            OpenLineage(lineage).emit,
            TemporalOwners(client).owners,
            TemporalRuns(client).earlier,
            *ledger_activities(client),
        ),
    )


def ledger_activities(client: Client) -> tuple[Callable[..., Any], ...]:
    """Return the ways to the ledger."""
    ledger = TemporalLedger(client)
    return ledger.post, ledger.month, ledger.reserve, ledger.release


def _workflows(versioned: bool) -> tuple[type, ...]:
    """Return every workflow of ours; of workers that say their build, the ledger goes on with the latest."""
    return tuple(
        UpgradedLedgerWorkflow if versioned and kind is LedgerWorkflow else kind for kind in WORKFLOWS
    )


def own_workflows(named: str) -> tuple[type, ...]:
    """Return the workflows that users name: `module:Class`, several with commas between them.

    Raises:
        ValueError: one of them cannot be imported, or is no workflow; says which.
    """
    return tuple(_own(name.strip()) for name in named.split(",") if name.strip())


def _own(name: str) -> type:
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise ValueError(f"{OWN}: {name!r} names no workflow; write module:Class")
    try:
        found: type = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{OWN}: {name} cannot be imported: {error}") from None
    if not hasattr(found, "__temporal_workflow_definition"):
        raise ValueError(f"{OWN}: {name} is no workflow; decorate the class with @workflow.defn")
    return found
