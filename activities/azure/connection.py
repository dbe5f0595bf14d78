"""What an Azure connection answers about itself before a run relies on it."""

from typing import Any

from azure.core.credentials import TokenCredential
from temporalio import activity

from activities.azure.actions import ML
from activities.azure.errors import CLOUD, translate
from activities.azure.identity import claims_of, name_in
from activities.azure.machines import AzureMachines
from activities.azure.settings import AzureSettings
from activities.azure.workspace import MlWorkspace
from activities.choosing import machines_for
from activities.facts import facts_of
from activities.guard import guarded, translated
from activities.refusals import Refusals
from activities.store import Store
from activities.wishes import answers_to
from contracts.connections import ConnectionActivities, ConnectionReport, PreflightRequest
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.machines import Machine

NEEDS = {
    "get_token": (),
    "workspaces.get": (f"{ML}/read",),
    "compute.get": (f"{ML}/computes/read",),
    "datastores.get": (f"{ML}/datastores/read",),
}
STORAGE_SCOPE = "https://storage.azure.com/.default"


class AzureConnection(ConnectionActivities):
    """One storage account and one workspace, looked at with the identity that will do the work."""

    def __init__(
        self,
        settings: AzureSettings,
        store: Store,
        workspace: MlWorkspace,
        machines: AzureMachines,
        identity: TokenCredential,
    ) -> None:
        """Answer for this store and this workspace."""
        self._machines = machines
        self._settings = settings
        self._store = store
        self._workspace = workspace
        self._identity = identity

    @activity.defn(name="connections.preflight", no_thread_cancel_exception=True)
    def preflight(self, request: PreflightRequest) -> ConnectionReport:
        """See the contract."""
        with guarded(translate, request.connection):
            refusals, machines = Refusals(), dict[str, Machine]()
            identity = name_in(claims_of(self._identity.get_token(STORAGE_SCOPE).token)) or "unknown"
            region = self._look(request, refusals)
            if region is not None:
                machines = machines_for(request, self._machines, refusals)
            refusals.tell()
            regions = [region]
            answers = answers_to(
                request, lambda asked, kept: regions.append(self._look(asked, kept)), self._machines
            )
            return ConnectionReport(
                connection=request.connection,
                identity=identity,
                container=self._store.default_container,
                readable_from_outside=not self._settings.private_store,
                region=next(filter(None, regions), self._settings.region),
                machines=machines | answers.machines,
                declined=answers.declined,
                facts=facts_of(self._store, request, translate),
            )

    def _look(self, request: PreflightRequest, refusals: Refusals) -> str | None:
        """Return the region of the workspace, empty where nobody asks for jobs; None where it cannot be relied on."""
        self._check_capabilities(request, refusals)
        for uri in (self._store.default_container, *request.containers):
            with refusals.kept(), translated(translate, uri):
                self._store.ensure_container(uri, create=request.create)
        with refusals.kept():
            # What machines there are depends on the cluster, which is looked for first.
            return self._check_workspace() if "jobs" in request.needs else ""
        return None

    def _check_capabilities(self, request: PreflightRequest, refusals: Refusals) -> None:
        if "tables" in request.needs:
            with refusals.kept():
                told = "Azure connections have no tables; use one of Google Cloud"
                raise _refused(ErrorKind.UNSUPPORTED, request.connection, told)
        if "jobs" in request.needs and not request.image_given and self._settings.image is None:
            with refusals.kept():
                told = "a stage names no image and the worker has no default; set CAUSEWAY_IMAGE"
                raise _refused(ErrorKind.UNSUPPORTED, request.connection, told)

    def _check_workspace(self) -> str:
        """Return the workspace's region once it, its compute and its datastore are found."""
        with translated(translate, self._workspace.resource_id):
            client = self._workspace.client
            region = client.workspaces.get(self._workspace.name).location
        if self._settings.compute:
            with translated(translate, f"compute {self._settings.compute}"):
                client.compute.get(self._settings.compute)
        with translated(translate, f"datastore {self._settings.datastore}"):
            datastore: Any = client.datastores.get(self._settings.datastore)
        container = getattr(datastore, "container_name", None)
        if container != self._settings.container:
            told = f"datastore {self._settings.datastore} points at container {container}, not at {self._settings.container}"
            raise _refused(
                ErrorKind.INVALID_REQUEST, self._settings.datastore, f"{told}; set CAUSEWAY_AZURE_DATASTORE"
            )
        return str(region or "")


def _refused(kind: ErrorKind, ref: str, message: str) -> Exception:
    return failure(kind, message, ErrorDetail(cloud=CLOUD, ref=ref))
