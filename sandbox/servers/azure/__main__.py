"""Entra, the resource manager and Azure ML on one TLS port: `python -m sandbox.servers.azure`."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from contextlib import ExitStack

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route

from sandbox.layout import Endpoints, Layout
from sandbox.servers import app
from sandbox.servers.azure.account import FRESH, Account
from sandbox.servers.azure.arm import ResourceManager
from sandbox.servers.azure.assets import Assets
from sandbox.servers.azure.batch import BatchEndpoints
from sandbox.servers.azure.batch_jobs import BatchJobs
from sandbox.servers.azure.care import Caretaker, inference
from sandbox.servers.azure.commands import Commands
from sandbox.servers.azure.entra import Entra
from sandbox.servers.azure.history import History
from sandbox.servers.azure.jobs import Jobs
from sandbox.servers.azure.models import Models
from sandbox.servers.azure.online import Online
from sandbox.servers.azure.records import JobStore
from sandbox.servers.azure.references import References
from sandbox.servers.azure.rights import SEEDED, opened
from sandbox.servers.azure.roles import Roles
from sandbox.servers.azure.runs import Runs
from sandbox.servers.azure.tokens import TokenAuthority
from sandbox.servers.azure.workspace import Workspace
from sandbox.servers.faults import Faults
from sandbox.servers.machine import Machines
from sandbox.servers.records import Records

SERVER = "azure"
RETRY_AFTER_SECONDS = 1


def main() -> None:
    """Serve until SIGTERM, then end all jobs. Those of a killed server go on, and the next one finds them."""
    layout = Layout.from_environment()
    endpoints = Endpoints.load(layout)
    state = layout.state / SERVER
    authority = TokenAuthority(state, endpoints.azure_tenant_id)
    rights = opened(layout, {**FRESH, **SEEDED})
    manager = ResourceManager(endpoints, authority, rights)
    assets = Assets(manager, state / "assets")
    commands = Commands(endpoints, References(endpoints), assets)
    store = JobStore(state / "jobs")
    machines, faults = Machines(state), Faults(layout.faults_of(SERVER))
    runs = Runs(store, machines, commands)
    models = Models(manager, References(endpoints), Records(state / "models"))
    kept = {kind: Records(state / kind) for kind in ("endpoints", "deployments", "operations")}
    online = Online(manager, assets, models, machines=machines, faults=faults, **kept)
    scored = {kind: Records(state / f"batch_{kind}") for kind in ("endpoints", "deployments")}
    batch = BatchEndpoints(manager, assets, models, **scored)
    caretaker = Caretaker(online)
    link_key = hashlib.sha256((state / "signing_key.pem").read_bytes()).digest()
    routes = [
        *Entra(endpoints, authority).routes(),
        *Workspace(manager).routes(),
        *Roles(manager, rights).routes(),
        *Account(manager, rights.kept).routes(),
        *assets.routes(),
        *Jobs(manager, store, runs, commands, faults).routes(),
        *models.routes(),
        *online.routes(),
        inference(online),
        *batch.routes(),
        *BatchJobs(batch, store, runs, commands, faults).routes(),
        *History(manager, store, runs, commands, link_key).routes(),
    ]
    runs.recover()
    online.resume()
    caretaker.start()
    with ExitStack() as stops:
        stops.callback(runs.close)
        stops.callback(caretaker.stop)
        _serve(routes, stops.pop_all().close)


def _serve(routes: list[Route], stop: Callable[[], None]) -> None:
    app.run(
        SERVER,
        routes,
        tls=True,
        on_stop=stop,
        fault_response=_misbehave,
        operation=lambda request: _operation(routes, request),
    )


def _operation(routes: list[Route], request: Request) -> str:
    """The name of the route that will serve the request, for faults and journal."""
    for route in routes:
        if route.matches(request.scope)[0] is Match.FULL:
            return route.name
    return "Unknown"


def _misbehave(kind: str, request: Request) -> Response:
    """Throttling and outage as the resource manager answers them: an error body, and when to come back."""
    headers = {"x-ms-request-id": str(uuid.uuid4()), "Retry-After": str(RETRY_AFTER_SECONDS)}
    if kind == "throttle":
        text = "The request is being throttled: the limit of requests for this subscription has been reached."
        return JSONResponse({"error": {"code": "TooManyRequests", "message": text}}, 429, headers)
    text = "The service is unavailable. Please retry the request."
    return JSONResponse({"error": {"code": "ServiceUnavailable", "message": text}}, 503, headers)


if __name__ == "__main__":
    main()
