"""What the on-prem worker says of itself before a run relies on it."""

import getpass
import shutil
import socket

from temporalio import activity

from activities.choosing import Machines, machines_for
from activities.facts import facts_of
from activities.guard import guarded, translated
from activities.onprem.errors import translate
from activities.onprem.settings import OnpremSettings
from activities.refusals import Refusals
from activities.store import Store
from activities.wishes import answers_to
from contracts.connections import ConnectionActivities, ConnectionReport, PreflightRequest
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.queues import Cloud


class OnpremConnection(ConnectionActivities):
    """The connection is a root folder and the processes of one machine."""

    def __init__(self, settings: OnpremSettings, store: Store, search: str, machine: Machines) -> None:
        self._machine = machine
        self._settings = settings
        self._store = store
        self._search = search

    @activity.defn(name="connections.preflight", no_thread_cancel_exception=True)
    def preflight(self, request: PreflightRequest) -> ConnectionReport:
        """See the contract."""
        with guarded(translate, request.connection):
            refusals = Refusals()
            self._look(request, refusals)
            machines = machines_for(request, self._machine, refusals)
            refusals.tell()
            answers = answers_to(request, self._look, self._machine)
        return ConnectionReport(
            connection=f"{Cloud.ONPREM}/{self._settings.connection}",
            identity=f"{getpass.getuser()}@{socket.gethostname()}",
            container=self._store.default_container,
            region=self._settings.region,
            readable_from_outside=False,
            capabilities=("storage", "jobs"),
            machines=machines | answers.machines,
            declined=answers.declined,
            facts=facts_of(self._store, request, translate),
        )

    def _look(self, request: PreflightRequest, refusals: Refusals) -> None:
        if "tables" in request.needs:
            with refusals.kept():
                raise self._refused(ErrorKind.UNSUPPORTED, f"{request.connection} has no tables")
        if "jobs" in request.needs and not shutil.which("python", path=self._search):
            with refusals.kept():
                told = "no `python` for jobs; put its folder into CAUSEWAY_ONPREM_PATH"
                raise self._refused(ErrorKind.UNSUPPORTED, f"{request.connection} has {told}")
        # The default container is a folder of our own under the root, so it is made when missing.
        self._store.ensure_container(self._store.default_container, create=True)
        for uri in request.containers:
            with refusals.kept(), translated(translate, uri):
                self._store.ensure_container(uri, create=request.create)

    def _refused(self, kind: ErrorKind, told: str) -> Exception:
        return failure(kind, told, ErrorDetail(cloud=Cloud.ONPREM, ref=self._settings.connection))
