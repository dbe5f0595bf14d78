"""The worker's identity, which tells a refusal from an authority that does not answer."""

import base64
import json
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from azure.core.credentials import AccessToken, AccessTokenInfo
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.core.pipeline.transport import RequestsTransport

NEEDS: dict[str, tuple[str, ...]] = {"get_token": (), "get_token_info": ()}
"""A token is given to whoever is known; what it opens is another matter."""
MACHINE_METADATA = "169.254.169.254"
"""Where a machine in Azure asks who it is; elsewhere its silence is no outage."""
_NAMES = ("upn", "app_displayname", "appid", "azp", "oid", "sub")
"""Claims that name who a token is for, the most readable first."""


def claims_of(token: str) -> dict[str, Any]:
    """Return what a token says of its holder. It is ours and only read, so nothing is verified."""
    try:
        body = token.split(".")[1]
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (IndexError, ValueError):
        return {}
    return claims


def name_in(claims: Mapping[str, Any]) -> str:
    """Return who the token with these claims is for; nothing where it does not say."""
    return next((str(claims[name]) for name in _NAMES if claims.get(name)), "")


class NotingTransport(RequestsTransport):  # type: ignore[misc] # azure-core exports it lazily, hence untyped
    """A transport that remembers, for each thread, the network failure of its last request."""

    def __init__(self, **options: Any) -> None:
        """Take the options of `RequestsTransport`."""
        super().__init__(**options)
        self._noted = threading.local()

    @property
    def failure(self) -> AzureError | None:
        """The failure of this thread's last request, if it had one."""
        return getattr(self._noted, "failure", None)

    def forget(self) -> None:
        """Start afresh in this thread."""
        self._noted.failure = None

    def send(self, request: Any, **options: Any) -> Any:
        """Send as ever."""
        self.forget()
        try:
            answer = super().send(request, **options)
        except (ServiceRequestError, ServiceResponseError) as exc:
            if urlsplit(request.url).hostname != MACHINE_METADATA:
                self._noted.failure = exc
            raise
        if answer.status_code is not None and answer.status_code >= 500:
            self._noted.failure = ServiceResponseError(f"the authority answered {answer.status_code}")
        return answer


class WorkerIdentity:
    """Tokens from a chain of credentials, which calls every failure a failed authentication, also one of the network.

    Implements `TokenCredential` and `SupportsTokenInfo` of azure-core.
    """

    def __init__(self, chain: Any, transport: NotingTransport) -> None:
        """Ask this chain, which sends through this transport."""
        self._chain = chain
        self._transport = transport

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """Return a token.

        Raises:
            ClientAuthenticationError: refused, or no credential is configured.
            AzureError: the authority could not be reached.
        """
        found: AccessToken = self._ask(self._chain.get_token, *scopes, **options)
        return found

    def get_token_info(self, *scopes: str, **options: Any) -> AccessTokenInfo:
        """See `get_token`."""
        found: AccessTokenInfo = self._ask(self._chain.get_token_info, *scopes, **options)
        return found

    def close(self) -> None:
        """Close the chain's connections."""
        self._chain.close()

    def _ask(self, method: Any, *scopes: str, **options: Any) -> Any:
        self._transport.forget()
        try:
            return method(*scopes, **options)
        except ClientAuthenticationError as exc:
            raise (self._transport.failure or exc) from None
