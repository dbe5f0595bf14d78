"""Everything the worker of an Azure connection registers, on clients built once from its settings."""

import requests
from azure.core.pipeline.transport import RequestsTransport
from azure.identity import DefaultAzureCredential
from azure.storage.blob import BlobServiceClient
from requests.adapters import HTTPAdapter

from activities.azure.settings import AzureSettings
from contracts.units import MIB

CONNECT_SECONDS = 5
READ_SECONDS = 60
CONNECTIONS = 64
"""Connections kept to the store; more threads than that open and close their own."""


def credential(settings: AzureSettings) -> DefaultAzureCredential:
    """Return the worker's identity, as Azure's own chain finds it."""
    return DefaultAzureCredential(disable_instance_discovery=settings.disable_instance_discovery)


def blob_service(settings: AzureSettings, identity: DefaultAzureCredential) -> BlobServiceClient:
    """Return a client of the storage account that never retries: Temporal does."""
    session = requests.Session()
    session.mount("https://", HTTPAdapter(pool_maxsize=CONNECTIONS))
    return BlobServiceClient(
        settings.storage_url.rstrip("/"),
        credential=identity,
        transport=RequestsTransport(session=session),
        retry_total=0,
        connection_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_single_get_size=8 * MIB,
        max_chunk_get_size=8 * MIB,
    )
