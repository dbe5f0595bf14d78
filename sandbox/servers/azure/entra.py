"""Entra ID as a client-credentials application sees it: discovery, keys and the token endpoint.

Only what `azure-identity` needs for an application with a secret; no users, no consent, no roles.
"""

from __future__ import annotations

import hmac
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.layout import Endpoints
from sandbox.servers.azure.tokens import LIFETIME_SECONDS, TokenAuthority

MANAGEMENT = "https://management.azure.com"
STORAGE = "https://storage.azure.com"
MONITOR = "https://monitor.azure.com"
MACHINE_LEARNING = "https://ml.azure.com"
CLOUD_SUFFIX = "localhost"
"""What the SDK appends to `https://ml.azure.` after it has read our cloud metadata."""


class Refused(Exception):
    """The token endpoint says no. Codes and status as Entra's error reference lists them (AADSTS...)."""

    def __init__(self, status: int, error: str, code: int, message: str) -> None:
        """`error` is the OAuth name, `code` the number behind AADSTS."""
        super().__init__(message)
        self.status, self.error, self.code, self.message = status, error, code, message


@dataclass(frozen=True)
class Entra:
    """One tenant with one application."""

    endpoints: Endpoints
    authority: TokenAuthority

    def routes(self) -> list[Route]:
        """Discovery, keys and the token endpoint."""
        return [
            Route("/common/discovery/instance", self._instance_discovery, name="Entra.InstanceDiscovery"),
            Route(
                "/{tenant}/v2.0/.well-known/openid-configuration",
                self._configuration,
                name="Entra.Configuration",
            ),
            Route(
                "/{tenant}/.well-known/openid-configuration", self._configuration, name="Entra.Configuration"
            ),
            Route("/{tenant}/discovery/v2.0/keys", self._keys, name="Entra.Keys"),
            Route("/{tenant}/oauth2/v2.0/token", self._token, methods=["POST"], name="Entra.Token"),
        ]

    def audience(self, resource: str) -> str | None:
        """The `aud` of tokens for a resource, or None when the tenant knows no such resource."""
        known = {
            STORAGE: STORAGE,
            MONITOR: MONITOR,
            MANAGEMENT: MANAGEMENT,
            "https://management.core.windows.net": MANAGEMENT,
            # In a cloud known by metadata the SDK asks for the resource manager's own address.
            self.endpoints.azure_url: MANAGEMENT,
            MACHINE_LEARNING: MACHINE_LEARNING,
            f"https://ml.azure.{CLOUD_SUFFIX}": MACHINE_LEARNING,
            # By the portal's name, as in every public cloud: `portal.azure.us` is beside `ml.azure.us`.
            f"https://ml.sandbox.{CLOUD_SUFFIX}": MACHINE_LEARNING,
        }
        return known.get(resource.rstrip("/"))

    async def _instance_discovery(self, request: Request) -> Response:
        tenant_url = f"{self.endpoints.azure_url}/{self.endpoints.azure_tenant_id}"
        return JSONResponse(
            {
                "tenant_discovery_endpoint": f"{tenant_url}/v2.0/.well-known/openid-configuration",
                "api-version": "1.1",
                "metadata": [],
            }
        )

    async def _configuration(self, request: Request) -> Response:
        if (refused := self._wrong_tenant(request)) is not None:
            return refused
        base = f"{self.endpoints.azure_url}/{self.endpoints.azure_tenant_id}"
        return JSONResponse(
            {
                "issuer": f"{base}/v2.0",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
                "response_types_supported": ["code"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": ["openid"],
            }
        )

    async def _keys(self, request: Request) -> Response:
        return JSONResponse(self.authority.key_set())

    async def _token(self, request: Request) -> Response:
        if (refused := self._wrong_tenant(request)) is not None:
            return refused
        fields = {name: values[-1] for name, values in parse_qs((await request.body()).decode()).items()}
        try:
            token = self._grant(fields)
        except Refused as exc:
            return _refusal(exc)
        return JSONResponse(
            {
                "token_type": "Bearer",
                "expires_in": LIFETIME_SECONDS,
                "ext_expires_in": LIFETIME_SECONDS,
                "expires_on": int(time.time()) + LIFETIME_SECONDS,
                "access_token": token,
            },
            headers={"Cache-Control": "no-store"},
        )

    def _grant(self, fields: dict[str, str]) -> str:
        if fields.get("grant_type") != "client_credentials":
            raise Refused(400, "unsupported_grant_type", 70003, "only client_credentials is supported here")
        client_id = fields.get("client_id", "")
        if not hmac.compare_digest(client_id, self.endpoints.azure_client_id):
            text = f"Application with identifier '{client_id}' was not found in the directory."
            raise Refused(400, "unauthorized_client", 700016, text)
        if not hmac.compare_digest(fields.get("client_secret", ""), self.endpoints.azure_client_secret):
            raise Refused(
                401, "invalid_client", 7000215, f"Invalid client secret provided for app '{client_id}'."
            )
        scope = fields.get("scope", "")
        # The flow of an application takes one resource, and all the rights it holds there.
        scopes = [part for part in scope.split() if part not in ("openid", "profile", "offline_access")]
        if len(scopes) != 1 or not scopes[0].endswith("/.default"):
            text = f"The provided value for scope '{scope}' is not valid: one resource with /.default."
            raise Refused(400, "invalid_scope", 1002012, text)
        audience = self.audience(scopes[0].removesuffix("/.default"))
        if audience is None:
            text = f"The resource principal of '{scopes[0]}' was not found in the tenant."
            raise Refused(400, "invalid_resource", 500011, text)
        return self.authority.issue(client_id, audience)

    def _wrong_tenant(self, request: Request) -> Response | None:
        tenant = request.path_params["tenant"]
        if tenant == self.endpoints.azure_tenant_id:
            return None
        return _refusal(Refused(400, "invalid_request", 90002, f"Tenant '{tenant}' not found."))


def _refusal(refused: Refused) -> Response:
    trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    text = f"AADSTS{refused.code}: {refused.message} Trace ID: {trace} Correlation ID: {correlation}"
    return JSONResponse(
        {
            "error": refused.error,
            "error_description": f"{text} Timestamp: {now}",
            "error_codes": [refused.code],
            "timestamp": now,
            "trace_id": trace,
            "correlation_id": correlation,
        },
        refused.status,
    )
