"""Which runs `list` shall show: its options, as a question to Temporal's visibility store."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from contracts.mistakes import nearest
from contracts.queues import Cloud
from contracts.runs import CLOUDS_KEY, PIPELINE_KEY, PIPELINE_WORKFLOW, STATE_KEY, WAITING_KEY, RunPhase
from contracts.spec import KEY_PATTERN
from starter.exits import StarterError
from starter.times import span_of

NOBODY = "-"
"""What the search attribute holds while a run waits for nobody."""
_ENDED_BY_TEMPORAL = {
    RunPhase.SUCCEEDED: "ExecutionStatus = 'Completed'",
    RunPhase.FAILED: "ExecutionStatus IN ('Failed', 'TimedOut', 'Terminated')",
    RunPhase.CANCELLED: "ExecutionStatus = 'Canceled'",
}
"""Also of runs that could not say themselves how they ended."""


@dataclass(frozen=True)
class ListOptions:
    """How `list` was called."""

    state: tuple[str, ...] = ()
    pipeline: tuple[str, ...] = ()
    cloud: tuple[str, ...] = ()
    since: str = ""
    until: str = ""
    waiting: bool = False
    limit: int = 20
    page: int = 1
    as_json: bool = False

    @property
    def chooses(self) -> bool:
        """Whether some runs are left out."""
        return bool(self.state or self.pipeline or self.cloud or self.since or self.until or self.waiting)


def question(options: ListOptions, now: datetime | None = None) -> str:
    """Return the query for these runs, in the order of the options; nothing of a user's text gets in unchecked.

    Raises:
        StarterError: an option has a value that none can have.
    """
    begin, end = span_of(options.since, options.until, now)
    parts = [
        # Own workflows have other types, and executions that were cut are one run with the last of them.
        f"(WorkflowType = '{PIPELINE_WORKFLOW}' OR {PIPELINE_KEY.name} IS NOT NULL)",
        "ExecutionStatus != 'ContinuedAsNew'",
        _any([_in_state(_phase(text)) for text in options.state]),
        _any([f"{PIPELINE_KEY.name} = '{_name(text)}'" for text in options.pipeline]),
        *(f"{CLOUDS_KEY.name} = '{_cloud(text)}'" for text in options.cloud),
        f"StartTime >= '{_written(begin)}'" if begin else "",
        f"StartTime <= '{_written(end)}'" if end else "",
        _waits() if options.waiting else "",
    ]
    return " AND ".join(filter(None, parts))


def _any(choices: list[str]) -> str:
    return f"({' OR '.join(choices)})" if choices else ""


def _in_state(phase: RunPhase) -> str:
    told = f"{STATE_KEY.name} = '{phase.value}'"
    if not phase.ended:
        return f"({told} AND ExecutionStatus = 'Running')"
    return f"({told} OR {_ENDED_BY_TEMPORAL[phase]})"


def _waits() -> str:
    return (
        f"{WAITING_KEY.name} IS NOT NULL AND {WAITING_KEY.name} != '{NOBODY}' AND ExecutionStatus = 'Running'"
    )


def _phase(text: str) -> RunPhase:
    try:
        return RunPhase(text.upper())
    except ValueError:
        near = nearest(text.upper(), [phase.value for phase in RunPhase])
        raise StarterError(f"--state {text!r} is no state of a run{near}") from None


def _name(text: str) -> str:
    if not re.fullmatch(KEY_PATTERN.strip("^$"), text):
        raise StarterError(
            f"--pipeline {text!r}: write the name that the pipeline has in its file, such as quickstart"
        )
    return text


def _cloud(text: str) -> Cloud:
    try:
        return Cloud(text)
    except ValueError:
        raise StarterError(
            f"--cloud {text!r} is no cloud{nearest(text, [cloud.value for cloud in Cloud])}"
        ) from None


def _written(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
