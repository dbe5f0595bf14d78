"""Ending the jobs of a stage for certain, over any job service: by name, by tags, and not too early."""

import time
from collections.abc import Callable, Iterator
from functools import partial

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.guard import Translate, guarded, translated
from activities.job_service import JobService
from activities.stopping import rest
from activities.watching import Watch, longer
from contracts.closing import CloseRequest, ClosingActivities
from contracts.errors import ErrorKind
from contracts.jobs import JobList, JobRef, JobRequest, JobState

SETTLING_SECONDS = 90.0
"""How long a create may still arrive after its submit was given up: no room's request takes longer than 65 s."""
_FIRST_LOOK_SECONDS = 0.5

Named = Callable[[JobRequest], JobState | None]
"""Looks for a job by the name that its request gives it, where a listing of tags may not show it yet."""


class ServiceClosingActivities(ClosingActivities):
    """What `contracts.closing` promises, by one job service."""

    def __init__(
        self,
        service: JobService,
        translate: Translate,
        named: Named | None = None,
        settling_seconds: float = SETTLING_SECONDS,
    ) -> None:
        """Close jobs of this service; `named` is for a vendor whose jobs are not asked for by name."""
        self._service = service
        self._translate = translate
        self._named = named or partial(by_name, service, translate)
        self._settling_seconds = settling_seconds

    @activity.defn(name="jobs.close", no_thread_cancel_exception=True)
    def close(self, request: CloseRequest) -> JobList:
        """See the contract."""
        wanted = request.request
        with guarded(self._translate, wanted.name):
            until = time.monotonic() + (self._settling_seconds if request.under_way else 0.0)
            interval, ended = _FIRST_LOOK_SECONDS, dict[str, JobState]()
            while True:
                ended |= {state.ref.name: self._end(state) for state in self._seen(wanted)}
                # A name belongs to its first job, so nothing can come after it.
                if wanted.name in ended or time.monotonic() >= until:
                    return JobList(jobs=tuple(ended.values()))
                rest(interval)
                interval = longer(interval)

    def _seen(self, wanted: JobRequest) -> Iterator[JobState]:
        """Return each job once: whatever carries the tags of the stage, and the one of this name if it is not yet listed."""
        with translated(self._translate, wanted.run.run_uid):
            tagged = self._service.find(wanted.run.run_uid, wanted.stage)
        yield from tagged
        if all(state.ref.name != wanted.name for state in tagged):
            with translated(self._translate, wanted.name):
                own = self._named(wanted)
            if own is not None:
                yield own

    def _end(self, state: JobState) -> JobState:
        if state.phase.terminal:
            return state
        activity.logger.info("job %s is stopped", state.ref.name)
        with translated(self._translate, state.ref.name):
            self._service.stop(state.ref)
        return Watch(self._service, self._translate, state.ref).until_ended()


def by_name(service: JobService, translate: Translate, request: JobRequest) -> JobState | None:
    """Return the job of a request's name from a service that asks for it by that; None where there is none."""
    # What the service calls its id is not known here.
    ref = JobRef(
        id=request.name, name=request.name, generation=request.generation, kind=request.kind, adopted=True
    )
    try:
        with translated(translate, request.name):
            return service.describe(ref)
    except ApplicationError as error:
        if error.type != ErrorKind.SOURCE_MISSING:
            raise
        return None
