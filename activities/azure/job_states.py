"""How an Azure Machine Learning job stands, put together from the control plane and the run history."""

from datetime import UTC, datetime
from typing import Any

from azure.core.exceptions import HttpResponseError

from activities.azure.history import RunHistory, time_of
from activities.azure.states import phase_of, reason_of
from activities.azure.workspace import MlWorkspace
from activities.scrub import scrub
from contracts.jobs import JobPhase, JobRef, JobState

BATCH_TAG = "azureml.batchrun"
"""On jobs that came of a batch endpoint, which the service made pipelines of one step."""


class JobStates:
    """The states of one workspace's jobs; the run history is asked when one runs, once, and when it has ended."""

    def __init__(self, workspace: MlWorkspace) -> None:
        """Ask the run history of this workspace."""
        self._workspace = workspace
        self._starts: dict[str, datetime] = {}
        """When running jobs started, so that the run history is asked once."""

    def of(self, job: Any, ref: JobRef) -> JobState:
        """Return the state of a job as the SDK describes it."""
        phase = phase_of(status_of(job))
        created: datetime | None = getattr(job.creation_context, "created_at", None)
        submitted = created.astimezone(UTC) if created else None
        state = JobState(
            ref=ref, phase=phase, message=status_of(job), submitted_at=submitted, last_seen=datetime.now(UTC)
        )
        if not phase.terminal:
            started = self._started(job) if phase is JobPhase.RUNNING else None
            return state.model_copy(update={"started_at": started})
        self._starts.pop(str(job.name), None)
        return state.model_copy(update=_ending(phase, self._run_of(job), _limit_seconds(job)))

    def _run_of(self, job: Any) -> dict[str, Any]:
        """Return what is known of the run that has the machine: of a batch, whose job is a pipeline, its one step's."""
        history, name = self._workspace.history, str(job.name)
        step = history.step(name) if (job.tags or {}).get(BATCH_TAG) == "true" else name
        return _known(history, step) if step else {}

    def _started(self, job: Any) -> datetime | None:
        name = str(job.name)
        if name not in self._starts:
            started = time_of(self._run_of(job).get("startTimeUtc"))
            if started is None:
                return None
            self._starts[name] = started
        return self._starts[name]


def status_of(job: Any) -> str:
    """Return the vendor's word for how a job stands."""
    # A plain text or a member of an enumeration, depending on who answered; `str` of a member is not its value.
    return str(getattr(job.status, "value", job.status))


def _ending(phase: JobPhase, run: dict[str, Any], limit_seconds: float | None) -> dict[str, Any]:
    """Return what the run history adds to the state of a job that has ended."""
    started, ended = time_of(run.get("startTimeUtc")), time_of(run.get("endTimeUtc"))
    seconds = (ended - started).total_seconds() if started and ended else None
    error = (run.get("error") or {}).get("error") or {}
    told = error.get("message") or next(
        (warning.get("message") for warning in run.get("warnings") or []), None
    )
    overdue = seconds is not None and limit_seconds is not None and seconds >= limit_seconds
    found: dict[str, Any] = {
        "started_at": started,
        "ended_at": ended,
        "billed_seconds": seconds,
        "reason": reason_of(phase, error, overdue=overdue),
    }
    return found | ({"message": scrub(told, limit=1500)} if told else {})


def _known(history: RunHistory, name: str) -> dict[str, Any]:
    try:
        return history.details(name)
    except HttpResponseError as exc:
        # Without it the end is still the end; only its time and cause are unknown.
        if exc.status_code in {403, 404}:
            return {}
        raise


def _limit_seconds(job: Any) -> float | None:
    timeout = getattr(getattr(job, "limits", None), "timeout", None)
    return float(timeout) if isinstance(timeout, int | float) else None
