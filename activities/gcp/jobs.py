"""Vertex AI custom jobs as a job service: a label is the key, and a claim decides who creates."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from google.api_core.exceptions import BadRequest, ClientError, TooManyRequests
from google.cloud import storage
from temporalio import activity

from activities.choosing import checkpoint_uri, machine_for
from activities.gcp.claims import ClaimedJob
from activities.gcp.errors import CLOUD, code_of, words_of
from activities.gcp.job_logs import JobLogs
from activities.gcp.machines import VertexMachines, disk_spec, machine_spec
from activities.gcp.states import phase_of, state_of
from activities.job_script import render_script
from activities.store import Store, put_small
from contracts.artifacts import Artifact, locate
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.jobs import JobRef, JobRequest, JobState, LogPage

TIMEOUT = 12.0
"""Seconds to connect, and again to wait; together less than the lease of a claim."""
SCRIPT = "run.sh"
WORK = "causeway-work"
"""In the container's working directory."""
NEEDS = {
    "create": ("aiplatform.customJobs.create",),
    "get": ("aiplatform.customJobs.get",),
    "list": ("aiplatform.customJobs.list",),
    "cancel": ("aiplatform.customJobs.cancel",),
}
"""https://cloud.google.com/vertex-ai/docs/general/iam-permissions"""
NEEDS_WITH_ACCOUNT = {"create": ("iam.serviceAccounts.actAs",)}
"""On the account that jobs run as, where it is not Vertex AI's own."""
_PAGE = 100


@dataclass(frozen=True)
class JobDefaults:
    """What the connection's settings say about jobs."""

    parent: str
    """`projects/<project>/locations/<location>`"""
    machines: VertexMachines
    image: str | None = None
    account: str | None = None


class VertexJobs:
    """One project's custom jobs in one region."""

    first_poll_seconds = 0.5
    noun = "custom_job"
    """What the client's methods are called after."""

    def __init__(
        self, client: Any, objects: storage.Client, store: Store, logs: JobLogs, defaults: JobDefaults
    ) -> None:
        """Work through these clients; claims and scripts lie in the store's default container."""
        self._client = client
        self._objects = objects
        self._store = store
        self._logs = logs
        self._defaults = defaults

    def submit(self, request: JobRequest) -> JobRef:
        """Create the job, or adopt the one that carries its name.

        Raises:
            ApplicationError: `TARGET_CONFLICT`, `UNSUPPORTED` (no such machine), `INVALID_REQUEST` (no image)
                or `UNAVAILABLE` (another worker is creating it at this moment).
        """
        spec = self._spec(request)
        found = self._named(request.name)
        if found:
            return self._adopt(request, found[0])
        self._publish(request)
        claim = ClaimedJob(self._objects, f"{self._folder(request)}claim.json")
        created_before = claim.take()
        if created_before:
            return self._adopt(request, self._get(created_before))
        # A holder that died may have created it after it was looked for.
        found = self._named(request.name)
        if found:
            claim.settle(found[0].name)
            return self._adopt(request, found[0])
        job = self._create(request, spec, claim)
        claim.settle(job.name)
        return self._winner(request, job)

    def describe(self, ref: JobRef) -> JobState:
        """Ask Vertex AI now."""
        return state_of(ref, self._get(ref.id))

    def stop(self, ref: JobRef) -> None:
        """Ask for a stop and return; a job that has ended is left alone."""
        if phase_of(self._get(ref.id).state.name).terminal:
            return
        try:
            self._method("cancel")(name=ref.id, timeout=TIMEOUT, retry=None)
        except BadRequest:
            # It ended between the two calls.
            if not phase_of(self._get(ref.id).state.name).terminal:
                raise

    def named(self, request: JobRequest) -> JobState | None:
        """Return the job of this name, also one that only its claim tells of; waits while it may be being created."""
        claim = ClaimedJob(self._objects, f"{self._folder(request)}claim.json")
        told = claim.outcome()
        found = [self._get(told)] if told else self._named(request.name)
        if found:
            return state_of(_ref(found[0], adopted=True), found[0])
        claim.expire()
        return None

    def find(self, run_uid: str, stage: str | None) -> Sequence[JobState]:
        """List jobs by their labels, oldest first."""
        labels = {"causeway-run": run_uid} | ({"causeway-stage": stage} if stage else {})
        return [state_of(_ref(job, adopted=True), job) for job in self._labelled(labels)]

    def outputs(self, ref: JobRef, request: JobRequest) -> dict[str, str]:
        """Return where each output lies: where it was asked for, since the bucket is a folder to the job."""
        return dict(request.outputs)

    def logs(self, ref: JobRef, tail: int, after: str | None, *, final: bool = False) -> LogPage:
        """See `JobService.logs`; Cloud Logging holds whole lines only."""
        return self._logs.read(ref.id.rsplit("/", 1)[1], tail, after)

    def _create(self, request: JobRequest, spec: dict[str, Any], claim: ClaimedJob) -> Any:
        job = {"display_name": request.name, "labels": request.tags, **self._detail(spec)}
        try:
            return self._method("create")(
                {"parent": self._defaults.parent, self.noun: job}, timeout=TIMEOUT, retry=None
            )
        except ClientError as error:
            # Refused, so nothing was created; after any other error that is not known and the lease must end.
            claim.release()
            if isinstance(error, TooManyRequests) and code_of(error) == "429":
                # Of a rate that is too high Google gives the reason; a create that is one too many has none.
                detail = ErrorDetail(cloud=CLOUD, ref=request.name, code="429")
                told = f"Google, {request.name}: {words_of(error)}"
                raise failure(ErrorKind.QUOTA_EXHAUSTED, told, detail) from None
            raise

    def _winner(self, request: JobRequest, created: Any) -> JobRef:
        """Return the job that stands: the oldest. A claim that outlived its lease may have made two."""
        listed = [job for job in self._named(request.name) if job.name != created.name]
        oldest, *others = sorted([created, *listed], key=_age)
        for loser in others:
            if not phase_of(loser.state.name).terminal:
                activity.logger.warning("job %s came second to %s and is cancelled", loser.name, oldest.name)
                self.stop(_ref(loser, adopted=True))
        if oldest.name == created.name:
            return _ref(created, adopted=False)
        return self._adopt(request, oldest)

    def _adopt(self, request: JobRequest, job: Any) -> JobRef:
        if job.labels.get("causeway-digest") != request.tags["causeway-digest"]:
            text = f"a job named {request.name} exists and asks for something else"
            raise failure(ErrorKind.TARGET_CONFLICT, text, ErrorDetail(cloud=CLOUD, ref=job.name))
        activity.logger.info("adopted Vertex AI job %s", job.name)
        return _ref(job, adopted=True)

    def _named(self, name: str) -> list[Any]:
        return self._labelled({"causeway-key": name})

    def _labelled(self, labels: dict[str, str]) -> list[Any]:
        wanted = " AND ".join(f'labels.{key}="{value}"' for key, value in labels.items())
        request = {"parent": self._defaults.parent, "filter": wanted, "page_size": _PAGE}
        return sorted(self._method("list", "s")(request, timeout=TIMEOUT, retry=None), key=_age)

    def _get(self, name: str) -> Any:
        return self._method("get")(name=name, timeout=TIMEOUT, retry=None)

    def _method(self, verb: str, plural: str = "") -> Any:
        return getattr(self._client, f"{verb}_{self.noun}{plural}")

    def _detail(self, spec: dict[str, Any]) -> dict[str, Any]:
        return {"job_spec": spec}

    def _spec(self, request: JobRequest) -> dict[str, Any]:
        image = request.image or self._defaults.image
        if image is None:
            text = f"stage {request.stage} names no image, and its worker has no CAUSEWAY_IMAGE"
            raise failure(ErrorKind.INVALID_REQUEST, text, ErrorDetail(cloud=CLOUD, ref=request.name))
        container = {
            "image_uri": image,
            "command": ["sh", _path(f"{self._folder(request)}{SCRIPT}")],
            "env": [{"name": name, "value": value} for name, value in sorted(request.env.items())],
        }
        pool = {
            "machine_spec": machine_spec(machine_for(request, self._defaults.machines)),
            "replica_count": 1,
            "container_spec": container,
            **disk_spec(request.resources.disk),
        }
        scheduling: dict[str, Any] = {"timeout": request.timeout}
        if request.resources.spot:
            # Google starts a job that lost its spot machine again itself, up to six times, before it fails:
            # https://cloud.google.com/vertex-ai/docs/training/use-spot-vms
            scheduling["strategy"] = "SPOT"
        spec: dict[str, Any] = {"worker_pool_specs": [pool], "scheduling": scheduling}
        if self._defaults.account:
            spec["service_account"] = self._defaults.account
        return spec

    def _publish(self, request: JobRequest) -> None:
        text = script_for(request, self._store.default_container).encode()
        owner = f"{request.run.run_uid}/{request.stage}"
        put_small(
            self._store,
            f"{self._folder(request)}{SCRIPT}",
            text,
            owner=owner,
            media_type="text/x-shellscript",
        )

    def _folder(self, request: JobRequest) -> str:
        base = self._store.default_container
        return f"{base}runs/{request.run.run_uid}/{request.stage}/g{request.generation}/job/"


def script_for(request: JobRequest, container: str) -> str:
    """Return the text of the job's `run.sh`, with the paths its machine will have."""
    checkpoint = checkpoint_uri(container, request)
    return render_script(
        request,
        code=_path(request.code.uri) if request.code else None,
        inputs={name: _path_of(artifact) for name, artifact in request.inputs.items()},
        outputs={name: _path(uri) for name, uri in request.outputs.items()},
        work=WORK,
        checkpoint=_path(checkpoint) if checkpoint else None,
    )


def _path_of(artifact: Artifact) -> str:
    return _path(artifact.uri)


def _path(uri: str) -> str:
    # Vertex AI mounts every bucket at /gcs.
    where = locate(uri)
    if where.scheme != "gs":
        raise failure(
            ErrorKind.INVALID_REQUEST,
            f"{uri} does not lie in Cloud Storage",
            ErrorDetail(cloud=CLOUD, ref=uri),
        )
    return f"/gcs/{where.container}/{where.name}"


def _age(job: Any) -> tuple[Any, str]:
    return job.create_time.timestamp(), job.name


def _ref(job: Any, *, adopted: bool) -> JobRef:
    _, project, _, location, collection, number = job.name.split("/")
    batch = collection == "batchPredictionJobs"
    page = "batch-predictions" if batch else "training"
    return JobRef(
        id=job.name,
        name=job.labels.get("causeway-key", job.display_name),
        generation=int(job.labels.get("causeway-generation", "1")),
        kind="batch_predict" if batch else "train",
        console=f"https://console.cloud.google.com/vertex-ai/locations/{location}/{page}/{number}?project={project}",
        adopted=adopted,
    )
