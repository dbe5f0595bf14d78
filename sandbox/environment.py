"""The environments of the sandbox's children: what servers inherit, and the settings file of each worker."""

from __future__ import annotations

import os
from collections.abc import Mapping

from sandbox.layout import CONTAINER, NAMESPACE, WORKERS, Endpoints, Layout, Misuse, write_private

MARK = "CAUSEWAY_SANDBOX_CHILD"
"""Names, in the environment of every server and all it starts, the sandbox it belongs to."""
LOOPBACK = "127.0.0.1,localhost"
# Settings of some real cloud, of another sandbox or of a person's own tools: no child may act on them.
_FOREIGN = (
    "AWS_",
    "AZURE_",
    "ARM_",
    "GOOGLE_",
    "GCP_",
    "CLOUDSDK_",
    "TEMPORAL_",
    "CAUSEWAY_",
    "OTEL_",
    "PYTHONPATH",
)
_WATCHERS = ("CAUSEWAY_ALERT_", "CAUSEWAY_LINEAGE_")
"""What the caller may say of who is told of runs: nothing in the sandbox stands in for them."""
_BARE = ("PATH", "LANG", "LC_ALL", "TZ", "SYSTEMROOT", "TMPDIR")
OWN_WORKFLOWS = "pipelines.custom_workflow.until_good:UntilGood"
"""The example of a workflow of one's own, so that it runs as it stands."""


def bare(**added: str) -> dict[str, str]:
    """The environment of a third-party server: what any program needs, and nothing of the caller's."""
    return {name: os.environ[name] for name in _BARE if name in os.environ} | added


def own(layout: Layout, endpoints: Endpoints) -> dict[str, str]:
    """The environment of our own servers and of the workers: the caller's, without any cloud's settings.

    It trusts the sandbox's authority beside the caller's, and reaches loopback without a proxy.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    skipped = ",".join(filter(None, [os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), LOOPBACK]))
    return kept | {
        "SSL_CERT_FILE": str(endpoints.ca_bundle),
        "REQUESTS_CA_BUNDLE": str(endpoints.ca_bundle),
        "NO_PROXY": skipped,
        "no_proxy": skipped,
        "PYTHONUNBUFFERED": "1",
        "CAUSEWAY_SANDBOX": str(layout.root),
        "CAUSEWAY_SANDBOX_TOOLS": str(layout.tools),
    }


def worker(name: str, layout: Layout, endpoints: Endpoints) -> dict[str, str]:
    """The settings of one worker: its own cloud's and no other's, and what the person adds for it.

    Raises:
        Misuse: what the person adds is not `NAME=value` lines.
    """
    return _given(name, layout, endpoints) | added(name, layout)


def added(name: str, layout: Layout) -> dict[str, str]:
    """What the person adds to the settings of a worker, in `settings/<worker>.env`.

    Raises:
        Misuse: a line of it is not `NAME=value`.
    """
    path = layout.settings / f"{name}.env"
    found = {}
    for number, line in enumerate(path.read_text().splitlines() if path.exists() else (), start=1):
        variable, equals, value = line.partition("=")
        if not line.strip() or line.startswith("#"):
            continue
        if not equals or not variable.isidentifier():
            raise Misuse(f"{path}, line {number}: write NAME=value")
        found[variable] = value.strip()
    return found


def _given(name: str, layout: Layout, endpoints: Endpoints) -> dict[str, str]:
    common = {"TEMPORAL_ADDRESS": endpoints.temporal_address, "TEMPORAL_NAMESPACE": NAMESPACE}
    if name == "starter":
        return common | {"CAUSEWAY_WEB_UI": endpoints.temporal_ui_url}
    if name == "workflows":
        told = {name: value for name, value in os.environ.items() if name.startswith(_WATCHERS)}
        return (
            common
            | told
            | {"CAUSEWAY_WEB_UI": endpoints.temporal_ui_url, "CAUSEWAY_WORKFLOWS": OWN_WORKFLOWS}
        )
    ports = endpoints.ports
    stores = f"127.0.0.1:{ports['aws']},localhost:{ports['blob']},127.0.0.1:{ports['gcs']}"
    return common | {
        "SSL_CERT_FILE": str(endpoints.ca_bundle),
        "REQUESTS_CA_BUNDLE": str(endpoints.ca_bundle),
        "CAUSEWAY_CONTAINER": CONTAINER,
        "CAUSEWAY_STORE_HOSTS": stores,
        **_of_cloud(name, layout, endpoints),
    }


def write_all(layout: Layout, endpoints: Endpoints) -> None:
    """Write each worker's file, private to the user, for `--env-files` and for `env`."""
    for name in WORKERS:
        write_private(layout.env_of(name), render(worker(name, layout, endpoints)))


def render(settings: Mapping[str, str]) -> str:
    """`NAME=value` lines; values are taken as they stand, without quotes."""
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def _of_cloud(name: str, layout: Layout, endpoints: Endpoints) -> dict[str, str]:
    if name == "aws":
        return _aws(endpoints)
    if name == "azure":
        return _azure(endpoints)
    if name == "gcp":
        return _gcp(endpoints)
    return {"CAUSEWAY_ONPREM_ROOT": str(layout.onprem), "CAUSEWAY_ONPREM_PATH": str(layout.jobs_bin)}


def _aws(endpoints: Endpoints) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": endpoints.aws_access_key_id,
        "AWS_SECRET_ACCESS_KEY": endpoints.aws_secret_access_key,
        "AWS_REGION": endpoints.aws_region,
        "AWS_DEFAULT_REGION": endpoints.aws_region,
        "AWS_ENDPOINT_URL": endpoints.s3_url,
        "AWS_ENDPOINT_URL_SAGEMAKER": endpoints.sagemaker_url,
        "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": endpoints.sagemaker_url,
        "AWS_ENDPOINT_URL_SERVICE_QUOTAS": endpoints.sagemaker_url,
        "AWS_EC2_METADATA_DISABLED": "true",
        "CAUSEWAY_AWS_JOB_ROLE": endpoints.aws_job_role,
        "CAUSEWAY_AWS_INSTANCE": "ml.m5.large",
        "CAUSEWAY_IMAGE": "sandbox",
    }


def _azure(endpoints: Endpoints) -> dict[str, str]:
    return {
        "AZURE_TENANT_ID": endpoints.azure_tenant_id,
        "AZURE_CLIENT_ID": endpoints.azure_client_id,
        "AZURE_CLIENT_SECRET": endpoints.azure_client_secret,
        "AZURE_AUTHORITY_HOST": endpoints.azure_url,
        "ARM_CLOUD_METADATA_URL": f"{endpoints.azure_url}/metadata/endpoints?api-version=2019-05-01",
        "CAUSEWAY_AZURE_SUBSCRIPTION": endpoints.azure_subscription_id,
        "CAUSEWAY_AZURE_RESOURCE_GROUP": endpoints.azure_resource_group,
        "CAUSEWAY_AZURE_WORKSPACE": endpoints.azure_workspace,
        "CAUSEWAY_AZURE_COMPUTE": "cpu-cluster",
        "CAUSEWAY_AZURE_DATASTORE": "workspaceblobstore",
        "CAUSEWAY_AZURE_STORAGE_URL": endpoints.blob_url,
        "CAUSEWAY_AZURE_DISABLE_INSTANCE_DISCOVERY": "true",
        "CAUSEWAY_IMAGE": "sandbox",
    }


def _gcp(endpoints: Endpoints) -> dict[str, str]:
    return {
        "GOOGLE_APPLICATION_CREDENTIALS": str(endpoints.service_account_file),
        "GOOGLE_CLOUD_PROJECT": endpoints.gcp_project,
        "CAUSEWAY_GCP_LOCATION": endpoints.gcp_location,
        "CAUSEWAY_GCP_STORAGE_ENDPOINT": endpoints.gcs_url,
        "CAUSEWAY_GCP_BIGQUERY_ENDPOINT": endpoints.bigquery_url,
        "CAUSEWAY_GCP_BIGQUERY_LOCATION": "US",
        "CAUSEWAY_GCP_VERTEX_ENDPOINT": endpoints.vertex_url,
        "CAUSEWAY_GCP_LOGGING_ENDPOINT": endpoints.vertex_url,
        "CAUSEWAY_GCP_RESOURCE_MANAGER_ENDPOINT": endpoints.vertex_url,
        "CAUSEWAY_GCP_SERVICE_USAGE_ENDPOINT": endpoints.vertex_url,
        "CAUSEWAY_IMAGE": "sandbox",
    }
