"""Runs that a schedule starts: what time they are for, and where they say it."""

from datetime import UTC, datetime

from temporalio import activity
from temporalio.common import SearchAttributeKey

from contracts.model import Message
from contracts.runs import RunStatus
from contracts.spec import PipelineSpec

TIME_PLACEHOLDER = "{schedule.time}"
"""In a param of a pipeline: the time that a run is for."""
SCHEDULED_AT = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")
"""Which Temporal gives every workflow that a schedule starts: the time it was due, also in a backfill."""

SCHEDULE_MEMO = "causeway_schedule"
"""Memo of when a schedule starts runs, in words."""


def undated(spec: PipelineSpec) -> tuple[str, ...]:
    """The params that only a schedule can fill in."""
    return tuple(
        name for name, value in spec.params.items() if isinstance(value, str) and TIME_PLACEHOLDER in value
    )


def dated(spec: PipelineSpec, time: datetime) -> PipelineSpec:
    """The spec with the time in its params, as `2026-11-30T06:00:00Z`; a spec that asks for none is returned as it is."""
    written = f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    found = {name: str(spec.params[name]).replace(TIME_PLACEHOLDER, written) for name in undated(spec)}
    return spec.model_copy(update={"params": {**spec.params, **found}}) if found else spec


class EarlierRequest(Message):
    """A run that a schedule has just started."""

    workflow_id: str


class Earlier(Message):
    """What Temporal knows of runs of the same name."""

    succeeded: RunStatus | None = None
    """How one of them stood when it had succeeded."""


class ScheduledActivities:
    """What the worker of workflows says of runs by the clock."""

    @activity.defn(name="runs.earlier")
    async def earlier(self, request: EarlierRequest) -> Earlier:
        """Say whether a run of this name has succeeded before, as far back as Temporal keeps runs.

        Safe to run twice. Heartbeats nothing, it takes milliseconds. `UNAVAILABLE` is retried; nothing is final.
        """
        raise NotImplementedError
