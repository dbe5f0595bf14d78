"""What a custom job shows of its machine: states, times and errors in the vendor's words.

Sources: `job_state.proto`; `CancelCustomJob` ("error … code 1 … and state … CANCELLED"); the legacy
service's `maxRunningTime` ("If the training job is still running after this duration, AI Platform Training
cancels it") for the timeout, which `custom_job.proto` only calls "the maximum job running time": hence
CANCELLED, and nothing but the text tells it from a cancel. The Spot VM page ("fails with a STOCKOUT error")
for a preemption. Messages follow public issue reports.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox.servers.machine import MachineStatus
from sandbox.servers.vertex.vendor_types import JobState

ENDED = frozenset({JobState.JOB_STATE_SUCCEEDED, JobState.JOB_STATE_FAILED, JobState.JOB_STATE_CANCELLED})
# google.rpc.Code
CANCELLED, INVALID_ARGUMENT, NOT_FOUND, RESOURCE_EXHAUSTED, INTERNAL = 1, 3, 5, 8, 13
REPLICA = "workerpool0-0"
KILLED = (-9, 137)
LOG_TAIL_BYTES = 1500


def show_progress(job: Any, status: MachineStatus, log: Path) -> None:
    """Make the job say what its machine does; a cancelled one says so until its machine has ended."""
    if status.started_at is not None and not job.HasField("start_time"):
        job.start_time.FromDatetime(_utc(status.started_at))
    if status.phase == "DONE":
        _show_end(job, status, log)
    elif job.state != JobState.JOB_STATE_CANCELLING:
        _enter(job, JobState.JOB_STATE_PENDING if status.phase == "STARTING" else JobState.JOB_STATE_RUNNING)


def show_cancelled(job: Any, message: str = "CANCELED") -> None:
    """End the job as a successful cancellation does."""
    job.error.code, job.error.message = CANCELLED, message
    end(job, JobState.JOB_STATE_CANCELLED)


def show_lost(job: Any, why: str) -> None:
    """End the job as one that failed through no fault of its own."""
    job.error.code, job.error.message = INTERNAL, f"Internal error encountered. Please try again. ({why})"
    end(job, JobState.JOB_STATE_FAILED)


def end(job: Any, state: int, ended_at: datetime | None = None) -> None:
    """Put the job in a terminal state."""
    moment = ended_at or datetime.now(UTC)
    job.end_time.FromDatetime(moment)
    _enter(job, state, moment)


def touch(job: Any, state: int) -> None:
    """Put the job in a state that it will leave again."""
    _enter(job, state)


def _show_end(job: Any, status: MachineStatus, log: Path) -> None:
    ended_at = _utc(status.ended_at) if status.ended_at is not None else None
    if status.outcome == "EXITED" and status.exit_code == 0:
        end(job, JobState.JOB_STATE_SUCCEEDED, ended_at)
        return
    if status.outcome in ("STOPPED", "TIMED_OUT"):
        if status.outcome == "TIMED_OUT":
            limit = job.job_spec.scheduling.timeout.seconds
            show_cancelled(job, f"CANCELED: the job ran longer than its timeout of {limit}s.")
        else:
            show_cancelled(job)
        return
    job.error.code, job.error.message = _failure(status, log)
    end(job, JobState.JOB_STATE_FAILED, ended_at)


def _failure(status: MachineStatus, log: Path) -> tuple[int, str]:
    if status.outcome == "PREEMPTED":
        return RESOURCE_EXHAUSTED, (
            f"The replica {REPLICA} was preempted and could not be restarted: STOCKOUT. "
            "Resources are insufficient in the region. Try again later, or in another region."
        )
    if status.outcome == "NO_MACHINE":
        return (
            RESOURCE_EXHAUSTED,
            "Resources are insufficient in the region. Try again later, or in another region.",
        )
    if status.outcome == "NO_IMAGE":
        return NOT_FOUND, f"The image of the replica {REPLICA} was not found. Make sure that it exists."
    if status.outcome == "LOST":
        return INTERNAL, "Internal error encountered. The worker was lost. Please try again."
    if status.outcome == "ERROR":
        return INVALID_ARGUMENT, f"The replica {REPLICA} could not be started: {status.error}"
    reason = "OOMKilled" if status.exit_code in KILLED else "Error"
    return INVALID_ARGUMENT, (
        f"The replica {REPLICA} exited with a non-zero status of {status.exit_code}. "
        f"Termination reason: {reason}. \n{_tail(log)}\n"
        "To find out more about why your job exited please check the logs."
    )


def _tail(log: Path) -> str:
    try:
        with log.open("rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - LOG_TAIL_BYTES))
            return stream.read().decode("utf-8", "replace").strip()
    except OSError:
        return ""


def _enter(job: Any, state: int, moment: datetime | None = None) -> None:
    if job.state != state:
        job.state = state
        job.update_time.FromDatetime(moment or datetime.now(UTC))


def _utc(moment: datetime | float) -> datetime:
    return moment if isinstance(moment, datetime) else datetime.fromtimestamp(moment, UTC)
