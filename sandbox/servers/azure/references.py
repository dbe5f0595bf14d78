"""The spellings a job may use for a place in Blob storage, turned into `az://container/path`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from sandbox.layout import CONTAINER, Endpoints
from sandbox.servers.azure.arm import user_error
from sandbox.servers.azure.workspace import DATASTORES

_DATASTORE = re.compile(
    r"azureml://(?:subscriptions/[^/]+/resource[gG]roups/[^/]+"
    r"(?:/providers/Microsoft\.MachineLearningServices)?/workspaces/[^/]+/)?datastores/([^/]+)/paths/(.*)"
)


@dataclass(frozen=True)
class References:
    """Resolves the URIs of one workspace and one Blob account."""

    endpoints: Endpoints

    def resolve(self, uri: str) -> str:
        """The `az://` URI of a datastore path or of a Blob URL in our account.

        Raises:
            ArmError: 400, the URI has another form or names a datastore or account that does not exist here.
        """
        if match := _DATASTORE.fullmatch(uri):
            datastore, path = match.groups()
            if datastore not in DATASTORES:
                raise user_error(f"Could not find datastore: {datastore}", "DatastoreNotFound")
            return _az(CONTAINER, path, uri)
        base = f"{self.endpoints.blob_url}/"
        if uri.startswith(base):
            container, _, path = unquote(urlsplit(uri).path).removeprefix(urlsplit(base).path).partition("/")
            return _az(container, path, uri)
        raise user_error(
            f"The URI '{uri}' is not a path of a datastore or of the workspace's storage account."
        )


def _az(container: str, path: str, uri: str) -> str:
    if ".." in path.split("/"):
        raise user_error(f"The URI '{uri}' must not contain '..'.")
    return f"az://{container}/{path}"
