"""Durations and moments as people read them, in a few characters."""

from datetime import UTC, datetime

from contracts.runs import StageStatus
from starter.document import seconds_of


def moment(when: datetime) -> str:
    """A time in its own zone, with its day unless that is today."""
    today = datetime.now(when.tzinfo).date()
    return f"{when:%H:%M %Z}" if when.date() == today else f"{when:%Y-%m-%d %H:%M %Z}"


def seconds_so_far(stage: StageStatus) -> float | None:
    """How long a stage took, or has taken by now; None before it began."""
    if stage.started_at and not stage.ended_at:
        return (datetime.now(UTC) - stage.started_at).total_seconds()
    return seconds_of(stage)


def taken(seconds: float | None) -> str:
    """A duration, short; empty for None."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}h{minutes % 60:02}m" if minutes >= 60 else f"{minutes}m{rest:02}s"
