"""V4 signed URLs of Cloud Storage, checked as the service checks them.

https://cloud.google.com/storage/docs/authentication/signatures and .../authentication/canonical-requests
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote

import h11
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

SIGNATURE = "X-Goog-Signature"
_ALGORITHM = "GOOG4-RSA-SHA256"
_LONGEST = timedelta(days=7)
_EARLY = timedelta(minutes=15)
_UNSIGNED = "UNSIGNED-PAYLOAD"
_SPACES = re.compile(r"\s+")


class Refused(Exception):
    """A signed URL that the service does not accept, with its own code and status."""

    def __init__(self, status: int, code: str, message: str, details: str) -> None:
        super().__init__(details)
        self.status = status
        self.code = code
        self.message = message


def now() -> datetime:
    """The time."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class SignedUrls:
    """What one service account has signed."""

    email: str
    key: rsa.RSAPublicKey
    clock: Callable[[], datetime] = now

    def check(self, request: h11.Request) -> None:
        """Return if the account signed this very request, and not too long ago.

        Raises:
            Refused: it did not, it is over, or a parameter is missing or none.
        """
        path, _, query = request.target.decode("latin-1").partition("?")
        asked = parse_qsl(query, keep_blank_values=True)
        told = {name.lower(): value for name, value in asked}
        scope = self._scope(told)
        names = [name for name in told.get("x-goog-signedheaders", "").split(";") if name]
        if "host" not in names:
            raise _malformed("X-Goog-SignedHeaders must name host.")
        self._check_times(told)
        headers = _headers(request)
        canonical = "\n".join(
            (
                request.method.decode(),
                path,
                _canonical_query(asked),
                *(f"{name}:{headers.get(name, '')}" for name in sorted(names)),
                "",
                told["x-goog-signedheaders"],
                headers.get("x-goog-content-sha256", _UNSIGNED)
                if "x-goog-content-sha256" in names
                else _UNSIGNED,
            )
        )
        digest = hashlib.sha256(canonical.encode("latin-1")).hexdigest()
        self._verify(told[SIGNATURE.lower()], "\n".join((_ALGORITHM, told["x-goog-date"], scope, digest)))

    def _scope(self, told: dict[str, str]) -> str:
        if told.get("x-goog-algorithm") != _ALGORITHM:
            raise _malformed(f"X-Goog-Algorithm must be {_ALGORITHM}.")
        account, _, scope = told.get("x-goog-credential", "").partition("/")
        day, *rest = scope.split("/")
        if len(rest) != 3 or rest[1:] != ["storage", "goog4_request"]:
            raise _malformed("X-Goog-Credential has no scope of Cloud Storage.")
        if not told.get("x-goog-date", "").startswith(day):
            raise _malformed("X-Goog-Credential is of another day than X-Goog-Date.")
        if account != self.email:
            raise _mismatch()
        return scope

    def _check_times(self, told: dict[str, str]) -> None:
        try:
            began = datetime.strptime(told.get("x-goog-date", ""), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            life = timedelta(seconds=int(told.get("x-goog-expires", "")))
        except ValueError:
            raise _malformed("X-Goog-Date and X-Goog-Expires must be a time and seconds.") from None
        if not timedelta(0) < life <= _LONGEST:
            raise _malformed("X-Goog-Expires must be from 1 to 604800 seconds.")
        if began > self.clock() + _EARLY:
            raise _malformed("X-Goog-Date lies in the future.")
        if began + life <= self.clock():
            ended = (began + life).isoformat()
            details = f"The provided token has expired. Request signature expired at: {ended}"
            raise Refused(400, "ExpiredToken", "Invalid argument.", details)

    def _verify(self, signature: str, signed: str) -> None:
        try:
            self.key.verify(bytes.fromhex(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        except (InvalidSignature, ValueError):
            raise _mismatch() from None


def is_signed(request: h11.Request) -> bool:
    """Whether a request carries a signature in its URL."""
    return f"{SIGNATURE}=".encode().lower() in request.target.lower()


def _headers(request: h11.Request) -> dict[str, str]:
    """Return the headers as they are signed: of one name joined, spaces folded."""
    found: dict[str, str] = {}
    for raw, value in request.headers:
        name, text = raw.decode(), _SPACES.sub(" ", value.decode("latin-1")).strip()
        found[name] = f"{found[name]},{text}" if name in found else text
    return found


def _canonical_query(asked: list[tuple[str, str]]) -> str:
    pairs = sorted(
        (quote(name, safe="~"), quote(value, safe="~"))
        for name, value in asked
        if name.lower() != SIGNATURE.lower()
    )
    return "&".join(f"{name}={value}" for name, value in pairs)


def _mismatch() -> Refused:
    details = "The request signature we calculated does not match the signature you provided."
    return Refused(
        403,
        "SignatureDoesNotMatch",
        "Access denied.",
        f"{details} Check your Google secret key and signing method.",
    )


def _malformed(details: str) -> Refused:
    return Refused(400, "AuthenticationQueryParametersError", "Invalid argument.", details)
