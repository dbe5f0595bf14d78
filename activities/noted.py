"""What a store notes on an object beside its bytes, as the answer to a granted read tells it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from contracts.artifacts import ObjectStat
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.grants import ReadGrant

_PREFIXES = ("x-amz-meta-", "x-ms-meta-", "x-goog-meta-")
_OWN = ("causeway-", "causeway_")
TOKEN = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")
"""What the name of a header may hold (RFC 9110, section 5.6.2), in lower case."""
PLAIN_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
"""What every server gives back as it was sent: ASCII without blanks at its ends."""
_KEPT_NOWHERE = ("cache-control", "content-disposition", "content-encoding", "content-language")
"""What a store may note besides; no receipt may be silent about losing it."""


@dataclass(frozen=True)
class Noted:
    """Media type and the user's metadata, by lower-case names; Causeway's own are left out."""

    media_type: str = "application/octet-stream"
    metadata: Mapping[str, str] = field(default_factory=dict)
    other: tuple[str, ...] = ()
    """Names of properties that are not carried to another store."""

    def on(self, stat: ObjectStat) -> ObjectStat:
        """Return the object's description with this noted on it."""
        return stat.model_copy(update={"media_type": self.media_type, "metadata": dict(self.metadata)})


def noted_in(headers: Mapping[str, str]) -> Noted:
    """Read the headers of an answer."""
    held = {name.lower(): value for name, value in headers.items()}
    metadata = {
        name.removeprefix(prefix): value
        for name, value in held.items()
        for prefix in _PREFIXES
        if name.startswith(prefix)
    }
    return Noted(
        media_type=held.get("content-type", Noted.media_type),
        metadata={name: value for name, value in metadata.items() if not name.startswith(_OWN)},
        other=tuple(name for name in _KEPT_NOWHERE if held.get(name)),
    )


def check_version(headers: Mapping[str, str], grant: ReadGrant) -> None:
    """Pass if the answer is of the version that the grant pins, as far as it says which one it is.

    Raises:
        ApplicationError: `SOURCE_CHANGED`.
    """
    told = [headers.get("x-goog-generation"), headers.get("ETag")]
    said = {value.strip('"') for value in told if value}
    if said and grant.source.etag.strip('"') not in said:
        raise failure(
            ErrorKind.SOURCE_CHANGED,
            f"{grant.source.uri} is no longer the version that was listed",
            ErrorDetail(ref=grant.source.uri),
        )


def fitting(
    metadata: Mapping[str, str], *, names: re.Pattern[str], values: re.Pattern[str], limit_bytes: int
) -> dict[str, str]:
    """Return what a store with these rules keeps unchanged: the first by name that fit into its limit together."""
    kept: dict[str, str] = {}
    for name, value in sorted(metadata.items()):
        size = len(name.encode()) + len(value.encode())
        if names.fullmatch(name) and values.fullmatch(value) and size <= limit_bytes:
            kept[name] = value
            limit_bytes -= size
    return kept
