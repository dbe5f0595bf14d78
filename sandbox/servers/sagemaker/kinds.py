"""What training and processing jobs have in common, and what each must say for itself."""

from __future__ import annotations

import math
from typing import Any, Protocol

from sandbox.servers.machine import MachineSpec, MachineStatus
from sandbox.servers.sagemaker.book import Job, Kind
from sandbox.servers.sagemaker.errors import beyond_sandbox, invalid

CONTAINER_ROOT = "/opt/ml"
HOST = "algo-1"
NO_CAPACITY = (
    "CapacityError: Unable to provision requested ML compute capacity. "
    "Please retry using a different ML instance type."
)
"""The vendor's text for an on-demand job whose instance could not be had; our `preempt-job` shows it."""


class JobKind(Protocol):
    """One kind of job."""

    kind: Kind
    prefix: str
    """What its members' names begin with: `TrainingJob`."""
    noun: str
    log_group: str
    last_words: str
    """The file below the container's root where a job leaves a text for the vendor to show."""

    def check(self, request: dict[str, Any]) -> None:
        """Refuse what the service model allows and the vendor, or this sandbox, does not."""

    def spec(self, job: Job, ml: str) -> MachineSpec:
        """The machine for the job, whose container root is the local folder `ml`."""

    def describe(self, job: Job, status: MachineStatus) -> dict[str, Any]:
        """The members of the describe operation's answer."""


def status_word(job: Job, status: MachineStatus) -> str:
    """InProgress, Stopping, Completed, Failed or Stopped."""
    if status.phase != "DONE":
        return "Stopping" if job.stop_requested_at else "InProgress"
    if job.stop_requested_at or status.outcome == "TIMED_OUT" or _spot_interrupted(job, status):
        return "Stopped"
    return "Completed" if status.outcome == "EXITED" and status.exit_code == 0 else "Failed"


def failure_reason(job: Job, status: MachineStatus) -> str | None:
    """Why the job failed, beginning with the vendor's class: AlgorithmError, ClientError and so on."""
    if status_word(job, status) != "Failed":
        return None
    if status.outcome == "EXITED":
        code = status.exit_code or 0
        text = job.last_words or status.error or ""
        # A container that died of a signal is seen with 128 and the signal's number.
        return _cut(f"AlgorithmError: {text}, exit code: {128 - code if code < 0 else code}")
    if status.outcome in ("PREEMPTED", "NO_MACHINE"):
        return NO_CAPACITY
    if status.outcome == "NO_IMAGE":
        return _cut(
            f"ClientError: The image {_image(job)} cannot be pulled: it does not exist, or access is denied"
        )
    if status.outcome == "ERROR":
        return _cut(f"ClientError: {status.error}")
    return _cut(f"InternalServerError: {status.error or 'the sandbox was stopped while the job ran'}")


def secondary_word(job: Job, status: MachineStatus) -> str:
    """The vendor's finer status."""
    word = status_word(job, status)
    if word == "Stopped" and not job.stop_requested_at:
        return "MaxRuntimeExceeded" if status.outcome == "TIMED_OUT" else "MaxWaitTimeExceeded"
    if word != "InProgress":
        return word
    return {"STARTING": "Downloading", "RUNNING": "Training", "DELIVERING": "Uploading"}[status.phase]


def transitions(job: Job, status: MachineStatus) -> list[dict[str, Any]]:
    """What the job went through, oldest first; the last one is open until the job ends."""
    steps: list[tuple[str, float | None, str]] = [
        ("Starting", job.created_at, "Preparing the instances for training"),
        ("Downloading", status.created_at or None, "Downloading input data"),
        ("Training", status.started_at, "Training image download completed. Training in progress."),
        ("Stopping", job.stop_requested_at, "Stopping the training job"),
        (
            "Interrupted",
            status.ended_at if _spot_interrupted(job, status) else None,
            "Spot instances were interrupted",
        ),
        ("Uploading", status.delivering_at, "Uploading generated training model"),
    ]
    if status.phase == "DONE":
        steps.append(
            (
                secondary_word(job, status),
                status.ended_at,
                failure_reason(job, status) or "Training job ended",
            )
        )
    known = sorted(((at, word, text) for word, at, text in steps if at is not None), key=lambda step: step[0])
    ends: list[float | None] = [at for at, _, _ in known[1:]]
    ends.append(status.ended_at if status.phase == "DONE" else None)
    return [
        {"Status": word, "StartTime": at, "EndTime": end, "StatusMessage": text}
        for (at, word, text), end in zip(known, ends, strict=True)
    ]


def last_modified(job: Job, status: MachineStatus) -> float:
    """When anything about the job changed last."""
    times = (job.created_at, job.stop_requested_at, status.started_at, status.delivering_at, status.ended_at)
    return max(at for at in times if at is not None)


def seconds_run(status: MachineStatus) -> int | None:
    """Whole seconds from the command's start to the end, when there are both."""
    if status.started_at is None or status.ended_at is None:
        return None
    return math.ceil(status.ended_at - status.started_at)


def check_container(container: dict[str, Any], image: str) -> None:
    """Insist on a command, because there is no image here that could have one of its own."""
    if not container.get(image):
        raise invalid(f"{image} must be given")
    if not container.get("ContainerEntrypoint"):
        raise beyond_sandbox("a container's own entry point; give ContainerEntrypoint")


def command(container: dict[str, Any]) -> list[str]:
    """What runs."""
    return [*container["ContainerEntrypoint"], *container.get("ContainerArguments", [])]


def check_s3(uri: str, member: str) -> None:
    """Insist on `s3://`: the model also allows https."""
    if not uri.startswith("s3://"):
        raise beyond_sandbox(f"{member} {uri!r}; use s3://bucket/key")


def check_unique(names: list[str], member: str) -> None:
    """Refuse a name that is given twice."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise invalid(f"{member} must be unique; {twice[0]!r} is given twice")


def _spot_interrupted(job: Job, status: MachineStatus) -> bool:
    return status.outcome == "PREEMPTED" and bool(job.request.get("EnableManagedSpotTraining"))


def _image(job: Job) -> str:
    container = job.request.get("AlgorithmSpecification") or job.request.get("AppSpecification") or {}
    return str(container.get("TrainingImage") or container.get("ImageUri"))


def _cut(reason: str) -> str:
    return reason[:1024]
