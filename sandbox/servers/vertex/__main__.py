"""`python -m sandbox.servers.vertex`: Google's token endpoint, jobs, models, endpoints and their logs on one port."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from sandbox.layout import Endpoints, Layout, SandboxError
from sandbox.servers.app import run
from sandbox.servers.faults import Faults
from sandbox.servers.machine import Machines
from sandbox.servers.records import Records
from sandbox.servers.rights.planted import Rights
from sandbox.servers.vertex.batches import batch_kind
from sandbox.servers.vertex.caretaker import Caretaker
from sandbox.servers.vertex.endpoints import EndpointMethods, in_use
from sandbox.servers.vertex.errors import GoogleError
from sandbox.servers.vertex.gateway import Gateway
from sandbox.servers.vertex.job_kinds import CUSTOM
from sandbox.servers.vertex.jobs import Jobs
from sandbox.servers.vertex.logs import LogEntries
from sandbox.servers.vertex.models import Models
from sandbox.servers.vertex.operations import Operations
from sandbox.servers.vertex.predictions import Predictions
from sandbox.servers.vertex.project import Project
from sandbox.servers.vertex.service import JobMethods
from sandbox.servers.vertex.tokens import TokenOffice, metadata_endpoint, token_endpoint

SERVER = "vertex"
METADATA = "/computeMetadata/v1/instance/service-accounts/default/token"
PUBLIC_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def main() -> None:
    """Serve until SIGTERM."""
    layout = Layout.from_environment()
    endpoints = Endpoints.load(layout)
    folder = layout.state / SERVER
    faults = Faults(layout.faults_of(SERVER))
    office = TokenOffice(endpoints.service_account_file, endpoints.google_token_url, folder / "token.key")
    operations = Operations(folder / "operations")
    records = Records(folder / "endpoints")
    models = Models(folder / "models", operations, partial(in_use, records))
    hosting = EndpointMethods(records, operations, models, faults)
    jobs = Jobs(folder, faults, CUSTOM)
    batches = Jobs(folder / "batch", faults, batch_kind(models.known, endpoints))
    servers = Machines(folder / "serving")
    caretaker = Caretaker(hosting, models, operations, servers, endpoints)
    rights = Rights.of(layout)
    gateway = Gateway(office, endpoints, rights)
    routes = [
        Route("/token", partial(token_endpoint, office=office), methods=["POST"], name="token"),
        Route(METADATA, partial(metadata_endpoint, office=office), methods=["GET"], name="metadata"),
        *JobMethods(jobs, faults).routes(gateway),
        *JobMethods(batches, faults).routes(gateway),
        *models.routes(gateway),
        *hosting.routes(gateway),
        Predictions(hosting, gateway).route(),
        *Project(folder / "project.json", office, endpoints, rights).routes(),
        LogEntries((jobs, batches), servers, office, endpoints, rights).route(),
        Route("/{path:path}", _no_such_method, methods=PUBLIC_METHODS, name="unknown"),
    ]
    for service in (jobs, batches):
        service.open()
    caretaker.start()

    def stop() -> None:
        caretaker.stop()
        batches.close()
        jobs.close()

    naming = partial(_operation_of, routes)
    run(SERVER, routes, on_stop=stop, fault_response=_fault_response, operation=naming)


def _operation_of(routes: Sequence[Route], request: Request) -> str:
    return next(route.name for route in routes if route.matches(request.scope)[0] is Match.FULL)


async def _no_such_method(request: Request) -> Response:
    return GoogleError(
        "UNIMPLEMENTED", f"The sandbox does not have {request.method} {request.url.path}."
    ).response()


def _fault_response(kind: str, request: Request) -> Response:
    if request.url.path == "/token":
        return Response("", status_code=429 if kind == "throttle" else 503)
    if kind == "throttle":
        metric = "Resource management (CRUD) requests"
        quota = f"Quota exceeded for quota metric '{metric}' of service 'aiplatform.googleapis.com'."
        return GoogleError("RESOURCE_EXHAUSTED", quota).response()
    return GoogleError("UNAVAILABLE", "The service is currently unavailable.").response()


if __name__ == "__main__":
    try:
        main()
    except SandboxError as exc:
        sys.exit(f"{SERVER}: {exc}")
