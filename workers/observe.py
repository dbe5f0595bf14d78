"""What every worker writes down about every activity: that it began, how it ended, for which stage."""

import re
import time
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError, is_cancelled_exception
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.asked import Asked, attempt
from activities.run_lines import KEPT
from contracts.errors import ErrorDetail
from contracts.jobs import JobRef
from telemetry.current import mark

_JOB = re.compile(r"cw-(?P<stage>[a-z0-9-]+)-[0-9a-f]{12}-[0-9a-f]{8}-g\d+")


class Observer(Interceptor):
    """Logs each activity with its run, stage and attempt."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Stand in front of every activity."""
        return _Observed(next)


class _Observed(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        """Run it, and say how it went."""
        extra = {"stage": _stage_of(input.args[0] if input.args else None)}
        began, info, asked = time.monotonic(), activity.info(), attempt()
        mark(
            {
                **_job_of(input.args[0] if input.args else None),
                "causeway.run": info.workflow_id or "",
                "causeway.stage": extra["stage"] or "",
                "causeway.attempt": info.attempt,
                "causeway.queue": info.task_queue,
            }
        )
        KEPT.began(info.workflow_run_id or "", info.activity_id, extra["stage"])
        try:
            result = await super().execute_activity(input)
        except BaseException as error:
            _count(error)
            _mark_requests(asked, error)
            activity.logger.warning("%s after %.2f s", _ending(error), time.monotonic() - began, extra=extra)
            raise
        else:
            mark(_job_of(result))
            _mark_requests(asked)
            activity.logger.info("done in %.2f s", time.monotonic() - began, extra=extra)
            return result
        finally:
            KEPT.ended(info.workflow_run_id or "", info.activity_id)


def _job_of(held: object) -> dict[str, str | int | list[str]]:
    """The job that a request or its answer is about, by the cloud's id and by ours."""
    for ref in (held, getattr(held, "ref", None)):
        if isinstance(ref, JobRef):
            return {"causeway.job.id": ref.id, "causeway.job.name": ref.name}
    return {}


def _mark_requests(asked: Asked, error: BaseException | None = None) -> None:
    """Name the last requests by the ids that a cloud's support asks for; the one that failed is named by its error."""
    details = error.details if isinstance(error, ApplicationError) else ()
    failed = [item.request_id for item in details if isinstance(item, ErrorDetail) and item.request_id]
    if ids := dict.fromkeys((*asked.ids, *failed)):
        mark({"causeway.request_ids": list(ids)})


def _count(error: BaseException) -> None:
    """Count a failed attempt by its kind; that somebody cancelled is no failure."""
    if is_cancelled_exception(error):
        return
    kind = (error.type if isinstance(error, ApplicationError) else None) or "UNKNOWN"
    counter = activity.metric_meter().create_counter(
        "causeway_activity_errors", "Attempts of activities that failed, by kind."
    )
    counter.add(1, {"kind": kind})


def _ending(error: BaseException) -> str:
    if isinstance(error, ApplicationError):
        return f"failed: {error.type}: {error.message}"
    return "cancelled" if is_cancelled_exception(error) else f"failed: {type(error).__name__}: {error}"


def _stage_of(request: object) -> str | None:
    for holder in (request, getattr(request, "key", None), getattr(request, "request", None)):
        stage = getattr(holder, "stage", None)
        if isinstance(stage, str):
            return stage
    # A watch knows its job alone, whose name holds the stage.
    job = getattr(getattr(request, "ref", request), "name", None)
    if isinstance(job, str) and (named := _JOB.fullmatch(job)):
        return named["stage"].replace("-", "_")
    owner = getattr(request, "owner", None)
    return owner.partition("/")[2] if isinstance(owner, str) and owner else None
