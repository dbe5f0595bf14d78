"""Minting grants: under this worker's own allow-list, for a short life, and few enough for one payload."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from activities.existing import decide
from activities.grants import AllowList
from activities.store import Store, same_content
from contracts.artifacts import ObjectStat
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.grants import (
    GRANT_LIFE,
    GRANTS_LIMIT_BYTES,
    SINGLE_PUT_LIMIT_BYTES,
    ReadGrant,
    ReadGrants,
    WriteGrant,
    WriteGrants,
    WriteIntent,
)

Grant = TypeVar("Grant", ReadGrant, WriteGrant)


class Minter:
    """Mints for one store; whoever asks, the allow-list is this worker's own."""

    def __init__(self, store: Store, allowed: AllowList) -> None:
        self._store = store
        self._allowed = allowed

    def reads(self, objects: Iterable[ObjectStat], life: timedelta) -> ReadGrants:
        """Mint a read of exactly this version of each object.

        Raises:
            ApplicationError: `ACCESS_DENIED` outside the allow-list, `INVALID_REQUEST` for one too large to travel.
        """
        asked = tuple(objects)
        for source in asked:
            self._allowed.check(source.uri)
        minted = (self._store.sign_read(source, _bounded(life)) for source in asked)
        return ReadGrants(grants=_fitting(minted))

    def writes(self, intents: Iterable[WriteIntent], life: timedelta) -> WriteGrants:
        """Mint an exact write for each object whose content does not lie at its target yet.

        Raises:
            ApplicationError: `ACCESS_DENIED` outside the allow-list, `TARGET_CONFLICT` over other content,
                `UNSUPPORTED` for an object too large for one write, `INVALID_REQUEST` for one too large to travel.
        """
        asked = tuple(intents)
        for intent in asked:
            self._allowed.check(intent.target)
        return WriteGrants(grants=_fitting(self._write(intent, _bounded(life)) for intent in asked))

    def _write(self, intent: WriteIntent, life: timedelta) -> WriteGrant:
        _check_carriable(intent)
        held = self._store.stat(intent.target)
        same = held is not None and same_content(held, intent.measure)
        if decide(held, lambda _: same, intent.if_exists, intent.owner) == "keep":
            return WriteGrant(intent=intent, expires_at=datetime.now(UTC) + life, needed=False)
        return self._store.sign_write(intent, life)


def _bounded(life: timedelta) -> timedelta:
    if life <= timedelta(0):
        raise failure(ErrorKind.INVALID_REQUEST, "a grant needs a life longer than nothing")
    return min(life, GRANT_LIFE)


def _check_carriable(intent: WriteIntent) -> None:
    source = intent.measure.source
    if source.size_bytes > SINGLE_PUT_LIMIT_BYTES:
        told = (
            f"{source.uri} has {source.size_bytes} bytes; one write carries {SINGLE_PUT_LIMIT_BYTES} at most"
        )
        raise failure(ErrorKind.UNSUPPORTED, told, ErrorDetail(ref=source.uri))


def _fitting(minted: Iterable[Grant]) -> tuple[Grant, ...]:
    """Return as many of the first grants as one payload takes; the others are asked for again."""
    found: list[Grant] = []
    size = 0
    for grant in minted:
        size += len(grant.model_dump_json().encode()) + 1
        if size > GRANTS_LIMIT_BYTES:
            break
        found.append(grant)
    if not found and size:
        told = f"a grant comes to {size} bytes, over {GRANTS_LIMIT_BYTES}; its names are too long"
        raise failure(ErrorKind.INVALID_REQUEST, told)
    return tuple(found)
