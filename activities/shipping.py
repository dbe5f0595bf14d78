"""Keeping the logs of a stage, over any job service and any store."""

from collections import deque
from collections.abc import Iterable, Mapping

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.guard import Translate, guarded, translated
from activities.job_service import JobService
from activities.run_lines import RunLines
from activities.store import Store, put_small
from contracts.jobs import LOG_BEGINNING, JobRef
from contracts.runs import workflow_id
from contracts.shipping import (
    CARRIED_BYTES,
    JOB_LOG,
    WORKER_LOG,
    LogFile,
    LogShippingActivities,
    Shipped,
    ShipRequest,
    StoreLogsRequest,
)
from contracts.units import MIB

KEPT_BYTES = 8 * MIB
PAGES = 500
"""Of a job's log that are read from its beginning; of a longer one only the last lines are added then."""
LINES = 10_000
LEFT_OUT = "… lines left out here …"
_MEDIA_TYPES = {JOB_LOG: "text/plain; charset=utf-8", WORKER_LOG: "application/jsonl"}


class StoreLogShipping(LogShippingActivities):
    """What `contracts.shipping` promises, by the rights of this worker."""

    def __init__(self, service: JobService, store: Store, translate: Translate, lines: RunLines) -> None:
        self._service = service
        self._store = store
        self._translate = translate
        self._lines = lines

    @activity.defn(name="logs.ship", no_thread_cancel_exception=True)
    def ship(self, request: ShipRequest) -> Shipped:
        """See the contract."""
        with guarded(self._translate, request.target or request.stage):
            run = workflow_id(request.run.pipeline, request.run.key)
            files = {WORKER_LOG: self._lines.of(run, request.stage, request.since)}
            missing = ""
            if request.job is not None:
                try:
                    files[JOB_LOG] = self._job_log(request.job)
                except ApplicationError as error:
                    missing = f"{JOB_LOG}: {error.type}: {error.message}"
            found = {name: lines for name, lines in sorted(files.items()) if lines}
            if request.target is None:
                carried = tuple(LogFile(name=name, lines=carriable(found[name])) for name in found)
                return Shipped(carried=carried, missing=missing)
            owner = f"{request.run.run_uid}/{request.stage}"
            return Shipped(uris=self._write(request.target, owner, found), missing=missing)

    @activity.defn(name="logs.store", no_thread_cancel_exception=True)
    def store(self, request: StoreLogsRequest) -> Shipped:
        """See the contract."""
        with guarded(self._translate, request.target):
            files = {file.name: file.lines for file in request.files if file.name in _MEDIA_TYPES}
            return Shipped(uris=self._write(request.target, request.owner, files))

    def _write(self, target: str, owner: str, files: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
        uris = []
        for name, lines in files.items():
            content = "".join(f"{line}\n" for line in lines).encode()
            with translated(self._translate, target + name):
                put_small(self._store, target + name, content, owner=owner, media_type=_MEDIA_TYPES[name])
            uris.append(target + name)
        return tuple(uris)

    def _job_log(self, ref: JobRef) -> list[str]:
        """The whole log of a job, or its last lines where it is too long."""
        kept, after = _Last(KEPT_BYTES), LOG_BEGINNING
        with translated(self._translate, ref.name):
            for _ in range(PAGES):
                page = self._service.logs(ref, LINES, after, final=True)
                kept.add(page.lines)
                if not page.lines or page.next_after is None or page.next_after == after:
                    return kept.lines()
                after = page.next_after
            kept.add((LEFT_OUT, *self._service.logs(ref, LINES, None).lines))
        return kept.lines()


class _Last:
    """The last lines that fit."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._lines: deque[str] = deque()
        self._cut = False

    def add(self, lines: Iterable[str]) -> None:
        """Add lines at the end, and let go of as many at the beginning."""
        for line in lines:
            self._lines.append(line)
            self._left -= _size(line)
            while self._left < 0 and len(self._lines) > 1:
                self._left += _size(self._lines.popleft())
                self._cut = True

    def lines(self) -> list[str]:
        """What is held; it says if something is not."""
        return [LEFT_OUT, *self._lines] if self._cut else list(self._lines)


def carriable(lines: list[str]) -> tuple[str, ...]:
    """The last lines that one message may hold, half of it for each of two files."""
    limit, keep = CARRIED_BYTES // 2, len(lines)
    while keep and _packed_size(lines[-keep:]) > limit:
        keep //= 2
    if keep == len(lines):
        return tuple(lines)
    return (LEFT_OUT, *lines[len(lines) - keep :])


def _packed_size(lines: list[str]) -> int:
    return len(LogFile(name="", lines=tuple(lines)).model_dump_json())


def _size(line: str) -> int:
    return len(line.encode()) + 1
