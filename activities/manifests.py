"""The manifest of a transfer: the accounts of its batches, put together as one object.

Its lines are those of `contracts.artifacts.folder_digest`, whose order and digest it has.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence

from activities.accounts import MEDIA_TYPE, Account, Accounts, entries_in
from activities.gathering import part_of
from activities.store import Store, WriteTarget, put_small
from activities.uploading import sealed
from contracts.artifacts import Artifact, manifest_line
from contracts.copies import ObjectReceipt
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.parts import part_bytes_of, parts_of
from contracts.storage import ManifestReceipt, ManifestRequest


class Manifests:
    """Keeps accounts and manifests in one store, out of sight of listings."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._accounts = Accounts(store)

    def leave(self, prefix: str, receipts: Iterable[ObjectReceipt]) -> None:
        """Leave the account of some objects below a prefix; the same account twice is one."""
        self._accounts.leave(prefix, receipts)

    def publish(self, request: ManifestRequest) -> ManifestReceipt:
        """Put the accounts together; `storage.publish_manifest` states the promise.

        Raises:
            ApplicationError: `SOURCE_MISSING`, there are neither accounts nor a manifest; `SOURCE_CHANGED`, one name
                has two contents, of which neither lies there.
        """
        done = f"{request.accounts.rstrip('/')}.done"
        accounts = self._remaining(self._accounts.below(request.accounts), done)
        held = self._store.stat(request.target)
        if not accounts and held is None:
            told = f"nothing was accounted for below {request.accounts}"
            raise failure(ErrorKind.SOURCE_MISSING, told, ErrorDetail(ref=request.accounts))
        if accounts:
            self._write(request, accounts)
            put_small(self._store, done, "\n".join(map(_name, accounts)).encode(), owner=request.owner)
            self._accounts.remove(accounts)
            self._store.delete(done)
        return ManifestReceipt(folder=self._described(request), manifest=request.target)

    def _remaining(self, accounts: Sequence[Account], done: str) -> Sequence[Account]:
        """Remove what a death left of accounts that the manifest tells of already, and return the others."""
        held = self._store.stat(done)
        if held is None:
            return accounts
        told = set(b"".join(self._store.read(held)).decode().split("\n"))
        self._accounts.remove([account for account in accounts if _name(account) in told])
        self._store.delete(done)
        return [account for account in accounts if _name(account) not in told]

    def _write(self, request: ManifestRequest, accounts: Sequence[Account]) -> None:
        size, digest = _measured(self._lines(accounts, request.prefix))
        target = WriteTarget(
            request.target,
            size,
            source_etag=digest,
            owner=request.owner,
            replace=True,
            media_type=MEDIA_TYPE,
        )
        pieces = self._lines(accounts, request.prefix)
        if parts_of(size) == 1:
            content = b"".join(pieces)
            self._store.put(target, content, hashlib.sha256(content).hexdigest())
            return
        writer = self._store.writer(target)
        parts = []
        for index, content in enumerate(_cut(pieces, part_bytes_of(size))):
            part = part_of(index, content)
            writer.put(part, content)
            parts.append(part)
        writer.commit(sealed(parts))

    def _lines(self, accounts: Sequence[Account], prefix: str) -> Iterator[bytes]:
        return (manifest_line(entry).encode() for entry in self._accounts.merged(accounts, prefix))

    def _described(self, request: ManifestRequest) -> Artifact:
        """Return the folder, from the manifest as it lies there: whoever publishes again reads the same."""
        held = self._store.stat(request.target)
        if held is None:
            raise failure(ErrorKind.UNAVAILABLE, f"{request.target} is not there after it was written")
        digest, count, total = hashlib.sha256(), 0, 0
        for entry in entries_in(self._store.read(held)):
            digest.update(manifest_line(entry).encode())
            count += 1
            total += entry.size_bytes
        return Artifact(
            uri=request.prefix,
            kind="folder",
            size_bytes=total,
            object_count=count,
            digest=digest.hexdigest(),
            media_type="inode/directory",
        )


def _name(account: Account) -> str:
    return account.stat.uri.rpartition("/")[2]


def _measured(lines: Iterator[bytes]) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    for line in lines:
        digest.update(line)
        size += len(line)
    return size, digest.hexdigest()


def _cut(pieces: Iterable[bytes], size_bytes: int) -> Iterator[bytes]:
    """Regroup a stream into parts of one size; only the last may be smaller."""
    gathered = bytearray()
    for piece in pieces:
        gathered += piece
        if len(gathered) >= size_bytes:
            yield bytes(gathered[:size_bytes])
            del gathered[:size_bytes]
    if gathered:
        yield bytes(gathered)
