"""The models that endpoints and batches of Vertex AI run: one of each name, since the name is its id."""

from collections.abc import Sequence
from typing import Any

from google.api_core.exceptions import BadRequest, Conflict, NotFound

from activities.gcp.errors import CLOUD
from activities.gcp.hosting_requests import ARCHIVE, model_body, serve_script
from activities.gcp.jobs import TIMEOUT, JobDefaults
from activities.gcp.operations import Operations, soon
from activities.model_package import put_package
from activities.store import Store
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.jobs import JobRequest

PAGE = 100

NEEDS = {
    "upload_model": ("aiplatform.models.upload",),
    "get_model": ("aiplatform.models.get",),
    "list_models": ("aiplatform.models.list",),
    "delete_model": ("aiplatform.models.delete",),
}


class VertexModels:
    """One project's models in one region."""

    def __init__(self, client: Any, operations: Operations, store: Store, defaults: JobDefaults) -> None:
        self._client = client
        self._operations = operations
        self._store = store
        self._defaults = defaults

    def name_of(self, name: str) -> str:
        """Return the resource name of the model of a request's name."""
        return f"{self._defaults.parent}/models/{name}"

    def ensure(self, request: JobRequest) -> str:
        """Have the model exist, with its archive in the store, and return its resource name.

        Raises:
            ApplicationError: `INVALID_REQUEST`, `SOURCE_MISSING`; `UNAVAILABLE`, another worker uploads it right now.
        """
        resource = self.name_of(request.name)
        if self.get(request.name) is not None:
            return resource
        package = f"{folder_of(self._store, request)}package/"
        body = model_body(request, self._defaults, package)
        put_package(self._store, package + ARCHIVE, request, serve_script(request))
        wanted = {"parent": self._defaults.parent, "model_id": request.name, "model": body}
        if self._defaults.account:
            wanted["service_account"] = self._defaults.account
        try:
            begun = self._client.upload_model(wanted, timeout=TIMEOUT, retry=None)
        except Conflict:
            # Ours, when the answer to an earlier call was lost, or another worker's: of one id there is one.
            if soon(lambda: self.get(request.name)) is None:
                told = f"{resource} is being uploaded; it is looked for again"
                raise failure(ErrorKind.UNAVAILABLE, told, ErrorDetail(cloud=CLOUD, ref=resource)) from None
            return resource
        self._operations.finished(begun.operation.name, resource)
        return resource

    def get(self, name: str) -> Any | None:
        """Ask for the model of a request's name."""
        try:
            return self._client.get_model(name=self.name_of(name), timeout=TIMEOUT, retry=None)
        except NotFound:
            return None

    def labelled(self, wanted: str) -> Sequence[Any]:
        """List the models that pass a filter."""
        request = {"parent": self._defaults.parent, "filter": wanted, "page_size": PAGE}
        return list(self._client.list_models(request, timeout=TIMEOUT, retry=None))

    def drop(self, name: str) -> None:
        """Ask for the model's removal; one that is gone, or that something still serves, is left alone."""
        try:
            self._client.delete_model(name=self.name_of(name), timeout=TIMEOUT, retry=None)
        except (NotFound, Conflict):
            return
        except BadRequest:
            # It is still deployed: the next look tells.
            return


def folder_of(store: Store, request: JobRequest) -> str:
    """Return the prefix of what Causeway itself puts down for a request."""
    return f"{store.default_container}{request.kept_below}g{request.generation}/job/"
