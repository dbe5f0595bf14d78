"""Accounts of batches: what each batch of a transfer brought, and all of them read in the order of the names.

An account's lines are `contracts.artifacts.manifest_line` with the target's URI for a name.
"""

import hashlib
import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from activities.known import Known
from activities.listed import objects_below
from activities.parallel import Stop, for_each
from activities.store import Store, put_small
from contracts.artifacts import ManifestEntry, ObjectStat, manifest_line, read_manifest_line
from contracts.copies import ObjectReceipt
from contracts.errors import ErrorDetail, ErrorKind, failure

MEDIA_TYPE = "text/tab-separated-values"
_HEAD_BYTES = 32 * 1024
"""More than the longest line: a path has at most 4 096 bytes, and at most four times as many when it is escaped."""


@dataclass(frozen=True)
class Account:
    """One account as it lies there."""

    stat: ObjectStat
    first: str
    """URI of the first object it tells of."""


class Accounts:
    """Keeps accounts in one store, out of sight of listings."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def leave(self, prefix: str, receipts: Iterable[ObjectReceipt]) -> None:
        """Leave the account of some objects below a prefix; the same account twice is one."""
        told = sorted(map(_entry, receipts), key=lambda entry: entry.name)
        content = "".join(map(manifest_line, told)).encode()
        name = f"{prefix.rstrip('/')}/{hashlib.sha256(content).hexdigest()[:32]}.tsv"
        put_small(self._store, name, content, owner="", media_type=MEDIA_TYPE)

    def below(self, prefix: str) -> Sequence[Account]:
        """Find the accounts that were left below a prefix, by the first object of each."""
        found = for_each(self._begun, tuple(objects_below(self._store, prefix)))
        return sorted(found, key=lambda account: account.first)

    def merged(self, accounts: Sequence[Account], prefix: str) -> Iterator[ManifestEntry]:
        """Each object once, by its name below the prefix and in that order.

        An account is read when it is its turn, so that only those that overlap are held in memory. Of an object that was
        brought again after its source had changed, the content that lies there counts.

        Raises:
            ApplicationError: `SOURCE_CHANGED`, one name has two contents, of which neither lies there.
        """
        for _, told in groupby(self._in_order(accounts), key=lambda entry: entry.name):
            entry = self._settled(tuple(dict.fromkeys(told)))
            yield entry.model_copy(update={"name": entry.name.removeprefix(prefix)})

    def remove(self, accounts: Sequence[Account]) -> None:
        """Remove accounts that nobody needs any more."""
        for_each(self._remove, accounts)

    def _settled(self, told: Sequence[ManifestEntry]) -> ManifestEntry:
        if len(told) == 1:
            return told[0]
        uri = told[0].name
        held = self._store.stat(uri)
        # What a store has read by itself has no SHA-256 noted: its first account has a digest that the store vouched for.
        sha256 = held and (held.sha256 or Known.read(held.size_bytes, self._store.read(held)).sha256)
        for entry in told:
            if held and (held.size_bytes, sha256) == (entry.size_bytes, entry.sha256):
                return entry
        message = f"{uri} was brought twice, with different content"
        raise failure(ErrorKind.SOURCE_CHANGED, message, ErrorDetail(ref=uri))

    def _begun(self, stat: ObjectStat, stop: Stop) -> Account:
        stop.check()
        head = b"".join(self._store.read(stat, 0, min(stat.size_bytes, _HEAD_BYTES)))
        return Account(stat, next(entries_in([head])).name)

    def _in_order(self, accounts: Sequence[Account]) -> Iterator[ManifestEntry]:
        waiting = list(reversed(accounts))
        begun: list[tuple[str, int, ManifestEntry, Iterator[ManifestEntry]]] = []
        while waiting or begun:
            if waiting and (not begun or waiting[-1].first <= begun[0][0]):
                # A batch is small, so it is read at once: nothing waits at an open connection.
                rest = entries_in([b"".join(self._store.read(waiting.pop().stat))])
                _push(begun, len(waiting), rest)
                continue
            _, number, entry, rest = heapq.heappop(begun)
            yield entry
            _push(begun, number, rest)

    def _remove(self, account: Account, stop: Stop) -> None:
        stop.check()
        self._store.delete(account.stat.uri)


def entries_in(pieces: Iterable[bytes]) -> Iterator[ManifestEntry]:
    """Read a stream of lines; what comes after the last line break is no line."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield read_manifest_line(line.decode())


def _entry(receipt: ObjectReceipt) -> ManifestEntry:
    held = receipt.target
    return ManifestEntry(name=held.uri, size_bytes=held.size_bytes, sha256=receipt.sha256)


def _push(
    begun: list[tuple[str, int, ManifestEntry, Iterator[ManifestEntry]]],
    number: int,
    rest: Iterator[ManifestEntry],
) -> None:
    """Bring an account's next entry in; the number, which no two accounts share, decides where names are equal."""
    entry = next(rest, None)
    if entry is not None:
        heapq.heappush(begun, (entry.name, number, entry, rest))
