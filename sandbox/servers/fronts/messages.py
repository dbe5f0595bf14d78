"""What a front reads from the heads of messages, and what it says itself."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

import h11

# Of one connection, not of the message: https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
_OF_THE_CONNECTION = {b"connection", b"keep-alive", b"proxy-connection", b"trailer", b"upgrade"}
_BODILESS = {204, 304}

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Reply:
    """An answer that a front gives instead of the server behind it."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Substitute:
    """A request that goes to the server in place of the client's, with content of its own."""

    request: h11.Request
    length: int
    pieces: Iterator[memoryview]
    """So many bytes in all; raises `Lost` when they do not come."""


class Lost(Exception):
    """The content of a substitute ended early; the client is told so."""

    def __init__(self, reply: Reply) -> None:
        super().__init__("the content was lost on its way")
        self.reply = reply


def text_of(message: h11.Request | h11.Response, name: str) -> str | None:
    """Return a header's value, the first if there are several."""
    wanted = name.encode().lower()
    return next((value.decode("latin-1") for key, value in message.headers if key == wanted), None)


def forwarded(message: h11.Request | h11.Response, *, without: Collection[bytes] = ()) -> Headers:
    """Return the headers that travel on, as they were written, but for those named in lower case."""
    left_out = {*_OF_THE_CONNECTION, *without}
    return [(name, value) for name, value in message.headers.raw_items() if name.lower() not in left_out]


def request_length(request: h11.Request) -> int | None:
    """Return how long a request's body is; None where only its chunks tell."""
    if text_of(request, "transfer-encoding"):
        return None
    return int(text_of(request, "content-length") or 0)


def response_length(response: h11.Response, method: bytes) -> int | None:
    """Return how long an answer's body is; None where its chunks, or the end of the connection, tell."""
    if method == b"HEAD" or response.status_code in _BODILESS:
        return 0
    length = text_of(response, "content-length")
    return int(length) if length and not text_of(response, "transfer-encoding") else None


def keeps_alive(message: h11.Request | h11.Response) -> bool:
    """Whether its sender means to use the connection again."""
    options = (text_of(message, "connection") or "").lower().replace(" ", "").split(",")
    return message.http_version >= b"1.1" and "close" not in options


def ends_with_connection(response: h11.Response, method: bytes) -> bool:
    """Whether only the end of the connection ends this answer."""
    return response_length(response, method) is None and not text_of(response, "transfer-encoding")
