"""How requests reach the methods: the vendor's own routes, who may call, and where."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.layout import Endpoints
from sandbox.servers.rights.of_vertex import needs, permission
from sandbox.servers.rights.planted import Need, Rights
from sandbox.servers.vertex.errors import GoogleError, error_info
from sandbox.servers.vertex.messages import read_json
from sandbox.servers.vertex.tokens import CLOUD_PLATFORM, TokenOffice, require_caller
from sandbox.servers.vertex.vendor_types import RestRoute, rest_route

SERVICE = "aiplatform.googleapis.com"

Handler = Callable[[str, dict[str, Any], dict[str, str]], dict[str, Any]]
"""Is given the resource's name, the body and the query."""


class Gateway:
    """The sandbox's project and location, for whom the office recognises."""

    def __init__(self, office: TokenOffice, endpoints: Endpoints, rights: Rights) -> None:
        self._office = office
        self._rights = rights
        self._location = f"projects/{endpoints.gcp_project}/locations/{endpoints.gcp_location}"

    def routes(self, service: str, methods: dict[str, Handler]) -> list[Route]:
        """The routes of the vendor's generated client for these methods of a service."""
        return [self._route(rest_route(name, service), name, handler) for name, handler in methods.items()]

    def route(self, method: str, path: str, name: str, handler: Handler) -> Route:
        """A route below the API's version that the vendor's client shares among services."""
        described = RestRoute(method, f"/v1/{path}", "name", path.partition(":")[0], None)
        return self._route(described, name, handler)

    def require(self, request: Request, method: str, resource: str) -> None:
        """Pass a caller who may do this here.

        Raises:
            GoogleError: `UNAUTHENTICATED`, `PERMISSION_DENIED`.
        """
        require_caller(request, self._office, SERVICE, frozenset({CLOUD_PLATFORM}))
        if resource == self._location or resource.startswith(f"{self._location}/"):
            return
        raise GoogleError(
            "PERMISSION_DENIED",
            f"Permission '{permission(method, resource)}' denied on resource '//{SERVICE}/{resource}' (or it may not exist).",
        )

    def require_rights(self, method: str, resource: str, body: dict[str, Any]) -> None:
        """Pass who may do this with what the request tells.

        Raises:
            GoogleError: `PERMISSION_DENIED`.
        """
        missing = self._rights.lacking(needs(method, resource, body))
        if missing:
            raise denied(missing)

    def _route(self, described: RestRoute, method: str, handler: Handler) -> Route:
        endpoint = self._endpoint(method, described, handler)
        return Route(described.path, endpoint, methods=[described.method], name=method)

    def _endpoint(
        self, method: str, described: RestRoute, handler: Handler
    ) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            resource = described.name.format(**request.path_params)
            request.state.resource = resource
            try:
                self.require(request, method, resource)
                body = read_json(await request.body()) if described.body else {}
                self.require_rights(method, resource, body)
                result = await run_in_threadpool(handler, resource, body, dict(request.query_params))
            except GoogleError as refused:
                return refused.response()
            request.state.resource = result.get("name", resource)
            return JSONResponse(result)

        return answer


def denied(need: Need) -> GoogleError:
    """What IAM has Google's services answer."""
    resource = f"//{need.thing.service}/{need.thing.name}"
    text = f"Permission '{need.permission}' denied on resource '{resource}' (or it may not exist)."
    told = error_info("IAM_PERMISSION_DENIED", permission=need.permission, resource=need.thing.name)
    return GoogleError("PERMISSION_DENIED", text, [told])
