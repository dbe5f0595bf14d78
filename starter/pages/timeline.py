"""When everything of a run happened: bars on one axis of time, in percent of the run."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts.runs import RunStatus, StageStatus, TransferResult
from starter.pages.flow import short

_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400, 604800)
"""Seconds between two marks of the axis."""
_MARKS = 6
"""At most about so many."""


@dataclass(frozen=True)
class Bar:
    """A stretch of time; `left` and `width` are percent of the axis."""

    left: float
    width: float
    tone: str
    """A state, or `QUEUED` and `MOVED`."""
    told: str


@dataclass(frozen=True)
class Row:
    """What one stage did, or one transfer."""

    label: str
    where: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Timeline:
    """All rows in the order in which they began."""

    rows: tuple[Row, ...]
    marks: tuple[tuple[float, str], ...]
    """Percent from the left, and seconds since the start as people say them."""


def timeline_of(status: RunStatus, now: datetime) -> Timeline:
    """Return the timeline of a run, up to now if it lives."""
    axis = _Axis(status.started_at, status.ended_at or now)
    found = [*_stages(status, axis), *_transfers(status, axis)]
    found.sort(key=lambda pair: pair[0])
    return Timeline(tuple(row for _, row in found), tuple(axis.marks()))


@dataclass(frozen=True)
class _Axis:
    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        return max(0.001, (self.end - self.start).total_seconds())

    def bar(self, begin: datetime, end: datetime | None, tone: str, told: str) -> Bar:
        left = self._percent((begin - self.start).total_seconds())
        right = self._percent(((end or self.end) - self.start).total_seconds())
        return Bar(left, round(max(0.3, right - left), 2), tone, told)

    def marks(self) -> Iterator[tuple[float, str]]:
        step = next((step for step in _STEPS if self.seconds / step <= _MARKS), _STEPS[-1])
        for number in range(int(self.seconds // step) + 1):
            yield self._percent(number * step), spoken(timedelta(seconds=number * step))

    def _percent(self, seconds: float) -> float:
        return round(min(100.0, max(0.0, 100 * seconds / self.seconds)), 2)


def spoken(taken: timedelta) -> str:
    """A stretch of time in its two largest units: `4.2 s`, `3 min 20 s`, `2 h 5 min`."""
    seconds = taken.total_seconds()
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds % 1 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} d {hours % 24} h"


def _stages(status: RunStatus, axis: _Axis) -> Iterator[tuple[datetime, Row]]:
    for stage in status.stages.values():
        if stage.started_at is None:
            continue
        bars = (_whole(stage, axis, stage.started_at), *_queued(stage, axis))
        yield stage.started_at, Row(stage.name, short(stage.connection), bars)


def _whole(stage: StageStatus, axis: _Axis, begin: datetime) -> Bar:
    taken = spoken((stage.ended_at or axis.end) - begin)
    return axis.bar(begin, stage.ended_at, stage.phase.value, f"{stage.name}: {stage.phase.lower()}, {taken}")


def _queued(stage: StageStatus, axis: _Axis) -> Iterator[Bar]:
    """The stretch that the last job waited for its machine, as far as the vendor told both times; counted from its end."""
    job = stage.job
    if job is None or not job.queued_seconds or job.run_seconds is None or stage.ended_at is None:
        return
    began = stage.ended_at - timedelta(seconds=job.queued_seconds + job.run_seconds)
    waited = timedelta(seconds=job.queued_seconds)
    if stage.started_at and began >= stage.started_at:
        yield axis.bar(began, began + waited, "QUEUED", f"{stage.name}: about {spoken(waited)} in a queue")


def _transfers(status: RunStatus, axis: _Axis) -> Iterator[tuple[datetime, Row]]:
    for item in status.transfers:
        if item.started_at is None:
            continue
        bar = axis.bar(item.started_at, item.ended_at, "MOVED", _moved(item))
        yield item.started_at, Row(item.artifact, f"{short(item.source)} → {short(item.destination)}", (bar,))


def _moved(item: TransferResult) -> str:
    return f"{item.artifact} to {short(item.destination)}: {spoken(timedelta(seconds=item.seconds))}"
