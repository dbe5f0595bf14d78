"""Minting grants: under this worker's own allow-list, for a short life, and few enough for one payload."""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from activities.existing import decide
from activities.grants import AllowList
from activities.landing import Landing
from activities.parallel import Stop, for_each
from activities.sources import StoredSource
from activities.store import Part, Store, may_replace, same_content, same_part
from activities.uploading import from_sum, sealed
from contracts.artifacts import ObjectStat
from contracts.copies import PartGrantRequest
from contracts.errors import ErrorKind, failure
from contracts.grants import (
    GRANT_LIFE,
    GRANTS_LIMIT_BYTES,
    PartGrant,
    PartGrants,
    ReadGrant,
    ReadGrants,
    WriteGrant,
    WriteGrants,
    WriteIntent,
)
from contracts.parts import parts_of

Grant = TypeVar("Grant", ReadGrant, WriteGrant, PartGrant)
_STATS_AT_ONCE = 16
"""Requests of a few bytes each."""


class Minter:
    """Mints for one store; whoever asks, the allow-list is this worker's own."""

    def __init__(self, store: Store, allowed: AllowList) -> None:
        self._store = store
        self._allowed = allowed

    def reads(self, objects: Iterable[ObjectStat], life: timedelta, *, bare: bool = False) -> ReadGrants:
        """Mint a read of exactly this version of each object.

        Raises:
            ApplicationError: `ACCESS_DENIED` outside the allow-list, `UNSUPPORTED` for a store that nobody outside
                reaches, `INVALID_REQUEST` for one too large to travel.
        """
        asked = tuple(objects)
        for source in asked:
            self._allowed.check_read(source.uri)
        if bare:
            asked = tuple(for_each(self._vouched, asked, at_once=_STATS_AT_ONCE))
        # Only what the store vouches for can be fetched without a worker; anything else keeps its pin.
        minted = (
            self._store.sign_read(source, self._bounded(life), bare=bare and source.md5 is not None)
            for source in asked
        )
        return ReadGrants(grants=_fitting(minted))

    def writes(self, intents: Iterable[WriteIntent], life: timedelta) -> WriteGrants:
        """Mint an exact write for each object whose content does not lie at its target yet.

        Raises:
            ApplicationError: `ACCESS_DENIED` outside the allow-list, `TARGET_CONFLICT` over other content,
                `INVALID_REQUEST` for a name that the store cannot hold, or one too large to travel.
        """
        asked = tuple(intents)
        for intent in asked:
            self._allowed.check(intent.target)
            self._store.check_name(intent.target)
        held = for_each(self._held, asked, at_once=_STATS_AT_ONCE)
        pairs = zip(asked, held, strict=True)
        return WriteGrants(
            grants=_fitting(self._write(intent, stat, self._bounded(life)) for intent, stat in pairs)
        )

    def parts(self, request: PartGrantRequest) -> PartGrants:
        """Mint an exact write for each part that the store does not hold yet.

        Raises:
            ApplicationError: `ACCESS_DENIED` outside the allow-list, `TARGET_CONFLICT` over other content.
        """
        self._allowed.check(request.target)
        source = StoredSource(request.source, self._store)
        landing = Landing(self._store, source, request.target, request.if_exists, request.owner)
        parts = [from_sum(told) for told in request.parts]
        if _lies_there(landing, request.source, parts):
            # Nothing need be sent, and `storage.seal` finds it.
            return PartGrants(grants=(), held=tuple(part.index for part in parts))
        target, _ = landing.prepared(source.noted())
        writer = self._store.writer(replace(target, pushed=True))
        held = writer.held()
        needed = [part for part in parts if not same_part(held.get(part.index), part)]
        life = self._bounded(request.life)
        return PartGrants(
            grants=_fitting(writer.sign(part, life) for part in needed),
            held=tuple(part.index for part in parts if part not in needed),
        )

    def _write(self, intent: WriteIntent, held: ObjectStat | None, life: timedelta) -> WriteGrant:
        same = held is not None and same_content(held, intent.measure)
        decision = decide(held, lambda _: same, intent.if_exists, intent.owner)
        if decision == "keep":
            return WriteGrant(intent=intent, expires_at=datetime.now(UTC) + life, needed=False)
        if held is not None and not may_replace(intent.if_exists):
            # What this very owner wrote may be replaced whatever the author said of others' objects.
            intent = intent.model_copy(update={"if_exists": "overwrite", "replaces": held.etag})
        return self._store.sign_write(intent, life)

    def _held(self, intent: WriteIntent, stop: Stop) -> ObjectStat | None:
        stop.check()
        return self._store.stat(intent.target)

    def _bounded(self, life: timedelta) -> timedelta:
        if life <= timedelta(0):
            raise failure(ErrorKind.INVALID_REQUEST, "a grant needs a life longer than nothing")
        return min(life, self._allowed.longest, GRANT_LIFE)

    def _vouched(self, source: ObjectStat, stop: Stop) -> ObjectStat:
        stop.check()
        found = self._store.stat(source.uri)
        same = found is not None and found.etag.strip('"') == source.etag.strip('"')
        # One that changed meanwhile is refused by whoever reads it.
        return source.model_copy(update={"md5": found.md5}) if found and same else source


def _lies_there(landing: Landing, source: ObjectStat, parts: Sequence[Part]) -> bool:
    """Whether the whole object lies at its target, as far as the stores' words or all of its parts tell."""
    if landing.kept_by_word():
        return True
    return len(parts) == parts_of(source.size_bytes) and landing.holding(sealed(parts)) is not None


def _fitting(minted: Iterable[Grant]) -> tuple[Grant, ...]:
    """Return as many of the first grants as one payload takes, as it travels; the others are asked for again."""
    found: list[Grant] = []
    packed = zlib.compressobj()
    size = 0
    for grant in minted:
        # Base85 makes five characters of four bytes; a flush after each grant overstates a little.
        size += len(packed.compress(grant.model_dump_json().encode()) + packed.flush(zlib.Z_SYNC_FLUSH))
        if size * 5 // 4 > GRANTS_LIMIT_BYTES:
            break
        found.append(grant)
    if not found and size:
        raise failure(ErrorKind.INVALID_REQUEST, "a grant is too large to travel; its names are too long")
    return tuple(found)
