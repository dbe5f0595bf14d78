"""HTTP answers that count only if their headers came to their end.

Python's own client takes a connection that ends among the headers for the end of the headers: a listing whose body never
came is an empty one then, and an object has lost its metadata. Of headers that it cannot read, urllib3 logs the request's
whole URL, signature included. Here both are a connection that broke.
"""

from email.errors import (
    FirstHeaderLineIsContinuationDefect,
    MalformedHeaderDefect,
    MissingHeaderBodySeparatorDefect,
)
from http.client import HTTPResponse
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

_END = (b"\r\n", b"\n")
_BROKEN = (MissingHeaderBodySeparatorDefect, FirstHeaderLineIsContinuationDefect, MalformedHeaderDefect)
"""Of headers; other defects are those of a mail whose body is still to come, as with any media type `multipart/...`."""


class WholeAnswer(HTTPResponse):
    """An answer that is refused unless the empty line after its headers came."""

    def begin(self) -> None:
        """Read status and headers.

        Raises:
            ConnectionResetError: the connection ended among them, or they are none.
        """
        file = self.fp
        lines: Any = _Lines(file)
        self.fp = lines
        try:
            super().begin()
        finally:
            # It is gone where the first line was none.
            self.fp = file if self.fp is lines else self.fp
        if lines.last not in _END or any(isinstance(defect, _BROKEN) for defect in self.msg.defects):
            raise ConnectionResetError("the connection ended among the headers")


class _Lines:
    """A file that remembers the last line it gave."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.last = b""

    def readline(self, limit: int = -1) -> bytes:
        """Read a line."""
        self.last = self._file.readline(limit)
        return self.last

    def close(self) -> None:
        """Close it."""
        self._file.close()


class _Plain(HTTPConnection):
    response_class = WholeAnswer


class _Secure(HTTPSConnection):
    response_class = WholeAnswer


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


def demanded_of(manager: PoolManager) -> None:
    """Have every connection that this manager will open demand whole answers."""
    manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}
