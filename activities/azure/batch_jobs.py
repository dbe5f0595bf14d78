"""Azure ML's batch endpoints as a job service for `batch_predict`.

The service names a job that came of an invocation, takes no tags with it, and says nowhere what it makes of a second
invocation with the same repeatability id. So each batch has an endpoint of its own, whose name is derived from the request's
and whose jobs can be listed; a claim decides who invokes it, and keeps the job's name when the endpoint has gone.
"""

from collections.abc import Sequence
from typing import Any

from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError
from azure.storage.blob import BlobServiceClient
from temporalio import activity

from activities.azure import script
from activities.azure.actions import ML
from activities.azure.batch import batch_folder
from activities.azure.batch_endpoints import BatchEndpoints
from activities.azure.batch_results import put_predictions
from activities.azure.claims import ClaimedJob
from activities.azure.errors import CLOUD
from activities.azure.invocations import Invocation
from activities.azure.job_states import JobStates
from activities.azure.jobs import AzureMlJobs, job_name, ref_of, tags_of
from activities.azure.machines import AzureMachines, serverless
from activities.azure.workspace import MlWorkspace
from activities.batch_rows import put_rows
from activities.choosing import machine_for
from activities.scrub import scrub
from activities.stopping import rest
from activities.store import Store
from contracts.endpoints import PREDICTIONS
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.jobs import JobRef, JobRequest, JobState, LogPage

NEEDS = {"jobs.get": (f"{ML}/jobs/read",)}
LOOKS, LOOK_SECONDS = 6, 0.5
"""How often the jobs of an endpoint are looked at when the answer to an invocation was lost."""


class BatchEndpointJobs:
    """One workspace's batches: by an endpoint where they run on a cluster, else by a command job.

    Batch endpoints know no serverless compute, and a batch that an earlier version submitted is a command job, too.
    """

    first_poll_seconds = 0.5

    def __init__(
        self,
        commands: AzureMlJobs,
        endpoints: BatchEndpoints,
        workspace: MlWorkspace,
        stores: tuple[Store, BlobServiceClient],
        machines: AzureMachines,
    ) -> None:
        self._commands = commands
        self._endpoints = endpoints
        self._workspace = workspace
        self._store, self._blobs = stores
        self._machines = machines
        self._states = JobStates(workspace)

    def submit(self, request: JobRequest) -> JobRef:
        """Invoke the request's own endpoint, or adopt the job that came of it.

        Raises:
            ApplicationError: as `JobService.submit`; `UNAVAILABLE`, another worker is invoking it at this moment.
        """
        cluster = machine_for(request, self._machines).instance
        if serverless(cluster):
            return self._commands.submit(request)
        script.check_names(request)
        found = self._commands.existing(request)
        if found is not None:
            return found
        claim = self._claim(request)
        held = claim.held()
        if held is not None and held.job:
            return self._adopted(request, held.job, held.digest)
        put_rows(self._store, f"{batch_folder(self._store, request)}rows/", request)
        self._endpoints.ensure(request, cluster)
        if not self._endpoints.jobs(request.name):
            earlier = claim.take()
            if earlier is not None:
                return self._adopted(request, earlier)
        # A holder that died may have invoked it after it was looked for.
        jobs = self._endpoints.jobs(request.name)
        if jobs:
            return self._oldest(request, jobs, claim)
        made = self._invoked(request, claim)
        return self._oldest(request, self._endpoints.jobs(request.name) or [made], claim, made)

    def describe(self, ref: JobRef) -> JobState:
        """Ask the control plane now; the endpoint of a job that has ended is nobody's any more and goes."""
        state = self._commands.describe(ref)
        if state.phase.terminal and _by_endpoint(ref):
            try:
                self._endpoints.drop(ref.name)
            except HttpResponseError as exc:
                # The end is the end; what is left costs nothing, and a sweep finds it.
                activity.logger.info("the endpoint of %s is left: %s", ref.name, exc.status_code)
        return state

    def stop(self, ref: JobRef) -> None:
        """See `JobService.stop`."""
        self._commands.stop(ref)

    def named(self, request: JobRequest) -> JobState | None:
        """Return the job of this name, waiting while it may be being made; an endpoint without one goes."""
        claim = self._claim(request)
        told = claim.outcome()
        jobs = [] if told else self._endpoints.jobs(request.name)
        name = told or (jobs[0].name if jobs else None)
        if name is not None:
            return self._state(name, request.name, request.generation)
        claim.expire()
        self._endpoints.drop(request.name)
        found = self._commands.existing(request)
        return self._commands.describe(found) if found is not None else None

    def find(self, run_uid: str, stage: str | None) -> Sequence[JobState]:
        """List the jobs of a run's endpoints, also those that carry no tags of ours."""
        return [
            self._state(job.name, tags["causeway-key"], int(tags.get("causeway-generation", "1")))
            for tags, jobs in self._endpoints.of_run(run_uid, stage)
            for job in jobs
        ]

    def outputs(self, ref: JobRef, request: JobRequest) -> dict[str, str]:
        """Put the predictions where they were asked for, in the order of the rows, and return that place.

        Raises:
            ApplicationError: `JOB_FAILED`, there is not one prediction for each row.
        """
        if not _by_endpoint(ref):
            return self._commands.outputs(ref, request)
        folder, target = batch_folder(self._store, request), request.outputs[PREDICTIONS]
        owner = f"{request.run.run_uid}/{request.stage}"
        put_predictions(self._store, (f"{folder}rows/", f"{folder}scored/"), target, owner)
        return {PREDICTIONS: target}

    def logs(self, ref: JobRef, tail: int, after: str | None, *, final: bool = False) -> LogPage:
        """See `JobService.logs`."""
        return self._commands.logs(ref, tail, after, final=final)

    def _invoked(self, request: JobRequest, claim: ClaimedJob) -> Invocation:
        folder = batch_folder(self._store, request)
        try:
            # The file itself is never written: predictions lie beside it.
            return self._endpoints.invoke(request, f"{folder}rows/", f"{folder}scored/predictions.jsonl")
        except HttpResponseError as exc:
            if exc.status_code is not None and exc.status_code < 500:
                # No job came of it for certain; after any other answer that is not known.
                claim.release()
                raise
            return self._came(request, exc)
        except (ServiceRequestError, ServiceResponseError) as exc:
            return self._came(request, exc)

    def _came(self, request: JobRequest, lost: Exception) -> Invocation:
        """Return the job of an invocation whose answer was lost, as far as a few looks tell; else the lease must end."""
        for _ in range(LOOKS):
            jobs = self._endpoints.jobs(request.name)
            if jobs:
                return jobs[0]
            rest(LOOK_SECONDS)
        raise lost

    def _oldest(
        self, request: JobRequest, jobs: list[Invocation], claim: ClaimedJob, made: Invocation | None = None
    ) -> JobRef:
        """Return the job that stands: the oldest. A claim that outlived its lease may have made two."""
        oldest, *others = jobs
        claim.settle(oldest.name)
        for loser in others:
            if not loser.phase.terminal:
                activity.logger.warning("job %s came second to %s and is cancelled", loser.name, oldest.name)
                self._endpoints.stop(loser.name)
        return self._adopted(request, oldest.name, adopted=made is None or made.name != oldest.name)

    def _adopted(self, request: JobRequest, name: str, digest: str = "", *, adopted: bool = True) -> JobRef:
        if digest and digest != request.tags["causeway-digest"]:
            message = f"a batch named {request.name} exists in the workspace and asks for something else"
            raise failure(ErrorKind.TARGET_CONFLICT, message, ErrorDetail(cloud=CLOUD, ref=request.name))
        job: Any = self._workspace.client.jobs.get(name)
        self._tag(job, request)
        found = ref_of(job, kind="batch_predict", adopted=adopted)
        return found.model_copy(update={"name": request.name, "generation": request.generation})

    def _tag(self, job: Any, request: JobRequest) -> None:
        """Have the job carry our tags, by which people and lists find it; nothing else relies on them."""
        wanted = tags_of(request)
        if wanted.items() <= dict(job.tags or {}).items():
            return
        try:
            self._workspace.history.tag(str(job.name), str(job.experiment_name), wanted)
        except HttpResponseError as exc:
            told = scrub(str(exc), limit=300)
            activity.logger.info("job %s carries no tags of ours: %s", job.name, told)

    def _state(self, job: str, name: str, generation: int) -> JobState:
        found: Any = self._workspace.client.jobs.get(job)
        ref = ref_of(found, kind="batch_predict", adopted=True)
        return self._states.of(found, ref.model_copy(update={"name": name, "generation": generation}))

    def _claim(self, request: JobRequest) -> ClaimedJob:
        uri = f"{batch_folder(self._store, request)}{request.name}.claim.json"
        return ClaimedJob(self._blobs, uri, request.tags["causeway-digest"])


def _by_endpoint(ref: JobRef) -> bool:
    return job_name(ref) != ref.name
