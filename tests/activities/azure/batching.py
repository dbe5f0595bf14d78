"""Batches on endpoints of the local Azure: what there is of them, and how they end."""

from typing import Any

import psutil

from activities.azure.batch import batch_folder
from activities.azure.batch_endpoints import path_of
from activities.azure.batch_jobs import BatchEndpointJobs
from activities.azure.hosting import short_name
from activities.azure.invocations import Invocation
from activities.azure.store import BlobStore
from activities.claims import Claim
from contracts.jobs import JobRef, JobRequest, JobState
from tests.house import until
from tests.objects import put


def clear(batches: BatchEndpointJobs, request: JobRequest) -> None:
    for job in listed(batches, request):
        batches._endpoints.stop(job.name)
    until(
        lambda: all(job.phase.terminal for job in listed(batches, request)),
        f"the jobs of {request.name} have ended",
    )
    batches._endpoints.drop(request.name)


def listed(batches: BatchEndpointJobs, request: JobRequest) -> list[Invocation]:
    return batches._endpoints.jobs(request.name)


def end_of(batches: BatchEndpointJobs, ref: JobRef) -> JobState:
    until(lambda: batches.describe(ref).phase.terminal, f"{ref.name} has ended")
    return batches.describe(ref)


def left_of(batches: BatchEndpointJobs, request: JobRequest) -> list[str]:
    resources = batches._workspace.resources
    paths = (path_of(request.name), f"models/{short_name(request.name)}")
    return [path for path in paths if resources.get(path) is not None]


def put_claim(store: BlobStore, request: JobRequest, **told: Any) -> None:
    uri = f"{batch_folder(store, request)}{request.name}.claim.json"
    put(store, uri, Claim(holder="another", **told).model_dump_json().encode())


def processes_of(job: str) -> list[str]:
    found = []
    for process in psutil.process_iter():
        try:
            if job in process.environ().get("HOME", ""):
                found.append(" ".join(process.cmdline()))
        except (psutil.Error, OSError):
            continue
    return found
