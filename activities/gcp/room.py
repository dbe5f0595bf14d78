"""Everything the Google Cloud room offers a worker. Clients are built here and nowhere else."""

from collections.abc import Callable
from typing import Any

import requests
from google.auth.credentials import Credentials
from google.auth.transport.requests import AuthorizedSession
from google.cloud import bigquery, storage

from activities import whole_answers
from activities.asked import answered
from activities.caching import StoreCacheActivities
from activities.closing import Named, ServiceClosingActivities
from activities.code import StoreCodeActivities
from activities.endpoints import ServiceEndpointActivities
from activities.facts import Containers
from activities.fanout import StoreGatherActivities
from activities.gcp.batch import BatchPredictionJobs
from activities.gcp.check import GcpCheck, is_long_lived
from activities.gcp.check_project import ProjectLooks
from activities.gcp.connection import GcpConnection
from activities.gcp.endpoints import VertexEndpoints
from activities.gcp.errors import translate
from activities.gcp.identity import account_of, credentials
from activities.gcp.job_logs import JobLogs
from activities.gcp.jobs import JobDefaults, VertexJobs
from activities.gcp.machines import VertexMachines
from activities.gcp.models import VertexModels
from activities.gcp.operations import Operations
from activities.gcp.raw_predict import RawPredict
from activities.gcp.sending import Sender
from activities.gcp.settings import GcpSettings
from activities.gcp.signing import Signer
from activities.gcp.store import GcsStore
from activities.gcp.sweep import Claims, PartObjects, VertexLive
from activities.gcp.sweep_tables import StagingTables, TableJobsLeft
from activities.gcp.tables import BigQueryTables
from activities.gcp.vertex_client import build_client
from activities.grant_client import GrantClient
from activities.job_router import JobRouter
from activities.jobs import ServiceJobActivities
from activities.registration import bound_activities
from activities.run_lines import KEPT
from activities.shipping import StoreLogShipping
from activities.storage import StoreActivities
from activities.sweeping import RoomSweepActivities, Sweeper, containers_of
from activities.sweeping_endpoints import EndpointSweeper
from activities.sweeping_jobs import JobSweeper

_POOL = 64
"""Connections a client keeps: no fewer than a worker's activity threads and their parts in flight."""


def storage_client(settings: GcpSettings, identity: Credentials) -> storage.Client:
    """Build the client of Cloud Storage: its session holds enough connections for every thread."""
    return storage.Client(
        project=settings.project,
        credentials=identity,
        _http=_session(identity),
        client_options={"api_endpoint": settings.storage_endpoint},
    )


def store(settings: GcpSettings, identity: Credentials | None = None) -> GcsStore:
    """Build the connection's store."""
    caller = identity or credentials()
    return GcsStore(
        storage_client(settings, caller),
        Sender(_session(caller), settings.storage_endpoint),
        Signer(caller, settings.storage_endpoint),
        default_container=f"gs://{settings.container}/",
        location=settings.location,
    )


def containers(settings: GcpSettings) -> Containers:
    """Build what says how the connection's containers are guarded."""
    return Containers(store(settings), translate)


def tables_client(settings: GcpSettings, identity: Credentials) -> bigquery.Client:
    """Build the client of BigQuery, working in the connection's location."""
    return bigquery.Client(
        project=settings.project,
        credentials=identity,
        _http=_session(identity),
        location=settings.bigquery_location,
        client_options={"api_endpoint": settings.bigquery_endpoint},
    )


def vertex_client(settings: GcpSettings, identity: Credentials, service: str = "job") -> Any:
    """Build the client of one of Vertex AI's services in the connection's region."""
    return build_client(_vertex_address(settings), identity, service)


def jobs(settings: GcpSettings, identity: Credentials | None = None) -> JobRouter:
    """Build the connection's job service."""
    caller = identity or credentials()
    return JobRouter(custom_jobs(settings, caller), {"batch_predict": batches(settings, caller)})


def custom_jobs(settings: GcpSettings, identity: Credentials | None = None) -> VertexJobs:
    """Build the service of every kind of job but batches."""
    return VertexJobs(*_of_jobs(settings, identity or credentials()))


def batches(settings: GcpSettings, identity: Credentials | None = None) -> BatchPredictionJobs:
    """Build the service of batches."""
    caller = identity or credentials()
    return BatchPredictionJobs(*_of_jobs(settings, caller), models=_models(settings, caller))


def _of_jobs(settings: GcpSettings, caller: Credentials) -> tuple[Any, ...]:
    return (
        vertex_client(settings, caller),
        storage_client(settings, caller),
        store(settings, caller),
        JobLogs(_session(caller), settings.logging_endpoint, settings.project),
        _defaults(settings),
    )


def machines(settings: GcpSettings) -> VertexMachines:
    """Build what chooses the connection's machines."""
    return VertexMachines(settings.machines, settings.machine_type)


def endpoints(
    settings: GcpSettings,
    identity: Credentials | None = None,
    operations: type[Operations] = Operations,
) -> VertexEndpoints:
    """Build the connection's service of endpoints."""
    caller = identity or credentials()
    return VertexEndpoints(
        vertex_client(settings, caller, "endpoint"),
        operations(_session(caller), _vertex_address(settings)),
        _models(settings, caller),
        RawPredict(_session(caller), _vertex_address(settings)),
        JobLogs(_session(caller), settings.logging_endpoint, settings.project),
        _defaults(settings),
    )


def _models(settings: GcpSettings, caller: Credentials) -> VertexModels:
    client = vertex_client(settings, caller, "model")
    operations = Operations(_session(caller), _vertex_address(settings))
    return VertexModels(client, operations, store(settings, caller), _defaults(settings))


def _vertex_address(settings: GcpSettings) -> str:
    return settings.vertex_endpoint or f"https://{settings.location}-aiplatform.googleapis.com"


def named(usual: VertexJobs, batch: VertexJobs) -> Named:
    """Return how a job is looked for by its name, which Vertex AI itself does not ask for."""
    return lambda request: (batch if request.kind == "batch_predict" else usual).named(request)


def activities(settings: GcpSettings) -> list[Callable[..., Any]]:
    """Return every activity this connection's worker registers."""
    identity = credentials()
    bucket, tables = store(settings, identity), tables_client(settings, identity)
    grants = GrantClient(settings.host_rules())
    vertex, usual = vertex_client(settings, identity), custom_jobs(settings, identity)
    batch = batches(settings, identity)
    service = JobRouter(usual, {"batch_predict": batch})
    return bound_activities(
        StoreActivities(bucket, translate, settings.allow_list(bucket.default_container), grants),
        StoreCodeActivities(bucket, translate),
        StoreGatherActivities(bucket, translate),
        StoreCacheActivities(bucket, translate),
        ServiceJobActivities(service, bucket, translate),
        StoreLogShipping(service, bucket, translate, KEPT),
        ServiceClosingActivities(service, translate, named(usual, batch)),
        RoomSweepActivities(sweepers(settings, identity), translate),
        ServiceEndpointActivities(endpoints(settings, identity), bucket, translate),
        BigQueryTables(tables, bucket),
        GcpCheck(
            settings,
            bucket,
            (storage_client(settings, identity), tables, vertex),
            identity,
            is_long_lived(),
            _vertex_address(settings),
            project_looks(settings, identity),
        ),
        GcpConnection(
            bucket,
            tables,
            vertex,
            account_of(identity),
            machines(settings),
            _defaults(settings),
            private=settings.private_store,
        ),
    )


def project_looks(settings: GcpSettings, identity: Credentials) -> ProjectLooks:
    """Build what looks at the connection's project."""
    return ProjectLooks(_session(identity), settings, account_of(identity))


def sweepers(settings: GcpSettings, identity: Credentials) -> tuple[Sweeper, ...]:
    """Return what finds and ends what runs left, kind by kind."""
    objects, tables = storage_client(settings, identity), tables_client(settings, identity)
    own = f"gs://{settings.container}/"
    live = VertexLive(vertex_client(settings, identity), settings.parent)
    return (
        JobSweeper(jobs(settings, identity), live, translate),
        EndpointSweeper(endpoints(settings, identity), translate),
        PartObjects(objects, containers_of(own, settings.allow_list(own).prefixes)),
        Claims(objects, settings.container),
        TableJobsLeft(tables),
        StagingTables(tables),
    )


def _session(identity: Credentials) -> AuthorizedSession:
    # The session's own token requests, too, must not hang or try for minutes.
    session = AuthorizedSession(identity, max_refresh_attempts=1)  # type: ignore[no-untyped-call] # no types
    adapter = requests.adapters.HTTPAdapter(pool_connections=8, pool_maxsize=_POOL)
    whole_answers.demanded_of(adapter.poolmanager)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    session.hooks["response"].append(_noted)
    return session


def _noted(answer: requests.Response, **_: Any) -> None:
    """Note the request by the id that Cloud Storage gives it; Google's other services tell none."""
    answered(answer.headers.get("X-GUploader-UploadID"))


def _defaults(settings: GcpSettings) -> JobDefaults:
    return JobDefaults(settings.parent, machines(settings), settings.image, settings.job_account)
