"""What every worker writes down about every activity: that it began, how it ended, for which stage."""

import time
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError, is_cancelled_exception
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor


class Observer(Interceptor):
    """Logs each activity with its run, stage and attempt."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Stand in front of every activity."""
        return _Observed(next)


class _Observed(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        """Run it, and say how it went."""
        extra = {"stage": _stage_of(input.args[0] if input.args else None)}
        began = time.monotonic()
        try:
            result = await super().execute_activity(input)
        except BaseException as error:
            activity.logger.warning("%s after %.2f s", _ending(error), time.monotonic() - began, extra=extra)
            raise
        activity.logger.info("done in %.2f s", time.monotonic() - began, extra=extra)
        return result


def _ending(error: BaseException) -> str:
    if isinstance(error, ApplicationError):
        return f"failed: {error.type}: {error.message}"
    return "cancelled" if is_cancelled_exception(error) else f"failed: {type(error).__name__}: {error}"


def _stage_of(request: object) -> str | None:
    for holder in (request, getattr(request, "key", None), getattr(request, "request", None)):
        stage = getattr(holder, "stage", None)
        if isinstance(stage, str):
            return stage
    owner = getattr(request, "owner", None)
    return owner.partition("/")[2] if isinstance(owner, str) and owner else None
