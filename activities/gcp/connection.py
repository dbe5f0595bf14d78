"""What a Google Cloud connection says of itself, asked with the identity that will do the work."""

from typing import Any

from google.cloud import bigquery
from temporalio import activity

from activities.choosing import machines_for
from activities.facts import facts_of
from activities.gcp.errors import CLOUD, translate
from activities.gcp.jobs import TIMEOUT, JobDefaults
from activities.gcp.machines import VertexMachines
from activities.gcp.table_jobs import NO_RETRY
from activities.guard import guarded, translated
from activities.refusals import Refusals
from activities.store import Store
from activities.wishes import answers_to
from contracts.connections import ConnectionActivities, ConnectionReport, PreflightRequest
from contracts.errors import ErrorDetail, ErrorKind, failure

NEEDS = {
    "list_custom_jobs": ("aiplatform.customJobs.list",),
    # It shows the datasets that may be described, and refuses nobody.
    "list_datasets": ("bigquery.datasets.get",),
}


class GcpConnection(ConnectionActivities):
    """The preflight of one connection, over its store, its tables and its job service."""

    def __init__(
        self,
        store: Store,
        tables: bigquery.Client,
        jobs: Any,
        identity: str,
        machines: VertexMachines,
        defaults: JobDefaults,
        *,
        private: bool = False,
    ) -> None:
        """Ask through these clients; `identity` is who the credentials say the worker is."""
        self._store = store
        self._tables = tables
        self._jobs = jobs
        self._identity = identity
        self._machines = machines
        self._defaults = defaults
        self._private = private

    @activity.defn(name="connections.preflight", no_thread_cancel_exception=True)
    def preflight(self, request: PreflightRequest) -> ConnectionReport:
        """See the contract."""
        with guarded(translate, request.connection):
            refusals = Refusals()
            self._look(request, refusals)
            machines = machines_for(request, self._machines, refusals)
            refusals.tell()
            answers = answers_to(request, self._look, self._machines)
            return ConnectionReport(
                connection=request.connection,
                identity=self._identity,
                container=self._store.default_container,
                region=self._defaults.parent.rsplit("/", 1)[1],
                readable_from_outside=not self._private,
                capabilities=("storage", "jobs", "tables"),
                machines=machines | answers.machines,
                declined=answers.declined,
                facts=facts_of(self._store, request, translate),
            )

    def _look(self, request: PreflightRequest, refusals: Refusals) -> None:
        for uri in dict.fromkeys((self._store.default_container, *request.containers)):
            with refusals.kept(), translated(translate, uri):
                self._store.ensure_container(uri, create=request.create)
        if "jobs" in request.needs:
            with refusals.kept():
                self._check_jobs(request)
        if "tables" in request.needs:
            with refusals.kept(), translated(translate, f"BigQuery of {self._tables.project}"):
                list(self._tables.list_datasets(max_results=1, retry=NO_RETRY, timeout=TIMEOUT))

    def _check_jobs(self, request: PreflightRequest) -> None:
        if not request.image_given and self._defaults.image is None:
            text = "a job stage names no image, and CAUSEWAY_IMAGE is not set for its worker"
            detail = ErrorDetail(cloud=CLOUD, ref=request.connection)
            raise failure(ErrorKind.UNSUPPORTED, f"connection {request.connection}: {text}", detail)
        with translated(translate, self._defaults.parent):
            wanted = {"parent": self._defaults.parent, "page_size": 1}
            next(iter(self._jobs.list_custom_jobs(wanted, timeout=TIMEOUT, retry=None)), None)
