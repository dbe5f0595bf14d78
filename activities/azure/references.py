"""How a place in Blob storage is called in a job: a path of the workspace's datastore, or the account's own URL."""

import re
from urllib.parse import quote, unquote, urlsplit

from activities.azure.blobs import SCHEME, blob_location
from activities.azure.settings import AzureSettings

_DATASTORE = re.compile(r"azureml:/.*?/?datastores/(?P<datastore>[^/]+)/paths/(?P<name>.*)", re.DOTALL)


def to_reference(uri: str, settings: AzureSettings) -> str:
    """Return what a job calls an object or prefix: the datastore is the default container, others need their URL."""
    location = blob_location(uri)
    if location.container == settings.container:
        return f"azureml://datastores/{settings.datastore}/paths/{location.name}"
    return f"{settings.storage_url.rstrip('/')}/{location.container}/{quote(location.name)}"


def from_reference(reference: str, settings: AzureSettings) -> str | None:
    """Return the URI of what a job calls so; None for a place outside this connection."""
    found = _DATASTORE.fullmatch(reference)
    if found:
        ours = found["datastore"] == settings.datastore
        return f"{SCHEME}://{settings.container}/{found['name']}" if ours else None
    base = settings.storage_url.rstrip("/") + "/"
    if not reference.startswith(base):
        return None
    return f"{SCHEME}://{unquote(urlsplit(reference).path.removeprefix(urlsplit(base).path))}"
