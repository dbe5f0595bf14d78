"""The rules of grants: what a worker may mint for, and where a worker may follow one."""

import ipaddress
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from contracts.artifacts import locate
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.grants import GRANT_LIFE
from contracts.queues import Cloud

_PUBLIC_STORES = re.compile(
    r"(?:[a-z0-9][a-z0-9.-]*\.)?s3(?:-fips|-accelerate)?(?:\.dualstack)?(?:[.-][a-z]{2}(?:-[a-z]+)+-\d)?"
    r"\.amazonaws\.com(?:\.cn)?"
    r"|[a-z0-9]{3,24}(?:-secondary)?\.blob\.core\.(?:windows\.net|chinacloudapi\.cn|usgovcloudapi\.net)"
    r"|[a-z0-9]{3,24}\.z[0-9]{1,2}\.blob\.storage\.azure\.net"
    r"|(?:[a-z0-9][a-z0-9._-]*\.)?storage\.googleapis\.com"
)
"""Host names of the three vendors' object stores, and of nothing else below the same domains."""

_MISLEADING = re.compile(r"[\\\s\x00-\x1f\x7f]")
"""Characters that parsers of URLs disagree about."""


@dataclass(frozen=True)
class AllowList:
    """The containers and prefixes this worker mints grants for, whoever asks, and for how long at most."""

    prefixes: tuple[str, ...]
    longest: timedelta = GRANT_LIFE
    """What no grant of this worker outlives."""
    reads: bool = True
    """Whether a read could be followed from outside."""

    @classmethod
    def of(cls, prefixes: tuple[str, ...], default: str, longest: timedelta = GRANT_LIFE) -> Self:
        """Build the list from settings; nothing said means the worker's own container.

        Raises:
            ValueError: a prefix is not a URI.
        """
        chosen = prefixes or (default,)
        for prefix in chosen:
            locate(prefix)
        return cls(chosen, longest)

    def check(self, uri: str) -> None:
        """Pass if the object lies under the list.

        Raises:
            ApplicationError: `ACCESS_DENIED` if not, `INVALID_REQUEST` if it is no URI of an object.
        """
        if not any(_lies_under(uri, prefix) for prefix in self.prefixes):
            allowed = ", ".join(self.prefixes)
            told = f"{uri} is outside what this worker grants ({allowed}); CAUSEWAY_GRANT_ALLOW says what is"
            raise failure(ErrorKind.ACCESS_DENIED, told, ErrorDetail(ref=uri))

    def check_read(self, uri: str) -> None:
        """Pass if a read of the object may be minted.

        Raises:
            ApplicationError: as `check`, and `UNSUPPORTED` if nobody outside could use it.
        """
        self.check(uri)
        if not self.reads:
            why = "its store cannot be reached from outside (CAUSEWAY_PRIVATE_STORE)"
            told = f"nobody could read {uri}: {why}; its own worker can push it: copy --push"
            raise failure(ErrorKind.UNSUPPORTED, told, ErrorDetail(ref=uri))


def _lies_under(uri: str, prefix: str) -> bool:
    try:
        wanted, allowed = locate(uri), locate(prefix)
    except ValueError as error:
        raise failure(ErrorKind.INVALID_REQUEST, str(error), ErrorDetail(ref=uri)) from None
    # HTTP clients fold dot segments away, so a name that has some could come to mean another object.
    if {".", ".."} & set(wanted.name.split("/")) or not wanted.name:
        return False
    if (wanted.scheme, wanted.container) != (allowed.scheme, allowed.container):
        return False
    folder = allowed.name if not allowed.name or allowed.name.endswith("/") else allowed.name + "/"
    return wanted.name == allowed.name or wanted.name.startswith(folder)


@dataclass(frozen=True)
class HostRules:
    """Where this worker follows a grant to: the vendors' public stores over https, and hosts it was told."""

    listed: tuple[str, ...] = ()

    def check(self, url: str, ref: str) -> Url:
        """Return the parsed URL if it may be followed.

        Raises:
            ApplicationError: `ACCESS_DENIED`; the message has the host and `ref`, never the URL.
        """
        try:
            parsed = parse_url(url)
        except LocationParseError:
            raise _refused("a URL that cannot be read", ref) from None
        host = (parsed.host or "").strip("[]").lower()
        if not host or parsed.auth is not None or _MISLEADING.search(url):
            raise _refused("a URL that does not plainly name a host", ref)
        if parsed.scheme == "https" and self._allows(host, parsed.port or 443):
            return parsed
        if (
            parsed.scheme == "http"
            and is_loopback(host)
            and parsed.port
            and f"{host}:{parsed.port}" in self._entries()
        ):
            return parsed
        raise _refused(f"{parsed.scheme}://{host}:{parsed.port or ''}", ref)

    def _allows(self, host: str, port: int) -> bool:
        if port == 443 and (host in self._entries() or _PUBLIC_STORES.fullmatch(host)):
            return True
        return f"{host}:{port}" in self._entries()

    def _entries(self) -> frozenset[str]:
        return frozenset(entry.lower().replace("[", "").replace("]", "") for entry in self.listed)


def cloud_at(url: str) -> Cloud | None:
    """Whose public store a URL is of; None for a host that no vendor has."""
    host = (parse_url(url).host or "").lower()
    if not _PUBLIC_STORES.fullmatch(host):
        return None
    if host.endswith(".googleapis.com"):
        return Cloud.GCP
    return Cloud.AWS if "amazonaws" in host else Cloud.AZURE


def is_loopback(host: str) -> bool:
    """Whether a host name means this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refused(what: str, ref: str) -> Exception:
    where = f"the grant for {ref} points at {what.rstrip(':')}"
    told = f"{where}, which is no store this worker may reach; CAUSEWAY_STORE_HOSTS adds more"
    return failure(ErrorKind.ACCESS_DENIED, told, ErrorDetail(ref=ref))
