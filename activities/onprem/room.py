"""Everything the on-prem room offers a worker."""

import os
from collections.abc import Callable
from typing import Any

from activities.caching import StoreCacheActivities
from activities.closing import ServiceClosingActivities
from activities.code import StoreCodeActivities
from activities.endpoints import ServiceEndpointActivities
from activities.facts import Containers
from activities.fanout import StoreGatherActivities
from activities.grant_client import GrantClient
from activities.jobs import ServiceJobActivities
from activities.onprem.batch import BatchingJobs
from activities.onprem.check import OnpremCheck
from activities.onprem.connection import OnpremConnection
from activities.onprem.endpoints import ProcessEndpoints, Servers
from activities.onprem.errors import translate
from activities.onprem.jobs import search_path
from activities.onprem.machines import OnpremMachine
from activities.onprem.settings import OnpremSettings
from activities.onprem.store import FileStore
from activities.onprem.sweep import Drafts, FoldersLive, Uploads
from activities.registration import bound_activities
from activities.run_lines import KEPT
from activities.shipping import StoreLogShipping
from activities.storage import StoreActivities
from activities.sweeping import RoomSweepActivities
from activities.sweeping_endpoints import EndpointSweeper
from activities.sweeping_jobs import JobSweeper


def store(settings: OnpremSettings) -> FileStore:
    """Build the connection's store."""
    return FileStore(settings.root, settings.container_uri)


def containers(settings: OnpremSettings) -> Containers:
    """Build what says how the connection's containers are guarded."""
    return Containers(store(settings), translate)


def jobs(settings: OnpremSettings) -> BatchingJobs:
    """Build the connection's job service."""
    return BatchingJobs(store(settings), search_path(settings.path), os.environ, OnpremMachine(settings))


def endpoints(settings: OnpremSettings) -> ProcessEndpoints:
    """Build the connection's service of endpoints."""
    places, machine = store(settings).places, OnpremMachine(settings)
    search = search_path(settings.path)
    return ProcessEndpoints(Servers(places, search, os.environ, machine, settings.container_uri))


def activities(settings: OnpremSettings) -> list[Callable[..., Any]]:
    """Return all activities to register."""
    files, client = store(settings), GrantClient(settings.host_rules())
    service, served = jobs(settings), endpoints(settings)
    return bound_activities(
        StoreActivities(files, translate, settings.allow_list(files.default_container), client),
        StoreCodeActivities(files, translate),
        StoreGatherActivities(files, translate),
        StoreCacheActivities(files, translate),
        ServiceJobActivities(service, files, translate),
        StoreLogShipping(service, files, translate, KEPT),
        ServiceClosingActivities(service, translate),
        RoomSweepActivities(
            (
                JobSweeper(service, FoldersLive(files.places), translate),
                EndpointSweeper(served, translate),
                Uploads(files.places, files.default_container),
                Drafts(files.places),
            ),
            translate,
        ),
        ServiceEndpointActivities(served, files, translate),
        OnpremCheck(settings, files, search_path(settings.path)),
        OnpremConnection(settings, files, search_path(settings.path), OnpremMachine(settings)),
    )
