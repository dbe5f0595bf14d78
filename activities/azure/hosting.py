"""What Causeway asks of Azure ML for scoring: the model as a folder of the store, its environment, who serves it.

Azure mounts a model's folder below `AZUREML_MODEL_DIR` and runs the image's own start:
https://learn.microsoft.com/azure/machine-learning/how-to-deploy-custom-container. That start has to run
`sh "$AZUREML_MODEL_DIR/server/serve.sh"`, which unpacks the package that lies beside it.
"""

import hashlib
import re
from typing import Any

from activities.azure.actions import ML
from activities.azure.errors import CLOUD
from activities.azure.references import to_reference
from activities.azure.resources import Resources
from activities.azure.settings import AzureSettings
from activities.model_package import put_package, server_script
from activities.store import Store, put_small
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.jobs import JobRequest

NEEDS = {
    "resources.get": (f"{ML}/read", f"{ML}/models/versions/read", f"{ML}/environments/versions/read"),
    "resources.put": (
        f"{ML}/models/write",
        f"{ML}/models/versions/write",
        f"{ML}/environments/versions/write",
    ),
}
ROOT = "/tmp/causeway-server"  # noqa: S108 (in the container, which runs nothing else)
FOLDER = "server"
"""The last part of the model's path, by which Azure also calls it below `AZUREML_MODEL_DIR`."""
PACKAGE = "package.tar.gz"
PORT = 8080
VERSION = "1"
_NAME = re.compile(r".*-([0-9a-f]{12})-[0-9a-f]{8}-g[0-9]+")
Body = dict[str, Any]


def short_name(name: str) -> str:
    """Return what Azure calls a request's endpoint and model: an online endpoint has at most 32 characters."""
    found = _NAME.fullmatch(name)
    run = found[1] if found else "any"
    return f"cw-{run}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


class Hosting:
    """Puts models and environments where deployments of one workspace find them."""

    def __init__(self, resources: Resources, store: Store, settings: AzureSettings) -> None:
        self._resources = resources
        self._store = store
        self._settings = settings

    def model(self, request: JobRequest) -> str:
        """Have the server and its model exist as a registered model, and return its ARM id; safe to run twice.

        Raises:
            ApplicationError: `SOURCE_MISSING`, an input holds nothing.
            CancelledError: the activity was cancelled.
        """
        path = f"models/{short_name(request.name)}"
        version = f"{path}/versions/{VERSION}"
        if self._resources.get(version) is None:
            folder = self._put_server(request)
            # Lists tell the tags of the container alone.
            self._resources.put(path, {"properties": {"tags": request.tags}})
            properties = {"modelType": "custom_model", "modelUri": self.place(folder), "tags": request.tags}
            self._resources.put(version, {"properties": properties})
        return f"{self._resources.workspace_id}/{version}"

    def environment(self, request: JobRequest, *, serves: bool = True) -> str:
        """Have the image exist as an environment, which says where its server listens if it serves; return its ARM id.

        It belongs to no run: every server of this image has the same one, which costs nothing and stays.
        """
        image = request.image or self._settings.image
        if image is None:
            message = f"stage {request.stage} names no image, and the worker has no default (CAUSEWAY_IMAGE)"
            raise failure(ErrorKind.UNSUPPORTED, message, ErrorDetail(cloud=CLOUD, ref=request.name))
        registered = re.fullmatch(r"azureml:([^:/]+):([^:/]+)", image)
        if registered:
            path = f"environments/{registered[1]}/versions/{registered[2]}"
            return f"{self._resources.workspace_id}/{path}"
        kind, digest = "serve" if serves else "batch", hashlib.sha256(image.encode()).hexdigest()[:16]
        path = f"environments/causeway-{kind}-{digest}/versions/{VERSION}"
        if self._resources.get(path) is None:
            body = environment_body(image) if serves else {"image": image, "osType": "Linux"}
            self._resources.put(path, {"properties": body})
        return f"{self._resources.workspace_id}/{path}"

    def location(self) -> str:
        """Return the region that the workspace is in, where its endpoints have to be too."""
        return str((self._resources.get("") or {}).get("location", ""))

    def place(self, uri: str) -> str:
        """Return what the service itself calls a place in the store: only the SDK knows the short form."""
        reference = to_reference(uri, self._settings)
        workspace = self._resources.workspace_id.replace("/providers/Microsoft.MachineLearningServices", "")
        return reference.replace("azureml://datastores/", f"azureml:/{workspace}/datastores/")

    def _put_server(self, request: JobRequest) -> str:
        run, store = request.run, self._store
        start = f"{request.kept_below}g{request.generation}/{FOLDER}/"
        folder, owner = store.default_container + start, f"{run.run_uid}/{request.stage}"
        script = serve_script(request)
        put_package(store, folder + PACKAGE, request, script)
        text = script.encode()
        put_small(store, folder + "serve.sh", text, owner=owner, media_type="text/x-shellscript")
        return folder


def serve_script(request: JobRequest) -> str:
    """Return the text of `serve.sh`: it unpacks what lies beside it, then becomes the server."""
    told = server_script(
        request, root=ROOT, work=f"{ROOT}/work", before=(f'export PORT="${{PORT:-{PORT}}}"',)
    )
    unpack = (f"mkdir -p {ROOT}", f'tar -xzf "$(dirname "$0")/{PACKAGE}" -C {ROOT}')
    first, rest = told.split("set -eu\n", 1)
    return "\n".join((f"{first}set -eu", *unpack, rest))


def environment_body(image: str) -> Body:
    """Return the properties of an environment whose server answers at our routes."""
    return {
        "image": image,
        "osType": "Linux",
        "inferenceConfig": {
            "livenessRoute": {"port": PORT, "path": "/live"},
            "readinessRoute": {"port": PORT, "path": "/ready"},
            "scoringRoute": {"port": PORT, "path": "/score"},
        },
    }
