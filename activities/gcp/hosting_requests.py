"""What Causeway asks of Vertex AI for scoring: a model, an endpoint that serves it, a batch prediction.

A serving container has no bucket mounted. It finds the archive of its server below `AIP_STORAGE_URI`, and reads it with
the token that the metadata server has for it: https://cloud.google.com/vertex-ai/docs/predictions/custom-container-requirements.
"""

from datetime import timedelta
from typing import Any

from activities.choosing import machine_for
from activities.gcp.errors import CLOUD
from activities.gcp.jobs import JobDefaults
from activities.gcp.machines import machine_spec
from activities.model_package import server_script
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.jobs import JobRequest

ARCHIVE = "model.tar.gz"
PORT = 8080
HEALTH, PREDICT = "/ping", "/predict"
DEPLOYED = "1"
"""The id of the one model on an endpoint: chosen, so that two calls cannot deploy it twice."""
LONGEST_START = timedelta(hours=2)
"""`ModelContainerSpec.deployment_timeout`: https://cloud.google.com/vertex-ai/docs/reference/rest/v1/ModelContainerSpec."""
KEY = "causeway_row"
"""The field of a row that says which it is: Vertex AI promises no order of what it predicts, but keeps a key."""
BOOTSTRAP = """\
import json, os, sys, tarfile, tempfile, urllib.parse, urllib.request
def ask(url, headers):
    return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60)
metadata = os.environ.get("GCE_METADATA_HOST", "metadata.google.internal")
account = f"http://{metadata}/computeMetadata/v1/instance/service-accounts/default/token"
token = json.load(ask(account, {"Metadata-Flavor": "Google"}))["access_token"]
bucket, _, name = os.environ["AIP_STORAGE_URI"].removeprefix("gs://").partition("/")
name = urllib.parse.quote(name.rstrip("/") + "/ARCHIVE", safe="")
store = os.environ.get("STORAGE_EMULATOR_HOST", "https://storage.googleapis.com").rstrip("/")
url = f"{store}/storage/v1/b/{bucket}/o/{name}?alt=media"
root = tempfile.mkdtemp()
with ask(url, {"Authorization": f"Bearer {token}"}) as packed:
    with tarfile.open(fileobj=packed, mode="r|gz") as archive:
        archive.extractall(root)
os.mkdir(os.path.join(root, "work"))
os.chdir(os.path.join(root, "work"))
sys.stdout.flush()
os.execvp("sh", ["sh", "../serve.sh"])
""".replace("ARCHIVE", ARCHIVE)
"""The container's command. The two variables that say where Google's services are elsewhere are those of its own libraries."""


def serve_script(request: JobRequest) -> str:
    """Return the text of the package's `serve.sh`; it runs in a folder beside what was unpacked."""
    return server_script(request, root="..", work=".", before=(f'export PORT="${{AIP_HTTP_PORT:-{PORT}}}"',))


def model_body(request: JobRequest, defaults: JobDefaults, package: str) -> dict[str, Any]:
    """Return the model, whose archive lies in the folder `package`.

    Raises:
        ApplicationError: `INVALID_REQUEST`, there is no image to run.
    """
    image = request.image or defaults.image
    if image is None:
        text = f"stage {request.stage} names no image, and its worker has no CAUSEWAY_IMAGE"
        raise failure(ErrorKind.INVALID_REQUEST, text, ErrorDetail(cloud=CLOUD, ref=request.name))
    return {
        "display_name": request.name,
        "labels": request.tags,
        "artifact_uri": package,
        "container_spec": {
            "image_uri": image,
            # Vertex AI would take a $(NAME) for a variable; there is none in the text.
            "command": ["python", "-c", BOOTSTRAP],
            "env": [{"name": name, "value": value} for name, value in sorted(request.env.items())],
            "ports": [{"container_port": PORT}],
            "health_route": HEALTH,
            "predict_route": PREDICT,
            "deployment_timeout": min(request.timeout, LONGEST_START),
        },
    }


def deployment_body(request: JobRequest, defaults: JobDefaults, model: str) -> dict[str, Any]:
    """Return the deployed model: one machine, with all of the traffic.

    Raises:
        ApplicationError: `UNSUPPORTED`, there is no such machine for a server.
    """
    resources = {"machine_spec": _machine(request, defaults), "min_replica_count": 1, "max_replica_count": 1}
    if request.resources.spot:
        resources["spot"] = True
    body = {
        "id": DEPLOYED,
        "model": model,
        "display_name": request.name,
        "dedicated_resources": resources,
    }
    return body | ({"service_account": defaults.account} if defaults.account else {})


def batch_body(
    request: JobRequest, defaults: JobDefaults, model: str, places: tuple[str, str]
) -> dict[str, Any]:
    """Return the batch prediction, but for its name and labels; `places` are the prefixes of rows and results.

    Raises:
        ApplicationError: `UNSUPPORTED`, there is no such machine for a batch.
    """
    if request.resources.spot:
        raise _unsupported(request, "batches are not predicted on spot machines")
    body: dict[str, Any] = {
        "model": model,
        "input_config": {"instances_format": "jsonl", "gcs_source": {"uris": [f"{places[0]}*"]}},
        "instance_config": {"instance_type": "object", "key_field": KEY},
        "output_config": {
            "predictions_format": "jsonl",
            "gcs_destination": {"output_uri_prefix": places[1].rstrip("/")},
        },
        "dedicated_resources": {
            "machine_spec": _machine(request, defaults),
            "starting_replica_count": 1,
            "max_replica_count": 1,
        },
        "manual_batch_tuning_parameters": {"batch_size": request.batch.batch_size if request.batch else 64},
    }
    return body | ({"service_account": defaults.account} if defaults.account else {})


def _machine(request: JobRequest, defaults: JobDefaults) -> dict[str, Any]:
    if request.resources.disk:
        raise _unsupported(request, "servers get no disk of a chosen size")
    return machine_spec(machine_for(request, defaults.machines))


def _unsupported(request: JobRequest, why: str) -> Exception:
    text = f"stage {request.stage}: on Vertex AI {why}; leave it out of resources"
    return failure(ErrorKind.UNSUPPORTED, text, ErrorDetail(cloud=CLOUD, ref=request.name))
