"""Jobs that go on, whatever run they belong to; rooms only list theirs."""

from collections.abc import Callable, Iterable

from activities.guard import Translate
from activities.job_service import JobService
from activities.sweeping import Found
from activities.watching import Watch
from contracts.jobs import JobState
from contracts.sweeps import SweepItem

RUN_TAG, STAGE_TAG = "causeway-run", "causeway-stage"
Live = Callable[[str | None], tuple[Iterable[SweepItem], str | None]]
"""Lists a page of jobs that have not ended and carry a run's tag: the items, and where the next page begins."""


class JobSweeper:
    """The jobs of one job service."""

    kind = "job"

    def __init__(self, service: JobService, live: Live, translate: Translate) -> None:
        """Find them by `live`, and stop them as a stage would."""
        self._service = service
        self._live = live
        self._translate = translate

    def find(self, after: str | None) -> Found:
        """Return a page of jobs that have not ended."""
        items, following = self._live(after)
        return Found(tuple(items), following)

    def stop(self, item: SweepItem) -> None:
        """Stop the job, if it still carries the tag of the run that it was found with, and wait for its end."""
        for state in self._service.find(item.run_uid, item.stage or None):
            if item.id in {state.ref.id, state.ref.name}:
                self._end(state)

    def _end(self, state: JobState) -> None:
        if not state.phase.terminal:
            self._service.stop(state.ref)
            Watch(self._service, self._translate, state.ref).until_ended()
