"""Everything the Azure room offers a worker. Clients are built here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import requests
from azure.core.pipeline.transport import RequestsTransport
from azure.identity import DefaultAzureCredential
from azure.storage.blob import BlobServiceClient
from requests.adapters import HTTPAdapter

from activities import whole_answers
from activities.asked import answered
from activities.azure.errors import translate
from activities.azure.identity import NotingTransport, WorkerIdentity
from activities.azure.machines import AzureMachines
from activities.azure.settings import AzureSettings
from activities.azure.store import BlobStore
from activities.caching import StoreCacheActivities
from activities.closing import Named, ServiceClosingActivities, by_name
from activities.code import StoreCodeActivities
from activities.endpoints import ServiceEndpointActivities
from activities.facts import Containers
from activities.fanout import StoreGatherActivities
from activities.grant_client import GrantClient
from activities.job_router import JobRouter
from activities.job_service import JobService
from activities.jobs import ServiceJobActivities
from activities.registration import bound_activities
from activities.run_lines import KEPT
from activities.shipping import StoreLogShipping
from activities.storage import StoreActivities
from activities.sweeping import RoomSweepActivities, containers_of
from activities.sweeping_endpoints import EndpointSweeper
from activities.sweeping_jobs import JobSweeper
from contracts.units import MIB

if TYPE_CHECKING:
    from activities.azure.batch_endpoints import BatchEndpoints
    from activities.azure.batch_jobs import BatchEndpointJobs
    from activities.azure.endpoints import AzureMlEndpoints
    from activities.azure.jobs import AzureMlJobs
    from activities.azure.workspace import MlWorkspace

CONNECT_SECONDS = 5
READ_SECONDS = 60
_POOL = 64
"""Connections a client keeps: no fewer than a worker's activity threads and their parts in flight."""


def credential(settings: AzureSettings) -> WorkerIdentity:
    """Return the worker's identity, as Azure's own chain finds it."""
    transport = NotingTransport(connection_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS)
    chain = DefaultAzureCredential(
        disable_instance_discovery=settings.disable_instance_discovery, transport=transport, retry_total=1
    )
    return WorkerIdentity(chain, transport)


def blob_service(settings: AzureSettings, identity: WorkerIdentity) -> BlobServiceClient:
    """Build the client of the storage account: it tries once, since Temporal retries."""
    session = requests.Session()
    adapter = HTTPAdapter(pool_maxsize=_POOL)
    whole_answers.demanded_of(adapter.poolmanager)
    session.mount("https://", adapter)
    return BlobServiceClient(
        settings.storage_url.rstrip("/"),
        credential=identity,
        transport=RequestsTransport(session=session),
        retry_total=0,
        connection_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        # A read holds one such piece at a time; the default is 32 MiB.
        max_single_get_size=8 * MIB,
        max_chunk_get_size=8 * MIB,
        raw_response_hook=_noted,
    )


def _noted(answer: Any) -> None:
    """Note the request by Azure's id."""
    answered(answer.http_response.headers.get("x-ms-request-id"))


def store(settings: AzureSettings, identity: WorkerIdentity | None = None) -> BlobStore:
    """Build the connection's store."""
    return BlobStore(blob_service(settings, identity or credential(settings)), settings.container)


def containers(settings: AzureSettings) -> Containers:
    """Build what says how the connection's containers are guarded."""
    return Containers(store(settings), translate)


def workspace(settings: AzureSettings, identity: WorkerIdentity | None = None) -> MlWorkspace:
    """Build the connection's workspace; it asks Azure nothing yet."""
    # The SDK takes seconds to import, and whoever needs only the store should not wait for it.
    from activities.azure.workspace import MlWorkspace

    return MlWorkspace(settings, identity or credential(settings))


def jobs(settings: AzureSettings, identity: WorkerIdentity | None = None) -> JobRouter:
    """Build the connection's job service."""
    caller = identity or credential(settings)
    place = workspace(settings, caller)
    usual = _commands(settings, place, store(settings, caller))
    return JobRouter(usual, {"batch_predict": _batches(settings, caller, place, usual)})


def batches(settings: AzureSettings, identity: WorkerIdentity | None = None) -> BatchEndpointJobs:
    """Build the service of batches."""
    caller = identity or credential(settings)
    place = workspace(settings, caller)
    return _batches(settings, caller, place, _commands(settings, place, store(settings, caller)))


def named(usual: JobService, batch: BatchEndpointJobs) -> Named:
    """Return how a job is looked for by its name, which no batch endpoint asks for."""
    return lambda request: (
        batch.named(request) if request.kind == "batch_predict" else by_name(usual, translate, request)
    )


def _commands(settings: AzureSettings, place: MlWorkspace, blobs: BlobStore) -> AzureMlJobs:
    from activities.azure.jobs import AzureMlJobs

    return AzureMlJobs(place, blobs, machines(settings, place), settings)


def _batches(
    settings: AzureSettings, caller: WorkerIdentity, place: MlWorkspace, usual: AzureMlJobs
) -> BatchEndpointJobs:
    from activities.azure.batch_jobs import BatchEndpointJobs

    stores = store(settings, caller), blob_service(settings, caller)
    return BatchEndpointJobs(
        usual, _batch_endpoints(settings, place, stores[0]), place, stores, machines(settings, place)
    )


def _batch_endpoints(settings: AzureSettings, place: MlWorkspace, blobs: BlobStore) -> BatchEndpoints:
    from activities.azure.batch_code import BatchCode
    from activities.azure.batch_endpoints import BatchEndpoints
    from activities.azure.hosting import Hosting

    where = Hosting(place.resources, blobs, settings)
    return BatchEndpoints(place, where, BatchCode(place.resources, blobs, settings))


def machines(settings: AzureSettings, place: MlWorkspace) -> AzureMachines:
    """Build what chooses the connection's machines."""
    return AzureMachines(place.cluster, settings.machines, settings.compute)


def endpoints(settings: AzureSettings, identity: WorkerIdentity | None = None) -> AzureMlEndpoints:
    """Build the connection's service of endpoints."""
    caller = identity or credential(settings)
    return _endpoints(settings, workspace(settings, caller), store(settings, caller))


def _endpoints(settings: AzureSettings, place: MlWorkspace, blobs: BlobStore) -> AzureMlEndpoints:
    from activities.azure.endpoints import AzureMlEndpoints
    from activities.azure.hosting import Hosting
    from activities.azure.scoring import Scoring
    from activities.azure.workspace import CLIENT_OPTIONS

    where = Hosting(place.resources, blobs, settings)
    scoring, chooser = Scoring(place.resources, **CLIENT_OPTIONS), machines(settings, place)
    batch = _batch_endpoints(settings, place, blobs)
    return AzureMlEndpoints(place.resources, where, scoring, chooser, batch)


def activities(settings: AzureSettings) -> list[Callable[..., Any]]:
    """Return every activity this connection's worker registers."""
    from activities.azure.check import AzureCheck
    from activities.azure.connection import AzureConnection
    from activities.azure.sweep import StagedBlobs, WorkspaceLive

    identity = credential(settings)
    blobs, place = store(settings, identity), workspace(settings, identity)
    chooser = machines(settings, place)
    usual = _commands(settings, place, blobs)
    batch = _batches(settings, identity, place, usual)
    service = JobRouter(usual, {"batch_predict": batch})
    servers = _endpoints(settings, place, blobs)
    allowed = settings.allow_list(blobs.default_container)
    places = containers_of(blobs.default_container, allowed.prefixes)
    return bound_activities(
        StoreActivities(blobs, translate, allowed, GrantClient(settings.host_rules())),
        StoreCodeActivities(blobs, translate),
        StoreGatherActivities(blobs, translate),
        StoreCacheActivities(blobs, translate),
        ServiceJobActivities(service, blobs, translate),
        StoreLogShipping(service, blobs, translate, KEPT),
        ServiceClosingActivities(service, translate, named(usual, batch)),
        RoomSweepActivities(
            (
                JobSweeper(service, WorkspaceLive(place), translate),
                EndpointSweeper(servers, translate),
                StagedBlobs(blob_service(settings, identity), places),
            ),
            translate,
        ),
        ServiceEndpointActivities(servers, blobs, translate),
        AzureConnection(settings, blobs, place, chooser, identity),
        AzureCheck(settings, blob_service(settings, identity), place, identity),
    )
