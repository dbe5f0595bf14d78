"""The workflow `plan`: plans a pipeline as a run would, and changes nothing: no container is made, no code published."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

from contracts import presets
from contracts.errors import ErrorKind
from contracts.jobs import RunRef
from contracts.plan import PlanActivities, PlanRequest, QueueActivities, QueueReports, QueuesRequest
from contracts.planned import Planned, PlanWanted
from contracts.queues import cloud_of, queue_of
from contracts.runs import PLAN_WORKFLOW
from contracts.spec import PipelineSpec
from workflows.asked import needed, requests_of
from workflows.checkpoint import Checkpoint
from workflows.effects import Effects
from workflows.failures import stage_error
from workflows.preflight import Answers, PreflightRefused, known, preflight
from workflows.sizing import measured, month_so_far

KEY = "plan"
"""Stands in for the key and the uid of a run that is not there."""


@workflow.defn(name=PLAN_WORKFLOW)
class PlanWorkflow:
    """Asks every connection that a run would, weighs what there is, and has the plan made."""

    def __init__(self) -> None:
        """Begin with nothing in flight."""
        self.effects = Effects(Checkpoint())

    @workflow.run
    async def run(self, wanted: PlanWanted) -> Planned:
        """Return the plan and what it was made from.

        Raises:
            ApplicationError: no plan can be made; its type is the error's kind. `WORKER_ABSENT` names the workers to start.
        """
        try:
            return await self._planned(wanted)
        except (ActivityError, PreflightRefused) as error:
            if is_cancelled_exception(error):
                raise
            said = error.error if isinstance(error, PreflightRefused) else stage_error(error)
            raise ApplicationError(said.message, said.hint, type=said.kind, non_retryable=True) from error

    async def _planned(self, wanted: PlanWanted) -> Planned:
        spec, unserved = await known(wanted.spec, self.effects)
        absent = unserved | await self._absent(spec)
        answers = await preflight(spec, self.effects, create=False, absent=absent)
        found, month = await asyncio.gather(measured(spec, self.effects), month_so_far(self.effects))
        refused = {**absent, **answers.refused}
        plan = await self.effects.local(
            PlanActivities.make,
            PlanRequest(
                run=RunRef(pipeline=spec.pipeline, key=KEY, run_uid=KEY),
                spec=spec,
                connections=answers.reports,
                refused=refused,
                sizes=found.sizes,
                at_least=found.at_least,
                month=month,
            ),
            preset=presets.local(),
            summary="make the plan",
        )
        regions = _regions(answers)
        return Planned(spec=spec, plan=plan, regions=regions, refused=refused, measured=found, month=month)

    async def _absent(self, spec: PipelineSpec) -> dict[str, str]:
        """Return the connections that nobody serves, each with the reason.

        Raises:
            ApplicationError: `WORKER_ABSENT`, the pipeline cannot do without one of them.
        """
        names = tuple(request.connection for request in requests_of(spec, create=False))
        reports: QueueReports = await self.effects.local(
            QueueActivities.describe,
            QueuesRequest(queues=tuple(sorted(set(map(queue_of, names))))),
            preset=presets.local(),
            summary="which workers are there?",
        )
        silent = {report.queue for report in reports.reports if report.absent}
        missing = {name: f"no worker serves {queue_of(name)}" for name in names if queue_of(name) in silent}
        needs = needed(spec)
        lines = [f"{why}; start it with: {_command(name)}" for name, why in missing.items() if name in needs]
        if lines:
            raise ApplicationError("\n".join(lines), type=ErrorKind.WORKER_ABSENT, non_retryable=True)
        return missing


def _regions(answers: Answers) -> dict[str, str]:
    return {name: report.region for name, report in answers.reports.items() if report.region}


def _command(connection: str) -> str:
    _, _, name = connection.partition("/")
    named = "" if name == "default" else f" --connection {name}"
    return f"python -m workers {cloud_of(connection)}{named}"
