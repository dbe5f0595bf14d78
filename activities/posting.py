"""Posting to a receiver that an operator named: https or this very machine, no redirect, no proxy, no address in an error."""

import ssl
from collections.abc import Mapping
from datetime import timedelta

import urllib3
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import parse_url

from contracts.errors import ErrorKind, failure

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})
_TIMEOUT = urllib3.Timeout(connect=5, read=10)
_LATER = frozenset({408, 425, 429})
"""Refusals that time heals, beside 5xx."""
_LONGEST_WAIT = timedelta(minutes=15)


class Poster:
    """Posts to one receiver; leaves retrying to Temporal. Safe across threads."""

    def __init__(self, url: str, what: str, setting: str) -> None:
        """Post to this URL; errors call the receiver `what`, and name the setting that holds its address."""
        self._url = url
        self._what = what
        self._setting = setting
        self._pool = urllib3.PoolManager(
            retries=False, timeout=_TIMEOUT, ssl_context=ssl.create_default_context()
        )

    def post(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Return once the receiver has taken it.

        Raises:
            ApplicationError: `UNAVAILABLE` is retried; `ACCESS_DENIED` and `INVALID_REQUEST` are final.
        """
        try:
            answer = self._pool.request(
                "POST", self._url, body=body, headers=headers, redirect=False, preload_content=False
            )
        except HTTPError as error:
            # The library's words hold the address, which may be all that guards the receiver.
            told = f"{self._what} cannot be reached ({type(error).__name__})"
            raise failure(ErrorKind.UNAVAILABLE, told) from None
        answer.close()
        self._judge(answer.status, answer.headers)

    def _judge(self, status: int, headers: Mapping[str, str]) -> None:
        if 200 <= status < 300:
            return
        said = f"{self._what} answered {status}"
        if status >= 500 or status in _LATER:
            raise failure(ErrorKind.UNAVAILABLE, said, retry_after=_wait(headers.get("Retry-After", "")))
        if 300 <= status < 400:
            told = f"{said}; a redirect is not followed: set {self._setting} to its end"
            raise failure(ErrorKind.INVALID_REQUEST, told)
        if status in {401, 403}:
            raise failure(ErrorKind.ACCESS_DENIED, f"{said}; check {self._setting} and its secret")
        raise failure(ErrorKind.INVALID_REQUEST, f"{said}; check {self._setting}")


def check_url(url: str, setting: str) -> None:
    """Pass if a receiver's address may be posted to.

    Raises:
        ValueError: it may not; names the setting and never shows the address.
    """
    try:
        parsed = parse_url(url)
    except LocationParseError:
        raise ValueError(f"{setting} is no URL") from None
    if not parsed.host or parsed.auth:
        raise ValueError(f"{setting} must name a host, and no user")
    if parsed.scheme != "https" and not (parsed.scheme == "http" and parsed.host in LOOPBACK):
        raise ValueError(f"{setting} must begin with https://, or lead to this very machine")


def _wait(told: str) -> timedelta | None:
    return min(timedelta(seconds=int(told)), _LONGEST_WAIT) if told.isascii() and told.isdigit() else None
