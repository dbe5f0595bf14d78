"""A private Google cloud for tests: our Vertex server beside a real storage emulator, on free ports."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import google.auth.credentials
from google.auth.transport.requests import AuthorizedSession
from google.cloud import storage  # type: ignore[attr-defined]
from google.cloud.aiplatform_v1 import CustomJob, JobServiceClient
from google.oauth2 import service_account

from sandbox.layout import CONTAINER, Endpoints, Layout
from sandbox.servers.faults import Fault, Faults
from sandbox.services import fronts, gcs, ours
from tests.house import PATIENCE_SECONDS, until
from tests.sandbox.servers import Servers, laid_out

SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
CALL_SECONDS = PATIENCE_SECONDS
VERTEX = next(service for service in ours.SERVICES if service.name == "vertex")


class Relayed(google.auth.credentials.Credentials):
    """The tokens of other credentials, without their lookup of allowed locations at a fixed outside address.

    google-auth sends that lookup, with the token, to iamcredentials.googleapis.com from a thread of its own;
    no setting stops it, and a test must not leave the machine.
    """

    def __init__(self, inner: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._inner = inner

    def refresh(self, request: Any) -> None:
        self._inner.refresh(request)
        self.token, self.expiry = self._inner.token, self._inner.expiry


class GoogleCloud(Servers):
    """The servers, and what a worker would build from its settings to reach them."""

    def __init__(self, layout: Layout, endpoints: Endpoints) -> None:
        super().__init__(layout, endpoints)
        self.parent = f"projects/{endpoints.gcp_project}/locations/{endpoints.gcp_location}"
        self.faults = Faults(layout.faults_of("vertex"))

    def account(self, scopes: list[str] | None = SCOPES) -> Any:
        file = str(self.endpoints.service_account_file)
        return service_account.Credentials.from_service_account_file(file, scopes=scopes)  # type: ignore[no-untyped-call]

    def credentials(self) -> Relayed:
        return Relayed(self.account())

    def jobs(self, credentials: Any = None) -> JobServiceClient:
        options = {"api_endpoint": self.endpoints.vertex_url}
        return JobServiceClient(
            transport="rest", client_options=options, credentials=credentials or self.credentials()
        )

    def session(self) -> AuthorizedSession:
        return AuthorizedSession(self.credentials())  # type: ignore[no-untyped-call]

    def bucket(self) -> storage.Bucket:
        options = {"api_endpoint": self.endpoints.gcs_url}
        project = self.endpoints.gcp_project
        return storage.Client(project, self.credentials(), client_options=options).bucket(CONTAINER)

    def folder(self) -> str:
        return f"runs/{uuid.uuid4().hex}"

    def put(self, name: str, text: str) -> storage.Blob:
        blob = self.bucket().blob(name)
        blob.upload_from_string(text, timeout=CALL_SECONDS)
        return blob

    def text(self, name: str) -> str:
        return str(self.bucket().blob(name).download_as_text(timeout=CALL_SECONDS))

    def submit(self, *command: str, key: str = "", **spec: Any) -> CustomJob:
        request = {"parent": self.parent, "custom_job": custom_job(*command, key=key, **spec)}
        return self.jobs().create_custom_job(request, timeout=CALL_SECONDS)

    def finished(self, job: CustomJob) -> CustomJob:
        return self.until(job, "SUCCEEDED", "FAILED", "CANCELLED")

    def until(self, job: CustomJob, *states: str) -> CustomJob:
        client = self.jobs()

        def look() -> CustomJob | None:
            seen = client.get_custom_job(name=job.name, timeout=CALL_SECONDS)
            return seen if seen.state.name.removeprefix("JOB_STATE_") in states else None

        found: CustomJob = until(look, f"{job.name} is one of {states}")
        return found

    def fault(self, kind: str, **more: Any) -> None:
        self.faults.add(Fault(kind, times=1, **more))

    def journal(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.layout.requests_of("vertex").read_text().splitlines()]


def custom_job(*command: str, key: str = "", **spec: Any) -> dict[str, Any]:
    """A job as the product describes it, with one small machine."""
    pool = {
        "machine_spec": {"machine_type": "n1-standard-4"},
        "replica_count": 1,
        "container_spec": {"image_uri": "sandbox", "command": list(command)},
    }
    labels = {"causeway-key": key or uuid.uuid4().hex}
    return {
        "display_name": "causeway-test",
        "labels": labels,
        "job_spec": {"worker_pool_specs": [pool], **spec},
    }


@contextmanager
def running(root: Path) -> Iterator[GoogleCloud]:
    """Servers on free ports with state below `root`; nothing of them is left afterwards."""
    layout, endpoints = laid_out(root, "local")
    cloud = GoogleCloud(layout, endpoints)
    try:
        cloud.start(gcs.SERVICE)
        gcs.seed(layout, endpoints)
        cloud.start(fronts.GCS)
        cloud.start(VERTEX)
        yield cloud
    finally:
        cloud.end_all()
