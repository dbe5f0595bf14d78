"""The Azure room against the sandbox's Blob store and control plane."""

from collections.abc import Iterator
from typing import Any

import pytest

from activities.azure import room
from activities.azure.jobs import AzureMlJobs
from activities.azure.settings import AzureSettings
from activities.azure.store import BlobStore
from contracts.checks import CheckReport
from sandbox.layout import Endpoints, Layout
from tests.activities.azure.checking import Manager, check


@pytest.fixture(scope="package")
def settings(sandbox: Any) -> Iterator[AzureSettings]:
    environment = sandbox.environment("azure")
    with pytest.MonkeyPatch.context() as patch:
        # Azure's SDKs read credentials, authority and certificates from the environment by themselves.
        for name, value in environment.items():
            if not name.startswith("TEMPORAL_"):
                patch.setenv(name, value)
        yield AzureSettings.from_mapping(environment)


@pytest.fixture(scope="package")
def store(settings: AzureSettings) -> BlobStore:
    return room.store(settings)


@pytest.fixture(scope="package")
def jobs(settings: AzureSettings) -> AzureMlJobs:
    return room.jobs(settings)


@pytest.fixture(scope="module")
def manager(settings: AzureSettings) -> Manager:
    return Manager(settings)


@pytest.fixture(scope="module")
def endpoints(sandbox: Any) -> Endpoints:
    """With the account's key, which no worker holds."""
    return Endpoints.load(Layout(sandbox.root, sandbox.root, sandbox.root))


@pytest.fixture(scope="module")
def clean(settings: AzureSettings) -> CheckReport:
    return check(settings)
