"""Using a grant: bytes to and from another connection's store, no redirect followed, no signature told."""

import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import urllib3
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from activities import whole_answers
from activities.grant_errors import refusal, unreachable
from activities.grants import HostRules
from activities.noted import Noted, check_version, noted_in
from contracts.artifacts import ObjectStat
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.grants import PartGrant, ReadGrant, WriteGrant
from contracts.units import MIB

_TIMEOUT = urllib3.Timeout(connect=5, read=60)
_PIECE_BYTES = MIB
_CONNECTIONS = 64
_LIES_THERE = {409, 412}
_ANSWER_BYTES = 64 * 1024


class GrantClient:
    """Safe across threads; holds no credentials of its own and never goes through a proxy or a redirect."""

    def __init__(self, hosts: HostRules) -> None:
        self._hosts = hosts
        # The default context reads SSL_CERT_FILE, so that a private authority is honoured.
        self._pool = urllib3.PoolManager(
            maxsize=_CONNECTIONS, retries=False, timeout=_TIMEOUT, ssl_context=ssl.create_default_context()
        )
        whole_answers.demanded_of(self._pool)

    @contextmanager
    def reading(self, grant: ReadGrant, start: int = 0, size_bytes: int | None = None) -> Iterator["Reading"]:
        """Open so many bytes of the granted object, or all to its end; every byte arrives or an error does.

        Raises:
            ApplicationError: `SOURCE_MISSING`, `SOURCE_CHANGED`, `THROTTLED`, `ACCESS_DENIED` (a host this
                worker may not reach), `UNAVAILABLE` (a body that ends early, too; final if the grant is refused).
        """
        source = grant.source
        wanted = source.size_bytes - start if size_bytes is None else size_bytes
        url = self._hosts.check(grant.url, source.uri)
        headers = {"Accept-Encoding": "identity", **grant.headers}
        ranged = wanted < source.size_bytes
        if ranged:
            headers["Range"] = f"bytes={start}-{start + wanted - 1}"
        with _scrubbed(url.host, source.uri):
            response = self._pool.request(
                "GET", url.url, headers=headers, redirect=False, preload_content=False
            )
        try:
            if response.status != (206 if ranged else 200):
                # Cloud Storage pins a version in the URL, and says of one that was replaced that it is not there.
                pinned = "generation=" in (url.query or "")
                raise refusal(
                    response,
                    url.host,
                    source.uri,
                    expires_at=grant.expires_at,
                    writing=False,
                    pinned=pinned,
                )
            check_version(response.headers, grant)
            yield Reading(noted_in(response.headers), _whole(response, url.host, source, wanted))
        finally:
            # What was read to its end is back in the pool; a connection with bytes left on it must not be used again.
            response.close()
            response.release_conn()

    def noted(self, grant: ReadGrant) -> Noted:
        """Return what the source's store notes on the granted object, for the price of one byte; see `reading`."""
        with self.reading(grant, 0, min(1, grant.source.size_bytes)) as reading:
            for _ in reading.pieces:
                pass
            return reading.noted

    def write_part(self, grant: PartGrant, ref: str, content: bytes) -> None:
        """Send one part through its grant; one that lies there already is judged when the parts are sealed.

        Raises:
            ApplicationError: `ACCESS_DENIED`, `CHECKSUM_MISMATCH`, `THROTTLED`, `UNAVAILABLE`.
        """
        self._send(grant, ref, content, len(content))

    def write(self, grant: WriteGrant, content: Iterable[bytes]) -> bool:
        """Send one object through its grant; False when something lies there already: the commit judges it.

        Raises:
            ApplicationError: `ACCESS_DENIED`, `CHECKSUM_MISMATCH`, `THROTTLED`, `UNAVAILABLE`.
        """
        size = grant.intent.measure.source.size_bytes
        return self._send(grant, grant.intent.target, content if size else b"", size)

    def _send(
        self, grant: PartGrant | WriteGrant, ref: str, body: bytes | Iterable[bytes], size: int
    ) -> bool:
        url = self._hosts.check(grant.url, ref)
        sent = {"Content-Length": str(size), **grant.headers}
        with _scrubbed(url.host, ref):
            response = self._pool.request(
                grant.method, url.url, headers=sent, body=body, redirect=False, preload_content=False
            )
            try:
                if not 200 <= response.status < 300:
                    error = refusal(response, url.host, ref, expires_at=grant.expires_at, writing=True)
                    if response.status in _LIES_THERE and error.type == ErrorKind.TARGET_CONFLICT:
                        return False
                    raise error
                response.read(_ANSWER_BYTES)
                return True
            finally:
                response.close()
                response.release_conn()


@dataclass(frozen=True)
class Reading:
    """An object, or some of it, on its way in."""

    noted: Noted
    pieces: Iterator[bytes]
    """In order, of at most 1 MiB."""


def _whole(
    response: BaseHTTPResponse, host: str | None, source: ObjectStat, expected: int
) -> Iterator[bytes]:
    said = response.headers.get("Content-Length")
    if said is not None and said.isdigit() and int(said) != expected:
        raise _changed(source, int(said), expected)
    left = expected
    with _scrubbed(host, source.uri):
        for piece in response.stream(_PIECE_BYTES, decode_content=False):
            left -= len(piece)
            if left < 0:
                raise _changed(source, expected - left, expected)
            yield piece
    if left:
        told = f"the body of {source.uri} ended {left} bytes early"
        raise failure(ErrorKind.UNAVAILABLE, told, ErrorDetail(ref=source.uri, code="TRUNCATED"))


def _changed(source: ObjectStat, found: int, expected: int) -> Exception:
    told = f"{source.uri} now has {found} bytes instead of {expected}; it changed while it was copied"
    return failure(ErrorKind.SOURCE_CHANGED, told, ErrorDetail(ref=source.uri))


@contextmanager
def _scrubbed(host: str | None, ref: str) -> Iterator[None]:
    try:
        yield
    except (HTTPError, OSError) as error:
        raise unreachable(error, host, ref) from None
