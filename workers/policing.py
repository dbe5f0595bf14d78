"""Stands in front of every activity of a cloud's worker: what the worker's own policy forbids does not begin."""

from typing import Any

from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.policies import read, region_of
from activities.policing import Containers, Guard
from activities.settings import WorkerSettings
from contracts.connections import PreflightRequest
from contracts.leaves import Leaves
from contracts.policy import Place, Policy
from contracts.queues import normalise


class Policing(Interceptor):
    """Has each request judged before it is carried out."""

    def __init__(self, guard: Guard, leaves: Leaves) -> None:
        """Judge by this guard; ask these for leave."""
        self._guard = guard
        self._leaves = leaves

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Stand in front of every activity."""
        return _Policed(next, self._guard, self._leaves)


class _Policed(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, guard: Guard, leaves: Leaves) -> None:
        super().__init__(next)
        self._guard = guard
        self._leaves = leaves

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        """Carry it out if the policy has nothing against it."""
        for request in input.args:
            await self._guard.check(request, self._leaves)
        if self._guard.demands:
            # The planner's worker may have been told another policy, or none: what this one demands is said unasked.
            input.args = [_with_facts(request, tls=self._guard.demands_tls) for request in input.args]
        return await super().execute_activity(input)


def _with_facts(request: Any, *, tls: bool) -> Any:
    if not isinstance(request, PreflightRequest):
        return request
    return request.model_copy(update={"facts": True, "tls": request.tls or tls})


def guard_of(
    settings: WorkerSettings,
    cloud: str,
    region: str,
    containers: Containers,
    *,
    tables: str = "",
    runs_images: bool = True,
) -> Guard:
    """Return what a worker with these settings refuses.

    Raises:
        ValueError: its settings and the policy say two things of where it lies.
    """
    policy = read(settings.policy) if settings.policy else Policy()
    connection = normalise(f"{cloud}/{settings.connection}")
    return Guard(
        policy=policy,
        here=Place(connection=connection, region=region_of(policy, connection, region)),
        tables=Place(connection=connection, region=tables) if tables else None,
        image=settings.image or "",
        runs_images=runs_images,
        containers=containers,
    )
