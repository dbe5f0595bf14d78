"""The smallest rights for a pipeline on Google Cloud: custom roles, who gets them where, and the commands that make it so.

Permissions are those that each module of the room declares beside its calls; here they are sorted by what IAM can name them
on. A bucket's objects and BigQuery's tables are told apart by conditions on their names; what belongs to Vertex AI is not:
https://cloud.google.com/iam/docs/conditions-resource-attributes
"""

from collections.abc import Iterable, Mapping
from typing import Any

from activities.gcp import (
    batch,
    claims,
    connection,
    copies,
    endpoints,
    job_logs,
    jobs,
    models,
    objects,
    operations,
    raw_predict,
    sending,
    signing,
    store,
    sweep,
    writer,
)
from activities.gcp.policy_tables import table_grants
from activities.gcp.policy_text import Grant, among, commands, document
from activities.gcp.settings import GcpSettings
from activities.gcp.writer import UPLOADS
from contracts.artifacts import locate
from contracts.permissions import PermissionRequest
from contracts.storage import HIDDEN

STORAGE = (objects, store, writer, copies, sending, claims)
SERVICES = {
    "jobs": (connection, jobs, job_logs, sweep),
    "batch_predict": (connection, batch, models, operations, job_logs, sweep),
    "endpoints": (endpoints, models, operations, raw_predict, job_logs),
}
OWN_PREFIXES = ("code/", "runs/", HIDDEN)
"""Where Causeway writes in the default bucket."""
ON_BUCKETS = {"storage.buckets.get", "storage.objects.list"}
"""Of listings IAM knows the bucket alone, as it does when an object is asked for that is not there."""
READS = {"storage.objects.get"}
OF_JOBS = ("storage.objects.get", "storage.objects.create", "storage.objects.delete")
"""What the mount of a job's bucket does: https://cloud.google.com/storage/docs/cloud-storage-fuse/overview"""

OF_METRICS = ("monitoring.metricDescriptors.create", "monitoring.timeSeries.create")
"""What Google's exporter of metrics does: https://cloud.google.com/monitoring/access-control"""


def policies(request: PermissionRequest, settings: GcpSettings) -> dict[str, Any]:
    """Return the roles and bindings of each account, and all of the commands that create them."""
    owner = "_".join(filter(None, (request.pipeline, request.connection.partition("/")[2])))
    grants = {
        "worker": worker_grants(request, settings),
        "job_account": job_account_grants(request, settings),
    }
    told = {who: document(held, owner) for who, held in grants.items() if held}
    return {**told, "commands": commands(owner, grants, settings)}


def worker_grants(request: PermissionRequest, settings: GcpSettings) -> list[Grant]:
    """Return what the worker's account may do, for exactly what a pipeline does on this connection."""
    return [
        *_of_buckets(request, settings),
        *_of_vertex(request, settings),
        *(table_grants(request, settings.project) if "tables" in request.features else []),
        Grant("signer", values(signing.NEEDS), _account("$WORKER")),
        *([Grant("metrics", OF_METRICS, f"projects/{settings.project}")] if settings.monitoring else []),
    ]


def job_account_grants(request: PermissionRequest, settings: GcpSettings) -> list[Grant]:
    """Return what the account that jobs run as may do; nothing where jobs run as Vertex AI's own."""
    if not settings.job_account or not set(SERVICES) & set(request.features):
        return []
    named = {locate(uri).container for uri in (*request.reads, *request.writes)}
    own = [_prefix(settings.container, prefix) for prefix in OWN_PREFIXES]
    read = [_object(uri) for uri in (*request.reads, *request.writes)]
    bucket = f"gs://{settings.container}"
    return [
        Grant("job_objects", OF_JOBS, bucket, among([_prefix(settings.container, "runs/")])),
        *(
            Grant("job_reads", READS, f"gs://{name}", condition)
            for name, condition in _by_bucket([*own, *read])
        ),
        *(
            Grant("job_lists", ("storage.objects.list",), f"gs://{name}")
            for name in sorted({settings.container, *named})
        ),
        Grant("job_log", ("logging.logEntries.create",), f"projects/{settings.project}"),
    ]


def values(*needs: Mapping[str, tuple[str, ...]]) -> set[str]:
    """Return every permission that is declared."""
    return {permission for held in needs for permissions in held.values() for permission in permissions}


def _of_buckets(request: PermissionRequest, settings: GcpSettings) -> list[Grant]:
    declared = values(*(module.NEEDS for module in STORAGE))
    named = {locate(uri).container for uri in (*request.reads, *request.writes)}
    own = [_prefix(settings.container, prefix) for prefix in OWN_PREFIXES]
    written = [name for uri in request.writes for name in (_object(uri), _parts(uri))]
    read = [_object(uri) for uri in request.reads]
    create = request.create and {"storage.buckets.create"}
    return [
        *(
            Grant("objects", declared - ON_BUCKETS, f"gs://{name}", condition)
            for name, condition in _by_bucket([*own, *written])
        ),
        *(Grant("sources", READS, f"gs://{name}", condition) for name, condition in _by_bucket(read)),
        *(
            Grant("buckets", declared & ON_BUCKETS, f"gs://{name}")
            for name in sorted({settings.container, *named})
        ),
        *([Grant("create_buckets", create, f"projects/{settings.project}")] if create else []),
    ]


def _of_vertex(request: PermissionRequest, settings: GcpSettings) -> list[Grant]:
    features = [feature for feature in SERVICES if feature in request.features]
    if not features:
        return []
    needed = [module.NEEDS for feature in features for module in SERVICES[feature]]
    needed += [operations.NEEDS_OF_ENDPOINTS] if "endpoints" in features else []
    permissions = {name for name in values(*needed) if name.startswith(("aiplatform.", "logging."))}
    account = settings.job_account
    acting = [Grant("act_as", values(jobs.NEEDS_WITH_ACCOUNT), _account(account))] if account else []
    return [Grant("vertex", permissions, f"projects/{settings.project}"), *acting]


def _by_bucket(names: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return each bucket with the condition that names its objects, split where IAM would find it too long."""
    held: dict[str, list[tuple[str, str]]] = {}
    for name in dict.fromkeys(names):
        held.setdefault(name[1].split("/")[3], []).append(name)
    return [
        (bucket, among(found[start : start + MOST_NAMES]))
        for bucket, found in sorted(held.items())
        for start in range(0, len(found), MOST_NAMES)
    ]


MOST_NAMES = 12
"""A condition takes 12 logical operators: https://cloud.google.com/iam/quotas"""


def _object(uri: str) -> tuple[str, str]:
    held = locate(uri)
    whole = bool(held.name) and not held.name.endswith("/")
    return "==" if whole else "startsWith", f"projects/_/buckets/{held.container}/objects/{held.name}"


def _prefix(bucket: str, prefix: str) -> tuple[str, str]:
    return "startsWith", f"projects/_/buckets/{bucket}/objects/{prefix}"


def _parts(uri: str) -> tuple[str, str]:
    """Where the parts of a large object lie before they are composed: in the bucket of their target."""
    held = locate(uri)
    return _prefix(held.container, f"{UPLOADS}{held.name.rstrip('/')}{'/' if held.name else ''}")


def _account(email: str) -> str:
    return f"serviceAccounts/{email}"
