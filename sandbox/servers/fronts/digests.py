"""What an upload says its content comes to: fake-gcs-server takes what it is sent, Cloud Storage compares."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from itertools import chain
from urllib.parse import parse_qs, urlsplit

import google_crc32c
import h11

from sandbox.servers.fronts.messages import text_of

_HEAD_BYTES = 64 * 1024
_BOUNDARY = re.compile(r'boundary="?([^";]+)"?')
_HEADER = re.compile(r"crc32c=([A-Za-z0-9+/=]+)")


class Mismatch(Exception):
    """The content is not what its sender said it is; its last bytes were not passed on."""

    def __init__(self, said: str, found: str) -> None:
        super().__init__(f'Provided CRC32C "{said}" doesn\'t match calculated CRC32C "{found}".')


def compared(request: h11.Request, body: Iterator[memoryview]) -> Iterator[memoryview]:
    """Pass a body on, the last of it only if its content has the CRC32C that a header or the metadata before it tell.

    Raises:
        Mismatch: it has another.
    """
    said = _HEADER.search(text_of(request, "x-goog-hash") or "")
    # A piece of an upload that was begun before carries the checksum of the whole.
    if request.method == b"PUT" and said and not text_of(request, "content-range"):
        return _whole(body, said[1], b"")
    kind = _BOUNDARY.search(text_of(request, "content-type") or "")
    query = parse_qs(urlsplit(request.target.decode("latin-1")).query)
    if query.get("uploadType") == ["multipart"] and kind:
        return _related(body, kind[1].encode())
    return body


def _related(body: Iterator[memoryview], boundary: bytes) -> Iterator[memoryview]:
    """Read the metadata that come first (RFC 2387), and compare the media that follow with them."""
    ahead = b""
    while len(ahead) < _HEAD_BYTES and ahead.count(b"\r\n\r\n") < 2 and (piece := next(body, None)):
        ahead += bytes(piece)
    head, metadata, *rest = [*ahead.split(b"\r\n\r\n", 2), b""]
    said = _said(metadata.rpartition(b"\r\n--" + boundary)[0]) if len(rest) > 1 else None
    begins = len(head) + len(metadata) + 8 if said else len(ahead)
    yield memoryview(ahead)[:begins]
    media = chain([memoryview(ahead)[begins:]], body)
    yield from _whole(media, said, b"\r\n--" + boundary + b"--") if said else body


def _said(metadata: bytes) -> str | None:
    try:
        return str(json.loads(metadata)["crc32c"])
    except (ValueError, KeyError, TypeError):
        return None


def _whole(body: Iterator[memoryview], said: str, trailer: bytes) -> Iterator[memoryview]:
    """Compare all that comes before a trailer, which a line break may follow."""
    keep, tail, crc = len(trailer) + 2, b"", 0
    for piece in body:
        come = tail + bytes(piece)
        cut = max(0, len(come) - keep)
        crc = google_crc32c.extend(crc, come[:cut])
        yield memoryview(come)[:cut]
        tail = come[cut:]
    content = tail[: tail.rfind(trailer)] if trailer else tail
    found = base64.b64encode(google_crc32c.extend(crc, content).to_bytes(4, "big")).decode()
    if found != said:
        raise Mismatch(said, found)
    yield memoryview(tail)
