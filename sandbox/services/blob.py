"""Azure Blob storage: azurite over TLS, with bearer tokens (`--oauth basic`) and a generated account key.

Clients reach it through a front (`sandbox.servers.fronts`), which also reads the sources that azurite does not.

An orderly stop keeps everything. It saves its index every 5 seconds, so `kill -9` may cost what was written
in the last 5. Its telemetry and SQL drivers are not even installed (`requirements/blob/left-out`).
"""

from __future__ import annotations

from sandbox import environment, tools
from sandbox.layout import BLOB_FRONT, CONTAINER, Endpoints, Layout
from sandbox.services.base import Command, Service, answers


def command(layout: Layout, endpoints: Endpoints) -> Command:
    """Start on the old state when there is one."""
    state = layout.state / "blob"
    state.mkdir(parents=True, exist_ok=True)
    main = layout.tools / "blob" / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
    argv = [
        str(tools.node(layout)),
        str(main),
        "--blobHost",
        "127.0.0.1",
        "--blobPort",
        str(endpoints.ports["blob_behind"]),
    ]
    argv += [
        "--location",
        str(state),
        "--silent",
        "--skipApiVersionCheck",
        "--disableTelemetry",
        "--oauth",
        "basic",
    ]
    argv += ["--cert", str(layout.tls / "blob.pem"), "--key", str(layout.tls / "blob.key")]
    account = f"{endpoints.blob_account}:{endpoints.blob_key}"
    return Command(argv, environment.bare(HOME=str(state), AZURITE_ACCOUNTS=account), state)


def healthy(_layout: Layout, endpoints: Endpoints) -> bool:
    """TLS and the account answer; an unsigned request is refused, and that is health."""
    return answers(f"{endpoints.blob_behind_url}?comp=list", authority=str(endpoints.ca_certificate))


def seed(_layout: Layout, endpoints: Endpoints) -> None:
    """A private container."""
    from azure.core.exceptions import ResourceExistsError
    from azure.storage.blob import BlobServiceClient

    account = BlobServiceClient(
        endpoints.blob_behind_url, credential=endpoints.blob_key, connection_verify=str(endpoints.ca_bundle)
    )
    with account:
        try:
            account.create_container(CONTAINER)
        except ResourceExistsError:
            pass


SERVICE = Service(
    name="blob",
    ports=("blob_behind",),
    tools=("blob",),
    command=command,
    healthy=healthy,
    seed=seed,
    url=lambda endpoints: endpoints.blob_behind_url,
    front=BLOB_FRONT,
)
