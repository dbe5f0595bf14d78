"""Using a grant: bytes to and from another connection's store, no redirect followed, no signature told."""

import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import urllib3
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from activities.grant_errors import refusal, unreachable
from activities.grants import HostRules
from contracts.artifacts import ObjectStat
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.grants import ReadGrant, WriteGrant
from contracts.units import MIB

_TIMEOUT = urllib3.Timeout(connect=5, read=60)
_PIECE_BYTES = MIB
_CONNECTIONS = 16
_LIES_THERE = {409, 412}


class GrantClient:
    """Safe across threads; holds no credentials of its own and never goes through a proxy or a redirect."""

    def __init__(self, hosts: HostRules) -> None:
        self._hosts = hosts
        # The default context reads SSL_CERT_FILE, so that a private authority is honoured.
        self._pool = urllib3.PoolManager(
            maxsize=_CONNECTIONS, retries=False, timeout=_TIMEOUT, ssl_context=ssl.create_default_context()
        )

    def read(self, grant: ReadGrant, start: int = 0) -> Iterator[bytes]:
        """Stream the granted object from a byte on, in order; every byte arrives or an error does.

        Raises:
            ApplicationError: `SOURCE_MISSING`, `SOURCE_CHANGED`, `THROTTLED`, `ACCESS_DENIED` (a host this
                worker may not reach), `UNAVAILABLE` (a body that ends early, too; final if the grant is refused).
        """
        source = grant.source
        url = self._hosts.check(grant.url, source.uri)
        headers = {"Accept-Encoding": "identity", **grant.headers}
        if start:
            headers["Range"] = f"bytes={start}-"
        with _scrubbed(url.host, source.uri):
            response = self._pool.request(
                "GET", url.url, headers=headers, redirect=False, preload_content=False
            )
            try:
                if response.status != (206 if start else 200):
                    # Cloud Storage pins a version in the URL, and says of one that was replaced that it is not there.
                    pinned = "generation=" in (url.query or "")
                    raise refusal(response, url.host, source.uri, writing=False, pinned=pinned)
                yield from _whole(response, source, source.size_bytes - start)
            finally:
                # A connection with bytes left on it must not be used again.
                response.close()
                response.release_conn()

    def write(self, grant: WriteGrant, content: Iterable[bytes]) -> bool:
        """Send one object through its grant; False when something lies there already: the commit judges it.

        Raises:
            ApplicationError: `ACCESS_DENIED`, `CHECKSUM_MISMATCH`, `THROTTLED`, `UNAVAILABLE`.
        """
        target = grant.intent.target
        url = self._hosts.check(grant.url, target)
        size = grant.intent.measure.source.size_bytes
        headers = {"Content-Length": str(size), **grant.headers}
        body = content if size else b""
        with _scrubbed(url.host, target):
            response = self._pool.request(
                grant.method, url.url, headers=headers, body=body, redirect=False, preload_content=False
            )
            try:
                if response.status in _LIES_THERE:
                    return _already_there(response, url.host, target)
                if not 200 <= response.status < 300:
                    raise refusal(response, url.host, target, writing=True)
                return True
            finally:
                response.close()
                response.release_conn()


def _already_there(response: BaseHTTPResponse, host: str | None, target: str) -> bool:
    error = refusal(response, host, target, writing=True)
    if error.type == ErrorKind.TARGET_CONFLICT:
        return False
    raise error


def _whole(response: BaseHTTPResponse, source: ObjectStat, expected: int) -> Iterator[bytes]:
    said = response.headers.get("Content-Length")
    if said is not None and said.isdigit() and int(said) != expected:
        raise _changed(source, int(said), expected)
    left = expected
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
