"""Who may call: Google's OAuth token endpoint for one service account, and the check of bearer tokens.

A caller proves itself with the key of the generated service-account file: either it trades a signed
assertion for an access token (`POST /token`), or it sends a JWT it signed itself (AIP-4111), which is what
the generated clients do without scopes.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.layout import SandboxError, write_private
from sandbox.servers.vertex.errors import GoogleError, error_info

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# google-auth signs every assertion for this audience, whatever `token_uri` says.
GOOGLE_AUDIENCE = "https://oauth2.googleapis.com/token"
CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
ISSUER = "https://accounts.google.com"
LIFETIME_SECONDS = 3600
LEEWAY_SECONDS = 10


class InvalidGrant(Exception):
    """An assertion the token endpoint refuses, with OAuth's error code and a description."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


@dataclass(frozen=True)
class Caller:
    """Who sent a request, and what the token was made for."""

    email: str
    scopes: frozenset[str]
    audience: str | None


class TokenOffice:
    """Issues access tokens for the one service account, and recognises them later, also after a restart."""

    def __init__(self, service_account_file: Path, token_uri: str, secret_file: Path) -> None:
        """Know one service account; `secret_file` keeps, over restarts, what tokens are signed with."""
        account = _read_account(service_account_file)
        self.email: str = account["client_email"]
        private_key = load_pem_private_key(account["private_key"].encode(), password=None)
        self.public_key: Any = private_key.public_key()
        self._audiences = [GOOGLE_AUDIENCE, token_uri, account["token_uri"]]
        self._secret = _keep_secret(secret_file)

    def trade(self, assertion: str) -> dict[str, Any]:
        """An access token for a signed assertion, as the token endpoint's answer.

        Raises:
            InvalidGrant: The signature, issuer, audience, times or scopes are not what Google accepts.
        """
        claims = self._verified(assertion)
        if claims["exp"] - claims["iat"] > LIFETIME_SECONDS:
            raise InvalidGrant(
                "invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes)."
            )
        scope = str(claims.get("scope", ""))
        if not scope:
            raise InvalidGrant("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        return {
            "access_token": self._issue(scope),
            "expires_in": LIFETIME_SECONDS - 1,
            "token_type": "Bearer",
        }

    def lend(self) -> dict[str, Any]:
        """An access token for a container of ours, as the metadata server's answer: it may read the store, no more."""
        token = self._issue("https://www.googleapis.com/auth/devstorage.read_only")
        return {"access_token": token, "expires_in": LIFETIME_SECONDS - 1, "token_type": "Bearer"}

    def recognise(self, token: str) -> Caller | None:
        """Whom the token stands for, or None when it is forged, expired or not ours."""
        try:
            if jwt.get_unverified_header(token).get("alg") == "RS256":
                return self._self_signed(token)
            claims = jwt.decode(token, self._secret, algorithms=["HS256"], issuer=ISSUER)
        except (jwt.InvalidTokenError, KeyError):
            return None
        return Caller(claims["sub"], frozenset(claims["scope"].split()), None)

    def _verified(self, assertion: str) -> dict[str, Any]:
        try:
            return self._decode(assertion, audience=self._audiences)
        except jwt.InvalidIssuerError:
            raise InvalidGrant("invalid_grant", "Invalid grant: account not found") from None
        except jwt.InvalidSignatureError:
            raise InvalidGrant("invalid_grant", "Invalid JWT Signature.") from None
        except jwt.InvalidTokenError as exc:
            raise InvalidGrant("invalid_grant", f"Invalid JWT: {exc}") from None

    def _self_signed(self, token: str) -> Caller:
        # Its audience is the API it calls, which only the API knows.
        claims = self._decode(token, audience=None)
        return Caller(self.email, frozenset(claims.get("scope", "").split()), claims.get("aud"))

    def _decode(self, token: str, audience: list[str] | None) -> dict[str, Any]:
        claims: dict[str, Any] = jwt.decode(
            token,
            self.public_key,
            algorithms=["RS256"],
            issuer=self.email,
            leeway=LEEWAY_SECONDS,
            audience=audience,
            options={"require": ["iss", "iat", "exp"], "verify_aud": audience is not None},
        )
        return claims

    def _issue(self, scope: str) -> str:
        now = int(time.time())
        claims = {"iss": ISSUER, "sub": self.email, "scope": scope, "iat": now, "exp": now + LIFETIME_SECONDS}
        return jwt.encode({**claims, "jti": secrets.token_hex(8)}, self._secret, algorithm="HS256")


async def token_endpoint(request: Request, office: TokenOffice) -> Response:
    """`POST /token` of OAuth 2.0: trades an assertion for an access token."""
    form = parse_qs((await request.body()).decode("utf-8", "replace"))
    grant, assertion = form.get("grant_type", [""])[0], form.get("assertion", [""])[0]
    try:
        if grant != GRANT_TYPE:
            raise InvalidGrant("unsupported_grant_type", f"Invalid grant_type: {grant}")
        return JSONResponse(office.trade(assertion))
    except InvalidGrant as refused:
        return JSONResponse({"error": refused.error, "error_description": refused.description}, 400)


async def metadata_endpoint(request: Request, office: TokenOffice) -> Response:
    """`GET .../service-accounts/default/token` of the metadata server, which only what runs here can reach."""
    if request.headers.get("metadata-flavor") != "Google":
        return Response("Missing required header: Metadata-Flavor", status_code=403)
    return JSONResponse(office.lend(), headers={"Metadata-Flavor": "Google"})


def require_caller(request: Request, office: TokenOffice, service: str, scopes: frozenset[str]) -> Caller:
    """The caller of a Google API, proven by its bearer token.

    Raises:
        GoogleError: `UNAUTHENTICATED` without a good token, `PERMISSION_DENIED` when its scopes do not do.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if not token or scheme.lower() != "bearer":
        raise _unauthenticated(
            "Request is missing required authentication credential.", "CREDENTIALS_MISSING", service
        )
    caller = office.recognise(token.strip())
    if caller is None:
        raise _unauthenticated(
            "Request had invalid authentication credentials.", "ACCESS_TOKEN_TYPE_UNSUPPORTED", service
        )
    if caller.audience not in (None, f"https://{service}/"):
        raise _unauthenticated(
            "Request had invalid authentication credentials.", "JWT_INVALID_AUDIENCE", service
        )
    if caller.audience is None and not caller.scopes & scopes:
        reason = error_info("ACCESS_TOKEN_SCOPE_INSUFFICIENT", service=service)
        raise GoogleError("PERMISSION_DENIED", "Request had insufficient authentication scopes.", [reason])
    return caller


def _unauthenticated(what: str, reason: str, service: str) -> GoogleError:
    hint = "Expected OAuth 2 access token, login cookie or other valid authentication credential."
    return GoogleError("UNAUTHENTICATED", f"{what} {hint}", [error_info(reason, service=service)])


def _read_account(path: Path) -> dict[str, Any]:
    try:
        account: dict[str, Any] = json.loads(path.read_text())
        return {name: account[name] for name in ("client_email", "private_key", "token_uri")}
    except (OSError, ValueError, KeyError) as exc:
        raise SandboxError(
            f"the service account file {path} cannot be read ({exc!r}): `python -m sandbox up` writes it"
        ) from None


def _keep_secret(path: Path) -> bytes:
    if not path.exists():
        # The server of jobs and the front of the store may both be the first: one secret must win.
        made = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        write_private(made, secrets.token_hex(32))
        with contextlib.suppress(FileExistsError):
            os.link(made, path)
        made.unlink()
    return path.read_text().encode()
