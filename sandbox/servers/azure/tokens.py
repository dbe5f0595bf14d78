"""The signing half of the stand-in for Entra: one RSA key, the tokens it signs, and their verification."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from sandbox.layout import write_private

LIFETIME_SECONDS = 3599
CLOCK_SKEW_SECONDS = 300


class TokenAuthority:
    """Signs and checks access tokens for one tenant. The key outlives a restart, and so do tokens."""

    def __init__(self, state: Path, tenant_id: str) -> None:
        """Use the key in the folder `state`, made when there is none."""
        self.tenant_id = tenant_id
        self._key = _load_or_make_key(state / "signing_key.pem")
        public = self._key.public_key()
        self._public = public
        self._jwk = RSAAlgorithm.to_jwk(public, as_dict=True)
        # A key id that follows from the key: a restarted server names its old key as before.
        self._key_id = uuid.uuid5(uuid.NAMESPACE_OID, str(self._jwk["n"])).hex

    @property
    def issuer(self) -> str:
        """The issuer Azure Storage and ARM know: that of version 1.0 tokens."""
        return f"https://sts.windows.net/{self.tenant_id}/"

    def issue(self, client_id: str, audience: str) -> str:
        """A version 1.0 access token of an application, good for `LIFETIME_SECONDS` from now."""
        now = int(time.time())
        subject = str(uuid.uuid5(uuid.NAMESPACE_OID, client_id))
        claims = {
            "aud": audience,
            "iss": self.issuer,
            "iat": now,
            # Entra dates tokens back too: a client's clock may lag.
            "nbf": now - CLOCK_SKEW_SECONDS,
            "exp": now + LIFETIME_SECONDS,
            "appid": client_id,
            "appidacr": "1",
            "idp": self.issuer,
            "idtyp": "app",
            "oid": subject,
            "sub": subject,
            "tid": self.tenant_id,
            "uti": uuid.uuid4().hex,
            "ver": "1.0",
        }
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": self._key_id})

    def verify(self, token: str, audiences: list[str]) -> dict[str, Any]:
        """The claims of a token we signed that is in its lifetime and meant for one of `audiences`.

        Raises:
            jwt.InvalidTokenError: It is not; the subclass says why.
        """
        claims: dict[str, Any] = jwt.decode(
            token,
            self._public,
            algorithms=["RS256"],
            audience=audiences,
            issuer=self.issuer,
            options={"require": ["exp", "nbf", "aud", "iss", "appid"]},
        )
        return claims

    def key_set(self) -> dict[str, Any]:
        """The public key as Entra publishes it (RFC 7517)."""
        return {"keys": [{**self._jwk, "use": "sig", "kid": self._key_id, "issuer": self.issuer}]}


def _load_or_make_key(path: Path) -> rsa.RSAPrivateKey:
    if path.exists():
        loaded = serialization.load_pem_private_key(path.read_bytes(), password=None)
        if isinstance(loaded, rsa.RSAPrivateKey):
            return loaded
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_private(path, pem.decode())
    return key
