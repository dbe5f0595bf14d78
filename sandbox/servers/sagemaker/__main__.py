"""SageMaker's control plane, and Service Quotas of it, on one port: `python -m sandbox.servers.sagemaker`."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.layout import Endpoints, Layout
from sandbox.servers.app import run
from sandbox.servers.faults import Faults
from sandbox.servers.machine import Machines
from sandbox.servers.sagemaker import limits
from sandbox.servers.sagemaker.book import Book
from sandbox.servers.sagemaker.caretaker import Caretaker
from sandbox.servers.sagemaker.errors import AwsError
from sandbox.servers.sagemaker.hosting import Hosting
from sandbox.servers.sagemaker.invocations import INVOCATIONS, invocations, json_answer, refusal
from sandbox.servers.sagemaker.logs import CloudWatch
from sandbox.servers.sagemaker.service import Service
from sandbox.servers.sagemaker.signing import verify
from sandbox.servers.sagemaker.watcher import Watcher

SERVER = "sagemaker"
TARGET = "SageMaker."
FAULTS = {
    "throttle": AwsError("ThrottlingException", "Rate exceeded"),
    "unavailable": AwsError("ServiceUnavailable", "The service is unavailable. Please try again.", 503),
}


def main() -> None:
    """Serve until SIGTERM; then no job's process is left."""
    layout = Layout.from_environment()
    endpoints = Endpoints.load(layout)
    state = layout.state / SERVER
    machines, book = Machines(state), Book(state / "jobs")
    scope = f"arn:aws:sagemaker:{endpoints.aws_region}:{endpoints.aws_account_id}"
    faults, logs = Faults(layout.faults_of(SERVER)), CloudWatch(endpoints)
    hosting = Hosting(state / "hosting", machines, faults, scope)
    held = limits.Limits(state / "limits.json", endpoints.aws_region, endpoints.aws_account_id)
    service = Service(book, machines, faults, scope, hosting, held)
    watcher, caretaker = Watcher(book, machines, logs), Caretaker(hosting, machines, logs)
    service.resume()
    watcher.start()
    caretaker.start()

    def stop() -> None:
        caretaker.stop()
        machines.stop_all()
        watcher.stop()

    keys = {
        endpoints.aws_access_key_id: endpoints.aws_secret_access_key,
        endpoints.aws_root_access_key_id: endpoints.aws_root_secret_access_key,
    }
    routes = [
        Route("/", _endpoint(service, held, keys), methods=["POST"]),
        Route(INVOCATIONS, invocations(hosting, keys), methods=["POST"]),
    ]
    run(SERVER, routes, on_stop=stop, fault_response=_fault, operation=_operation)


def _endpoint(
    service: Service, held: limits.Limits, keys: dict[str, str]
) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        body = await request.body()
        try:
            verify(request.method, str(request.url), request.headers, body, keys)
            parameters = _parameters(body)
            request.state.resource = _resource(parameters)
            handle = held.handle if _of_quotas(request) else service.handle
            values = await run_in_threadpool(handle, _operation(request), parameters)
        except AwsError as error:
            return refusal(error)
        return json_answer(values, 200)

    return answer


def _parameters(body: bytes) -> dict[str, Any]:
    try:
        parameters = json.loads(body or b"{}")
    except ValueError:
        parameters = None
    if not isinstance(parameters, dict):
        raise AwsError("SerializationException", "the body is not a JSON object")
    return parameters


def _resource(parameters: dict[str, Any]) -> str | None:
    names = ("TrainingJobName", "ProcessingJobName", "TransformJobName", "EndpointName", "ResourceArn")
    return next((str(parameters[name]) for name in names if name in parameters), None)


def _operation(request: Request) -> str:
    if request.url.path.endswith("/invocations"):
        return "InvokeEndpoint"
    prefix = limits.TARGET if _of_quotas(request) else TARGET
    return request.headers.get("x-amz-target", "").removeprefix(prefix)


def _of_quotas(request: Request) -> bool:
    return request.headers.get("x-amz-target", "").startswith(limits.TARGET)


def _fault(kind: str, _request: Request) -> Response:
    return refusal(FAULTS[kind])


if __name__ == "__main__":
    main()
