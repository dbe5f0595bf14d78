"""How long control planes do not tell of jobs, measured while they are silent."""

import time

from temporalio import activity

NAME = "causeway_job_unknown_seconds"
"""A counter of whole seconds; with several silent jobs it counts for each of them."""


class Silence:
    """The silence about one job; what is less than a second is carried on."""

    def __init__(self) -> None:
        self._counted: float | None = None

    def kept(self, since: float) -> None:
        """Nothing was told from this moment of the monotonic clock until now."""
        self._counted = since if self._counted is None else self._counted
        whole = int(time.monotonic() - self._counted)
        self._counted += whole
        _count(whole)

    def broken(self) -> None:
        """Something was told: the silence, if there was one, ends here."""
        if self._counted is not None:
            self.kept(self._counted)
            self._counted = None


def _count(seconds: int) -> None:
    if seconds and activity.in_activity():
        what = "Seconds in which a job's control plane did not tell of it."
        activity.metric_meter().create_counter(NAME, what, "s").add(seconds, {"cloud": _cloud()})


def _cloud() -> str:
    """The cloud of this worker, as its queue names it: `causeway-aws.eu` serves aws."""
    return activity.info().task_queue.partition("-")[2].partition(".")[0] or "none"
