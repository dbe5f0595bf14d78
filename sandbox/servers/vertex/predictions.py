"""`rawPredict`: what is posted to an endpoint goes to its server as it is, and what that answers comes back so."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.servers.scoring import Scored, scored
from sandbox.servers.vertex.endpoints import EndpointMethods
from sandbox.servers.vertex.errors import GoogleError
from sandbox.servers.vertex.gateway import Gateway

PATH = "/v1/projects/{part0}/locations/{part1}/endpoints/{part2}:rawPredict"
LIMIT_BYTES = 1_500_000


class Predictions:
    """The one method of the PredictionService that exists here."""

    def __init__(self, endpoints: EndpointMethods, gateway: Gateway) -> None:
        self._endpoints = endpoints
        self._gateway = gateway

    def route(self) -> Route:
        """The method's route."""
        return Route(PATH, self._answer, methods=["POST"], name="RawPredict")

    async def _answer(self, request: Request) -> Response:
        parts = request.path_params
        name = f"projects/{parts['part0']}/locations/{parts['part1']}/endpoints/{parts['part2']}"
        request.state.resource = name
        body = await request.body()
        try:
            self._gateway.require(request, "RawPredict", name)
            self._gateway.require_rights("RawPredict", name, {})
            if len(body) > LIMIT_BYTES:
                told = f"The request size ({len(body)} bytes) exceeds {LIMIT_BYTES} bytes limit."
                raise GoogleError("INVALID_ARGUMENT", told)
            media_type = request.headers.get("content-type", "application/json")
            number, answer = await run_in_threadpool(self.scored, name, body, media_type)
        except GoogleError as refused:
            return refused.response()
        headers = {"X-Vertex-AI-Endpoint-Id": parts["part2"], "X-Vertex-AI-Deployed-Model-Id": number}
        if answer.retry_after:
            headers["Retry-After"] = answer.retry_after
        return Response(answer.body, answer.status, headers, answer.media_type)

    def scored(self, name: str, body: bytes, media_type: str) -> tuple[str, Scored]:
        """The deployed model's id and its answer.

        Raises:
            GoogleError: There is no such endpoint, nothing is deployed on it, or its server does not answer.
        """
        record = self._endpoints.known(name)
        for number, moving in record["Moving"].items():
            if moving["State"] == "Deployed":
                path = moving["Model"]["containerSpec"]["predictRoute"]
                try:
                    return number, scored(moving["Port"], path, body, {"Content-Type": media_type})
                except OSError:
                    raise GoogleError("UNAVAILABLE", "The model server does not answer.") from None
        raise GoogleError("FAILED_PRECONDITION", f"Endpoint {name} doesn't have traffic_split.")
