"""Put Block From URL for azurite, which reads no store but itself: the front reads the source, and puts the block."""

from __future__ import annotations

import ssl
import uuid
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

import h11

from sandbox.servers.fronts.fetching import Found, NoSuchRange, NotAnAddress, NotRead, Wanted, fetch
from sandbox.servers.fronts.messages import Headers, Lost, Reply, Substitute, forwarded, text_of
from sandbox.servers.journal import Journal

SOURCE = "x-ms-copy-source"
_AUTHORIZATION = "x-ms-copy-source-authorization"
# https://learn.microsoft.com/rest/api/storageservices/put-block-from-url#request-headers
_CONDITIONS = {
    "x-ms-source-if-match": "If-Match",
    "x-ms-source-if-none-match": "If-None-Match",
    "x-ms-source-if-modified-since": "If-Modified-Since",
    "x-ms-source-if-unmodified-since": "If-Unmodified-Since",
}
_CHECKSUMS = {
    "x-ms-source-content-md5": b"Content-MD5",
    "x-ms-source-content-crc64": b"x-ms-content-crc64",
}
"""The checksums of the source are those of the block, and azurite compares them."""
_UNMET = {304, 412}
_NOT_VERIFIED = "CannotVerifyCopySource"


class BlobGate:
    """Lets everything pass but blocks whose source lies in another store."""

    def __init__(self, trust: ssl.SSLContext, journal: Journal) -> None:
        """Trust sources with certificates of these authorities."""
        self._trust = trust
        self._journal = journal

    def judge(self, request: h11.Request) -> Reply | Substitute | None:
        """See `Gate`."""
        source = text_of(request, SOURCE)
        if source is None or not _puts_block(request) or _lies_here(source, request):
            return None
        try:
            found = fetch(_wanted(source, request), self._trust)
        except NotRead as error:
            return _refusal(error)
        if _is_another(found, text_of(request, "x-ms-source-if-match")):
            return _error(412, "SourceConditionNotMet", "The source is another version.")
        return Substitute(_put_block(request, found.length), found.length, _or_lost(found.pieces))

    def watch(self, request: h11.Request, body: Iterator[memoryview]) -> Iterator[memoryview]:
        """See `Gate`: azurite compares checksums itself."""
        return body

    def note(self, request: h11.Request, order: Reply | Substitute, status: int) -> None:
        """See `Gate`: whence blocks came, without what was signed."""
        self._journal.write(
            operation="PutBlockFromURL",
            path=urlsplit(request.target.decode("latin-1")).path,
            source=urlsplit(text_of(request, SOURCE) or "").netloc.rpartition("@")[2],
            bytes=order.length if isinstance(order, Substitute) else 0,
            status=status,
        )


def _puts_block(request: h11.Request) -> bool:
    query = parse_qs(urlsplit(request.target.decode("latin-1")).query)
    return request.method == b"PUT" and query.get("comp") == ["block"]


def _lies_here(source: str, request: h11.Request) -> bool:
    """Whether the source has the address that the request came to: azurite reads itself."""
    try:
        return urlsplit(source).netloc == text_of(request, "host")
    except ValueError:
        return False


def _wanted(source: str, request: h11.Request) -> Wanted:
    headers = {sent: told for name, sent in _CONDITIONS.items() if (told := text_of(request, name))}
    if authorization := text_of(request, _AUTHORIZATION):
        headers["Authorization"] = authorization
    return Wanted(source, headers, text_of(request, "x-ms-source-range"))


def _is_another(found: Found, expected: str | None) -> bool:
    """Whether the source is not the version asked for: not every store heeds the condition itself."""
    return expected not in (None, "*") and bool(found.etag) and found.etag.strip('"') != expected.strip('"')


def _put_block(request: h11.Request, length: int) -> h11.Request:
    """Make it an ordinary Put Block with the caller's own authorization."""
    own = {b"content-length", b"content-md5", b"transfer-encoding"}
    headers: Headers = [
        (name, value)
        for name, value in forwarded(request, without=own)
        if not name.lower().startswith((b"x-ms-copy-source", b"x-ms-source-"))
    ]
    headers.append((b"Content-Length", str(length).encode()))
    headers += [
        (sent, told.encode()) for name, sent in _CHECKSUMS.items() if (told := text_of(request, name))
    ]
    return h11.Request(method=request.method, target=request.target, headers=headers)


def _or_lost(pieces: Iterator[memoryview]) -> Iterator[memoryview]:
    try:
        yield from pieces
    except NotRead as error:
        raise Lost(_refusal(error)) from None


def _refusal(error: NotRead) -> Reply:
    """Say it as Azure does: https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes."""
    told = f"Could not verify the copy source: {error}."
    if isinstance(error, NotAnAddress):
        return _error(400, "InvalidHeaderValue", f"{SOURCE}: {error}.")
    if isinstance(error, NoSuchRange):
        return _error(416, "InvalidRange", f"x-ms-source-range: {error}.", error.status)
    if error.status in _UNMET:
        return _error(412, "SourceConditionNotMet", "The source condition is not met.", error.status)
    if error.status is None or error.status >= 500:
        return _error(500, _NOT_VERIFIED, told, error.status)
    # What the source refuses is refused alike; a redirect is followed by nobody.
    return _error(error.status if error.status >= 400 else 400, _NOT_VERIFIED, told, error.status)


def _error(status: int, code: str, message: str, source_status: int | None = None) -> Reply:
    headers = {
        "Content-Type": "application/xml",
        "x-ms-error-code": code,
        "x-ms-request-id": str(uuid.uuid4()),
    }
    headers |= {"x-ms-copy-source-status-code": str(source_status)} if source_status else {}
    text = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    return Reply(status, headers, f'<?xml version="1.0" encoding="utf-8"?>{text}'.encode())
