"""`python -m sandbox.servers.fronts NAME`: one front, before the emulator of a store."""

from __future__ import annotations

import signal
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from functools import partial

import h11

from sandbox.layout import BLOB_FRONT, FRONTS, GCS_FRONT, Endpoints, Layout, SandboxError
from sandbox.servers.azure.rights import SEEDED, opened
from sandbox.servers.fronts.blob import BlobGate
from sandbox.servers.fronts.blob_rights import JudgedGate
from sandbox.servers.fronts.encrypted import Encrypted
from sandbox.servers.fronts.google import bigquery, gcs
from sandbox.servers.fronts.messages import Reply, Substitute
from sandbox.servers.fronts.proxy import Front, Gate, listen, reach
from sandbox.servers.journal import Journal

Build = Callable[[Layout, Endpoints], Front]
HEALTH_TARGET = b"/_sandbox/health"


class Door:
    """Answers for the front's own health, and asks the gate of the store about everything else."""

    def __init__(self, gate: Gate) -> None:
        """Stand before this gate."""
        self._gate = gate

    def judge(self, request: h11.Request) -> Reply | Substitute | None:
        """See `Gate`."""
        return Reply(200) if request.target == HEALTH_TARGET else self._gate.judge(request)

    def watch(self, request: h11.Request, body: Iterator[memoryview]) -> Iterator[memoryview]:
        """See `Gate`."""
        return self._gate.watch(request, body)

    def note(self, request: h11.Request, order: Reply | Substitute, status: int) -> None:
        """See `Gate`."""
        if request.target != HEALTH_TARGET:
            self._gate.note(request, order, status)


def main(name: str) -> None:
    """Serve until SIGTERM or SIGINT."""
    layout = Layout.from_environment()
    endpoints = Endpoints.load(layout)
    known: dict[str, tuple[Build, str]] = {
        BLOB_FRONT: (_blob, "blob"),
        GCS_FRONT: (partial(_plain, gcs, "gcs_behind"), "gcs"),
    }
    build, port = known.get(name, (partial(_plain, bigquery, "bigquery_behind"), "bigquery"))
    front = build(layout, endpoints)
    with listen(endpoints.ports[port]) as listener:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: listener.shutdown(socket.SHUT_RDWR))
        front.serve(listener)


def _blob(layout: Layout, endpoints: Endpoints) -> Front:
    # What azurite is told of itself, and what clients see, is one certificate.
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(layout.tls / "blob.pem", layout.tls / "blob.key")
    behind = ssl.create_default_context(cafile=str(endpoints.ca_certificate))

    def connect() -> Encrypted:
        return Encrypted(reach(endpoints.ports["blob_behind"]), behind, server_name="localhost")

    journal = Journal(layout.requests_of(BLOB_FRONT))
    gate = BlobGate(ssl.create_default_context(), journal)
    group = (
        f"/subscriptions/{endpoints.azure_subscription_id}/resourceGroups/{endpoints.azure_resource_group}"
    )
    account = f"{group}/providers/Microsoft.Storage/storageAccounts/{endpoints.blob_account}"
    return Front(connect, Door(JudgedGate(gate, opened(layout, SEEDED), account)), serving)


def _plain(
    gate_of: Callable[[Layout, Endpoints], Gate], behind: str, layout: Layout, endpoints: Endpoints
) -> Front:
    """Before a store that is spoken to without TLS."""
    return Front(partial(reach, endpoints.ports[behind]), Door(gate_of(layout, endpoints)), None)


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in FRONTS:
        sys.exit(f"which front: {' or '.join(FRONTS)}?")
    try:
        main(sys.argv[1])
    except (SandboxError, OSError) as exc:
        sys.exit(f"{sys.argv[1]}: {exc}")
