"""The Google Cloud room against the sandbox's own servers."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from google.cloud import bigquery, storage

from activities.gcp import room
from activities.gcp.identity import credentials
from activities.gcp.jobs import VertexJobs
from activities.gcp.settings import GcpSettings
from activities.gcp.store import GcsStore
from activities.gcp.tables import BigQueryTables
from tests.activities.gcp.desk import Desk


@pytest.fixture(scope="session")
def settings(sandbox: Any) -> Iterator[GcpSettings]:
    environment = sandbox.environment("gcp")
    with pytest.MonkeyPatch.context() as patch:
        # Credentials are no settings: the SDK reads them from the environment by itself.
        name = "GOOGLE_APPLICATION_CREDENTIALS"
        patch.setenv(name, environment[name])
        yield GcpSettings.from_mapping(environment)


@pytest.fixture(scope="session")
def objects(settings: GcpSettings) -> storage.Client:
    return room.storage_client(settings, credentials())


@pytest.fixture(scope="session")
def store(settings: GcpSettings) -> GcsStore:
    return room.store(settings)


@pytest.fixture(scope="session")
def warehouse(settings: GcpSettings) -> bigquery.Client:
    return room.tables_client(settings, credentials())


@pytest.fixture
def tables(warehouse: bigquery.Client, store: GcsStore) -> BigQueryTables:
    return BigQueryTables(warehouse, store)


@pytest.fixture(scope="session")
def vertex(settings: GcpSettings) -> Any:
    return room.vertex_client(settings, credentials())


@pytest.fixture(scope="session")
def jobs(settings: GcpSettings) -> VertexJobs:
    return room.custom_jobs(settings)


@pytest.fixture
def prefix(store: GcsStore) -> str:
    return f"{store.default_container}tests/{uuid.uuid4().hex}/"


@pytest.fixture
def desk(tables: BigQueryTables, store: GcsStore, prefix: str) -> Desk:
    return Desk(tables, store, prefix)
