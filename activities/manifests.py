"""The account of what a transfer brought: each batch leaves its own, and at the end they become one manifest.

A line is `name TAB size TAB sha256`, as in `contracts.artifacts.folder_digest`, whose order and digest it has.
"""

import hashlib
import heapq
from collections.abc import Iterable, Iterator

from activities.gathering import part_of
from activities.parallel import Stop, for_each
from activities.store import Store, WriteTarget, put_small
from activities.uploading import sealed
from contracts.artifacts import Artifact, ObjectStat
from contracts.copies import ObjectReceipt
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.parts import part_bytes_of, parts_of
from contracts.storage import PAGE_OBJECTS, ManifestReceipt, ManifestRequest

MEDIA_TYPE = "text/tab-separated-values"


class Manifests:
    """Keeps accounts and manifests in one store, out of sight of listings."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def leave(self, prefix: str, receipts: Iterable[ObjectReceipt]) -> None:
        """Leave the account of some objects below a prefix; the same account twice is one."""
        lines = sorted(
            f"{receipt.target.uri}\t{receipt.target.size_bytes}\t{receipt.sha256}\n" for receipt in receipts
        )
        content = "".join(lines).encode()
        name = f"{prefix.rstrip('/')}/{hashlib.sha256(content).hexdigest()[:32]}.tsv"
        put_small(self._store, name, content, owner="", media_type=MEDIA_TYPE)

    def publish(self, request: ManifestRequest) -> ManifestReceipt:
        """Put the accounts together; `storage.publish_manifest` states the promise.

        Raises:
            ApplicationError: `SOURCE_MISSING`, there are neither accounts nor a manifest; `SOURCE_CHANGED`, one name
                has two contents.
        """
        accounts = tuple(self._accounts(request.accounts))
        held = self._store.stat(request.target)
        if not accounts and held is None:
            told = f"nothing was accounted for below {request.accounts}"
            raise failure(ErrorKind.SOURCE_MISSING, told, ErrorDetail(ref=request.accounts))
        if accounts:
            size, digest = _measured(self._lines(accounts, request.prefix))
            self._write(request, size, digest, accounts)
            for_each(self._remove, accounts)
        folder = self._described(request)
        return ManifestReceipt(folder=folder, manifest=request.target)

    def _accounts(self, prefix: str) -> Iterator[ObjectStat]:
        after: str | None = None
        while True:
            page = self._store.list(prefix, after, PAGE_OBJECTS)
            yield from page.objects
            after = page.next_after
            if after is None:
                return

    def _lines(self, accounts: tuple[ObjectStat, ...], prefix: str) -> Iterator[bytes]:
        """All accounts' lines in order, each name once."""
        before = b""
        for line in heapq.merge(*(self._read(account, prefix) for account in accounts)):
            if line == before:
                continue
            if line.rsplit(b"\t", 2)[0] == before.rsplit(b"\t", 2)[0] and before:
                name = line.rsplit(b"\t", 2)[0].decode()
                told = f"{prefix}{name} was brought twice, with different content"
                raise failure(ErrorKind.SOURCE_CHANGED, told, ErrorDetail(ref=prefix + name))
            yield line
            before = line

    def _read(self, account: ObjectStat, prefix: str) -> Iterator[bytes]:
        # An account is of a batch, so it is small; a name may hold a line break, but never three fields after it.
        content = b"".join(self._store.read(account))
        cut = len(prefix.encode())
        for line in _lines_of(content):
            yield line[cut:]

    def _write(
        self, request: ManifestRequest, size: int, digest: str, accounts: tuple[ObjectStat, ...]
    ) -> None:
        target = self._target(request.target, size, digest, request.owner)
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

    def _described(self, request: ManifestRequest) -> Artifact:
        """Return the folder, from the manifest as it lies there: whoever publishes again reads the same."""
        held = self._store.stat(request.target)
        if held is None:
            raise failure(ErrorKind.UNAVAILABLE, f"{request.target} is not there after it was written")
        digest, count, total = hashlib.sha256(), 0, 0
        for line in _lines_in(self._store.read(held)):
            digest.update(line)
            count += 1
            total += int(line.rsplit(b"\t", 2)[1])
        return Artifact(
            uri=request.prefix,
            kind="folder",
            size_bytes=total,
            object_count=count,
            digest=digest.hexdigest(),
            media_type="inode/directory",
        )

    def _target(self, uri: str, size: int, pin: str, owner: str) -> WriteTarget:
        return WriteTarget(uri, size, source_etag=pin, owner=owner, replace=True, media_type=MEDIA_TYPE)

    def _remove(self, account: ObjectStat, stop: Stop) -> None:
        stop.check()
        self._store.delete(account.uri)


def _measured(lines: Iterator[bytes]) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    for line in lines:
        digest.update(line)
        size += len(line)
    return size, digest.hexdigest()


def _lines_of(content: bytes) -> Iterator[bytes]:
    """Split at line breaks that end a line: after a tab, a number, a tab and 64 hex digits."""
    begin = 0
    while begin < len(content):
        end = content.index(b"\n", begin) + 1
        while not _ends(content[begin:end]):
            end = content.index(b"\n", end) + 1
        yield content[begin:end]
        begin = end


def _ends(line: bytes) -> bool:
    fields = line[:-1].rsplit(b"\t", 2)
    return len(fields) == 3 and fields[1].isdigit() and len(fields[2]) == 64


def _lines_in(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Split a stream as `_lines_of` does."""
    rest = b""
    for piece in pieces:
        rest += piece
        whole = rest.rfind(b"\n") + 1
        while whole and not _ends(rest[rest.rfind(b"\n", 0, whole - 1) + 1 : whole]):
            whole = rest.rfind(b"\n", 0, whole - 1) + 1
        yield from _lines_of(rest[:whole])
        rest = rest[whole:]


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
