"""Azure Machine Learning command jobs as one connection's job service."""

from collections.abc import Sequence
from typing import Any

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from activities.azure import script
from activities.azure.actions import ML
from activities.azure.batch import planned, put_batch
from activities.azure.errors import CLOUD
from activities.azure.history import TAIL_BYTES
from activities.azure.job_states import JobStates, status_of
from activities.azure.machines import AzureMachines, serverless
from activities.azure.ml import (
    AssetTypes,
    Command,
    Environment,
    Input,
    InputOutputModes,
    Job,
    Output,
    QueueSettings,
    command,
)
from activities.azure.references import from_reference, to_reference
from activities.azure.settings import AzureSettings
from activities.azure.states import phase_of
from activities.azure.workspace import MlWorkspace
from activities.choosing import checkpoint_uri, machine_for
from activities.store import Store, put_small
from contracts.artifacts import Artifact
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.jobs import JobKind, JobPhase, JobRef, JobRequest, JobState, LogPage

NEEDS = {
    "jobs.get": (f"{ML}/jobs/read",),
    "jobs.list": (f"{ML}/jobs/read",),
    "jobs.create_or_update": (
        f"{ML}/jobs/write",
        f"{ML}/computes/read",
        f"{ML}/environments/versions/read",
        f"{ML}/environments/versions/write",
        f"{ML}/environments/write",
        f"{ML}/environments/build/action",
        f"{ML}/environments/readSecrets/action",
        f"{ML}/metadata/artifacts/write",
    ),
    "jobs.begin_cancel": (f"{ML}/jobs/cancel/action",),
}
"""The SDK registers the image as an environment; the last four are what the service itself demands of who submits:
https://learn.microsoft.com/azure/machine-learning/how-to-assign-roles#common-scenarios"""
DIGEST_TAG = "causeway-digest"
KIND_TAG = "causeway-kind"
NO_GIT = {"azureml.git.dirty": "not recorded"}
"""The SDK adds the address of whatever repository the worker was started in, unless a job says this itself."""


class AzureMlJobs:
    """The jobs of one workspace. A job's name is `JobRequest.name`, and a name belongs to its first job for ever."""

    first_poll_seconds = 0.5

    def __init__(
        self, workspace: MlWorkspace, store: Store, machines: AzureMachines, settings: AzureSettings
    ) -> None:
        """Submit to this workspace; the store is where its datastore points."""
        self._machines = machines
        self._workspace = workspace
        self._store = store
        self._settings = settings
        self._states = JobStates(workspace)

    def submit(self, request: JobRequest) -> JobRef:
        """See `JobService.submit`."""
        script.check_names(request)
        held = self.existing(request)
        if held is not None:
            return held
        plan = planned(self._store, request)
        job = self._command(request, plan)
        put_batch(self._store, request)
        self._put_script(plan)
        try:
            # The service checks all of it again; the SDK's own check goes through a deprecated schema library.
            created = self._workspace.client.jobs.create_or_update(job, skip_validation=True)
        except HttpResponseError as exc:
            # The same name with other members is refused as 400 or 409, depending on the member.
            found = self._find(request.name) if exc.status_code in {400, 409} else None
            if found is None:
                raise
            return _adopted(found, request)
        return ref_of(created, kind=request.kind, adopted=not self._workspace.created_job())

    def existing(self, request: JobRequest) -> JobRef | None:
        """Return the command job of a request's name, adopted; None where there is none.

        Raises:
            ApplicationError: `TARGET_CONFLICT` when it was submitted for something else.
        """
        found = self._find(request.name)
        return _adopted(found, request) if found is not None else None

    def describe(self, ref: JobRef) -> JobState:
        """See `JobService.describe`; the run history is asked when the job has started, and when it has ended."""
        return self._states.of(self._workspace.client.jobs.get(job_name(ref)), ref)

    def stop(self, ref: JobRef) -> None:
        """See `JobService.stop`."""
        if self._phase(ref).terminal:
            return
        try:
            self._workspace.client.jobs.begin_cancel(job_name(ref), polling=False)
        except HttpResponseError as exc:
            # A job that is ending, or has ended since, cannot be cancelled: the end will be seen.
            if exc.status_code not in {400, 409}:
                raise

    def find(self, run_uid: str, stage: str | None) -> Sequence[JobState]:
        """See `JobService.find`."""
        listed = self._workspace.client.jobs.list(tag=_run_tag(run_uid))
        jobs = [job for job in listed if job is not None and (job.tags or {}).get("causeway-run") == run_uid]
        return [
            self._states.of(job, ref_of(job, kind=_kind(job)))
            for job in jobs
            if stage in {None, (job.tags or {}).get("causeway-stage")}
        ]

    def outputs(self, ref: JobRef, request: JobRequest) -> dict[str, str]:
        """See `JobService.outputs`: where the job says they are."""
        job: Any = self._workspace.client.jobs.get(job_name(ref))
        return {name: self._output(job, name, wanted) for name, wanted in request.outputs.items()}

    def logs(self, ref: JobRef, tail: int, after: str | None, *, final: bool = False) -> LogPage:
        """See `JobService.logs`; the token is a byte offset."""
        start = None if after is None else int(after) if after.isdigit() else 0
        history, name = self._workspace.history, job_name(ref)
        # What a pipeline job prints itself is the vendor's; the words of a batch are those of its one step.
        of = name if name == ref.name else history.step(name) or name
        content, end = history.log(of, start)
        if not content:
            return LogPage(lines=(), next_after=after)
        whole = content[: content.rfind(b"\n") + 1]
        if final or (not whole and len(content) >= TAIL_BYTES):
            whole = content
        lines = whole.decode(errors="replace").splitlines()
        shown = lines[-tail:] if after is None and tail > 0 else lines
        return LogPage(lines=tuple(shown), next_after=str(end - len(content) + len(whole)))

    def _find(self, name: str) -> Job | None:
        try:
            found: Job = self._workspace.client.jobs.get(name)
        except ResourceNotFoundError:
            return None
        return found

    def _phase(self, ref: JobRef) -> JobPhase:
        return phase_of(status_of(self._workspace.client.jobs.get(job_name(ref))))

    def _put_script(self, request: JobRequest) -> None:
        text = script.script(request).encode()
        owner = f"{request.run.run_uid}/{request.stage}"
        put_small(self._store, self._script_uri(request), text, owner=owner, media_type="text/x-shellscript")

    def _script_uri(self, request: JobRequest) -> str:
        folder = f"runs/{request.run.run_uid}/{request.stage}/g{request.generation}/job/"
        return f"{self._store.default_container}{folder}run.sh"

    def _command(self, request: JobRequest, plan: JobRequest) -> Command:
        """Return a fresh command, since the SDK changes it: what is planned, under the name of what was asked for."""
        machine = machine_for(request, self._machines)
        alone = serverless(machine.instance)
        job = command(
            name=request.name,
            display_name=f"{request.run.pipeline}/{request.run.key}: {request.stage}",
            experiment_name=request.run.pipeline,
            command=script.command_line(plan),
            environment=self._environment(request),
            environment_variables=dict(request.env) or None,
            inputs=self._inputs(plan),
            outputs=self._outputs(request),
            compute=None if alone else machine.instance,
            instance_type=(machine.instance or None) if alone else None,
            tags=tags_of(request),
            properties=dict(NO_GIT),
        )
        job.set_limits(timeout=int(request.timeout.total_seconds()))
        if alone and request.resources.spot:
            # A cluster's nodes have their priority from the cluster.
            job.queue_settings = QueueSettings(job_tier="spot")
        return job

    def _environment(self, request: JobRequest) -> Environment | str:
        image = request.image or self._settings.image
        if image is None:
            message = f"stage {request.stage} names no image, and the worker has no default (CAUSEWAY_IMAGE)"
            raise failure(ErrorKind.UNSUPPORTED, message, ErrorDetail(cloud=CLOUD, ref=request.name))
        return image if image.startswith("azureml:") else Environment(image=image)

    def _inputs(self, request: JobRequest) -> dict[str, Input]:
        inputs = {script.SCRIPT_INPUT: self._input(self._script_uri(request), AssetTypes.URI_FILE)}
        if request.code is not None:
            inputs[script.CODE_INPUT] = self._input(request.code.uri, AssetTypes.URI_FOLDER)
        return inputs | {name: self._artifact(artifact) for name, artifact in request.inputs.items()}

    def _artifact(self, artifact: Artifact) -> Input:
        return self._input(
            artifact.uri, AssetTypes.URI_FILE if artifact.kind == "file" else AssetTypes.URI_FOLDER
        )

    def _input(self, uri: str, kind: str) -> Input:
        return Input(type=kind, path=to_reference(uri, self._settings), mode=InputOutputModes.RO_MOUNT)

    def _outputs(self, request: JobRequest) -> dict[str, Output]:
        outputs = {name: self._wanted(uri) for name, uri in request.outputs.items()}
        checkpoint = checkpoint_uri(self._store.default_container, request)
        if checkpoint is None:
            return outputs
        # Mounted, so that every file is in the store as soon as it is closed, and what lies there is seen.
        place = to_reference(checkpoint, self._settings)
        kept = Output(type=AssetTypes.URI_FOLDER, path=place, mode=InputOutputModes.RW_MOUNT)
        return {**outputs, script.CHECKPOINT_OUTPUT: kept}

    def _wanted(self, uri: str) -> Output:
        # Uploaded at the end: a mount cannot append or seek, so a script that runs elsewhere could fail here.
        return Output(
            type=AssetTypes.URI_FOLDER, path=to_reference(uri, self._settings), mode=InputOutputModes.UPLOAD
        )

    def _output(self, job: Any, name: str, wanted: str) -> str:
        reported = getattr((job.outputs or {}).get(name), "path", None)
        uri = from_reference(reported, self._settings) if isinstance(reported, str) else None
        chosen = uri or wanted
        return chosen if chosen.endswith("/") else f"{chosen}/"


def tags_of(request: JobRequest) -> dict[str, str]:
    """Return what a job carries on Azure, where lists of jobs ask for a tag by its name alone."""
    return {**request.tags, KIND_TAG: request.kind, _run_tag(request.run.run_uid): request.stage}


def job_name(ref: JobRef) -> str:
    """Return what Azure calls a job: a command job as we do, one that came of a batch endpoint as it likes."""
    return ref.id.rpartition("/")[2]


def ref_of(job: Any, *, kind: JobKind = "train", adopted: bool = False) -> JobRef:
    """Return the reference of a job as the SDK describes it."""
    tags = job.tags or {}
    generation = str(tags.get("causeway-generation") or "")
    return JobRef(
        id=str(job.id or job.name),
        name=str(tags.get("causeway-key") or job.name),
        generation=int(generation) if generation.isdigit() else 1,
        kind=kind,
        console=job.studio_url,
        adopted=adopted,
    )


def _kind(job: Any) -> JobKind:
    # Jobs of before there were batches carry no such tag.
    return "batch_predict" if (job.tags or {}).get(KIND_TAG) == "batch_predict" else "train"


def _adopted(job: Job, request: JobRequest) -> JobRef:
    """Return the job that has this name already.

    Raises:
        ApplicationError: `TARGET_CONFLICT` when it was submitted for something else.
    """
    if (job.tags or {}).get(DIGEST_TAG) != request.tags[DIGEST_TAG]:
        message = f"a job named {request.name} exists in the workspace and asks for something else"
        raise failure(ErrorKind.TARGET_CONFLICT, message, ErrorDetail(cloud=CLOUD, ref=request.name))
    return ref_of(job, kind=request.kind, adopted=True)


def _run_tag(run_uid: str) -> str:
    """Return the tag by which the service finds a run's jobs: it filters by the names of tags, not by their values."""
    return f"causeway-run-{run_uid}"
