"""The workflow `alert`: delivers one alert, for as long as that takes within a day. Whoever began it has gone on."""

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from contracts import presets
from contracts.alerts import ALERT_WORKFLOW, Alert, AlertActivities, AlertReceipt
from contracts.queues import WORKFLOW_QUEUE
from workflows.failures import stage_error


@workflow.defn(name=ALERT_WORKFLOW)
class AlertWorkflow:
    """Delivers an alert at least once; its receiver knows a repetition by the id."""

    @workflow.run
    async def run(self, alert: Alert) -> AlertReceipt:
        """Return what became of it; that nobody took it is an answer, not a failure."""
        try:
            return await workflow.execute_activity_method(
                AlertActivities.send,
                alert,
                task_queue=WORKFLOW_QUEUE,
                summary=f"tell of {alert.event}",
                **presets.alerting(),
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            why = stage_error(error)
            return AlertReceipt(delivered=False, why=f"{why.kind}: {why.message}")
