"""The scoring script of batch deployments, as a snapshot of code that every batch of one version of Causeway shares."""

import hashlib
from pathlib import Path

from activities import batch_driver
from activities.azure.actions import ML
from activities.azure.blobs import blob_location
from activities.azure.resources import Resources
from activities.azure.settings import AzureSettings
from activities.store import Store, put_small

NEEDS = {
    "resources.get": (f"{ML}/codes/versions/read",),
    "resources.put": (f"{ML}/codes/versions/write",),
}
SCRIPT, DRIVER = "batch_score.py", "batch_driver.py"


class BatchCode:
    """Puts the script where deployments of one workspace find it."""

    def __init__(self, resources: Resources, store: Store, settings: AzureSettings) -> None:
        self._resources = resources
        self._store = store
        self._settings = settings

    def ensure(self, owner: str) -> str:
        """Have the script exist as registered code, and return its ARM id; it belongs to no run, costs nothing and stays."""
        folder = Path(batch_driver.__file__).parent
        files = {name: (folder / name).read_bytes() for name in (SCRIPT, DRIVER)}
        told = "".join(f"{name} {hashlib.sha256(content).hexdigest()}\n" for name, content in files.items())
        digest = hashlib.sha256(told.encode()).hexdigest()
        path = f"codes/causeway-batch-{digest[:16]}/versions/1"
        if self._resources.get(path) is None:
            prefix = f"{self._store.default_container}code/{digest}/"
            for name, content in files.items():
                put_small(self._store, prefix + name, content, owner=owner, media_type="text/x-python")
            where = blob_location(prefix)
            url = f"{self._settings.storage_url.rstrip('/')}/{where.container}/{where.name}"
            self._resources.put(path, {"properties": {"codeUri": url}})
        return f"{self._resources.workspace_id}/{path}"
