"""Everything the Google Cloud room offers a worker. Clients are built here and nowhere else."""

from collections.abc import Callable
from typing import Any

import google.auth
import requests
from google.auth.credentials import Credentials
from google.auth.exceptions import DefaultCredentialsError
from google.auth.transport.requests import AuthorizedSession
from google.cloud import bigquery, storage

from activities.code import StoreCodeActivities
from activities.gcp.connection import GcpConnection
from activities.gcp.errors import translate
from activities.gcp.job_logs import JobLogs
from activities.gcp.jobs import JobDefaults, VertexJobs
from activities.gcp.settings import GcpSettings
from activities.gcp.signing import Signer
from activities.gcp.store import GcsStore
from activities.gcp.tables import BigQueryTables
from activities.gcp.vertex_client import build_client
from activities.grant_client import GrantClient
from activities.grants import AllowList, HostRules
from activities.jobs import ServiceJobActivities
from activities.registration import bound_activities
from activities.settings import SettingsError
from activities.storage import StoreActivities

_POOL = 64
"""Connections a client keeps: no fewer than a worker's activity threads and their parts in flight."""
_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)


def credentials() -> Credentials:
    """Find the worker's identity in Google's own chain.

    Raises:
        SettingsError: there is none.
    """
    try:
        found, _ = google.auth.default(scopes=_SCOPES)
    except DefaultCredentialsError:
        text = (
            "no Google credentials: set GOOGLE_APPLICATION_CREDENTIALS, or run where an account is attached"
        )
        raise SettingsError(text) from None
    return found


def storage_client(settings: GcpSettings, identity: Credentials) -> storage.Client:
    """Build the client of Cloud Storage: its session holds enough connections for every thread."""
    return storage.Client(
        project=settings.project,
        credentials=identity,
        _http=_session(identity),
        client_options={"api_endpoint": settings.storage_endpoint},
    )


def store(settings: GcpSettings, identity: Credentials) -> GcsStore:
    """Build the connection's store."""
    return GcsStore(
        storage_client(settings, identity),
        Signer(identity, settings.storage_endpoint),
        default_container=f"gs://{settings.container}/",
        location=settings.location,
    )


def tables_client(settings: GcpSettings, identity: Credentials) -> bigquery.Client:
    """Build the client of BigQuery, working in the connection's location."""
    return bigquery.Client(
        project=settings.project,
        credentials=identity,
        _http=_session(identity),
        location=settings.bigquery_location,
        client_options={"api_endpoint": settings.bigquery_endpoint},
    )


def vertex_client(settings: GcpSettings, identity: Credentials) -> Any:
    """Build the client of Vertex AI in the connection's region."""
    endpoint = settings.vertex_endpoint or f"https://{settings.location}-aiplatform.googleapis.com"
    return build_client(endpoint, identity)


def jobs(settings: GcpSettings, identity: Credentials) -> VertexJobs:
    """Build the connection's job service."""
    logs = JobLogs(_session(identity), settings.logging_endpoint, settings.project)
    return VertexJobs(
        vertex_client(settings, identity),
        storage_client(settings, identity),
        store(settings, identity),
        logs,
        _defaults(settings),
    )


def activities(settings: GcpSettings) -> list[Callable[..., Any]]:
    """Return every activity this connection's worker registers."""
    identity = credentials()
    bucket, tables = store(settings, identity), tables_client(settings, identity)
    allowed = AllowList.of(settings.grant_allow, bucket.default_container)
    grants = GrantClient(HostRules(settings.store_hosts))
    vertex = vertex_client(settings, identity)
    return bound_activities(
        StoreActivities(bucket, translate, allowed, grants),
        StoreCodeActivities(bucket, translate),
        ServiceJobActivities(jobs(settings, identity), bucket, translate),
        BigQueryTables(tables, bucket),
        GcpConnection(bucket, tables, vertex, _account(identity), _defaults(settings)),
    )


def _session(identity: Credentials) -> AuthorizedSession:
    # The session's own token requests, too, must not hang or try for minutes.
    session = AuthorizedSession(identity, max_refresh_attempts=1)  # type: ignore[no-untyped-call] # no types
    adapter = requests.adapters.HTTPAdapter(pool_connections=8, pool_maxsize=_POOL)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _account(identity: Credentials) -> str:
    return str(getattr(identity, "service_account_email", None) or "Google account of the worker")


def _defaults(settings: GcpSettings) -> JobDefaults:
    return JobDefaults(settings.parent, settings.image, settings.machine_type, settings.job_account)
