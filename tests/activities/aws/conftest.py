"""The AWS room against the sandbox's own servers."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from activities.aws import room
from activities.aws.jobs import SageMakerJobs
from activities.aws.settings import AwsSettings
from activities.aws.store import S3Store


@pytest.fixture(scope="session")
def settings(sandbox: Any) -> Iterator[AwsSettings]:
    environment = sandbox.environment("aws")
    with pytest.MonkeyPatch.context() as patch:
        # Credentials are no settings: the SDK reads them from the environment by itself.
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, environment[name])
        yield AwsSettings.from_mapping(environment)


@pytest.fixture(scope="session")
def store(settings: AwsSettings) -> S3Store:
    return room.store(settings)


@pytest.fixture(scope="session")
def s3(settings: AwsSettings) -> Any:
    return room.client(settings, "s3")


@pytest.fixture
def prefix(store: S3Store) -> str:
    return f"{store.default_container}tests/{uuid.uuid4().hex}/"


@pytest.fixture(scope="session")
def jobs(settings: AwsSettings) -> SageMakerJobs:
    return room.jobs(settings)


@pytest.fixture
def limits(sandbox: Any) -> Iterator[Path]:
    """Where limits of the local account are planted, by their names."""
    path = Path(sandbox.root) / "state" / "sagemaker" / "limits.json"
    yield path
    path.unlink(missing_ok=True)
