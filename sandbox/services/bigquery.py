"""BigQuery: bqemulator on a DuckDB file. Tables and finished jobs survive `kill -9`."""

from __future__ import annotations

from sandbox import environment
from sandbox.layout import BIGQUERY_FRONT, DATASET, Endpoints, Layout, SandboxError
from sandbox.services.base import Command, Service, answers, call
from sandbox.services.gcs import objects


def command(layout: Layout, endpoints: Endpoints) -> Command:
    """Start on the old state when there is one; gs:// is read from our GCS server's folder."""
    state = layout.state / "bigquery"
    state.mkdir(parents=True, exist_ok=True)
    objects(layout).mkdir(parents=True, exist_ok=True)
    argv = [
        str(layout.tools / "bigquery" / "bin" / "bqemulator"),
        "start",
        "--project",
        endpoints.gcp_project,
    ]
    argv += ["--rest-host", "127.0.0.1", "--rest-port", str(endpoints.ports["bigquery_behind"])]
    argv += ["--grpc-host", "127.0.0.1", "--grpc-port", str(endpoints.ports["bigquery_grpc"])]
    argv += ["--persistent", "--data-dir", str(state), "--log-level", "warning", "--log-format", "console"]
    env = environment.bare(
        # DuckDB looks for its extensions under HOME.
        HOME=str(layout.tools / "bigquery" / "home"),
        BQEMU_GCS_LOCAL_ROOT=str(objects(layout)),
        BQEMU_ENABLE_FORMAT_EXTENSIONS="false",
        OTEL_SDK_DISABLED="true",
    )
    return Command(argv, env, state)


def healthy(_layout: Layout, endpoints: Endpoints) -> bool:
    """It lists datasets."""
    return answers(_datasets(endpoints), below=300)


def seed(_layout: Layout, endpoints: Endpoints) -> None:
    """The dataset of the examples."""
    reference = {"projectId": endpoints.gcp_project, "datasetId": DATASET}
    status, answer = call("POST", _datasets(endpoints), {"datasetReference": reference, "location": "US"})
    if status not in (200, 409):
        raise SandboxError(f"bigquery does not create the dataset {DATASET}: {status} {answer}")


def _datasets(endpoints: Endpoints) -> str:
    return f"{endpoints.bigquery_behind_url}/bigquery/v2/projects/{endpoints.gcp_project}/datasets"


SERVICE = Service(
    name="bigquery",
    ports=("bigquery_behind", "bigquery_grpc"),
    tools=("bigquery",),
    command=command,
    healthy=healthy,
    seed=seed,
    url=lambda endpoints: endpoints.bigquery_behind_url,
    front=BIGQUERY_FRONT,
)
