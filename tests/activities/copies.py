"""What the tests of the copy engine share: a store that counts, a source to copy from, and what is asked of them."""

import hashlib
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.grant_client import GrantClient
from activities.grants import AllowList, HostRules
from activities.onprem.errors import translate
from activities.onprem.store import FileStore
from activities.storage import StoreActivities
from activities.store import ObjectWriter, Part, WriteTarget
from contracts.artifacts import ObjectStat
from contracts.copies import (
    CopyItem,
    CopyReceipt,
    CopyRequest,
)
from contracts.grants import ReadGrant
from contracts.parts import PART_BYTES, digest_of
from tests.activities.servers import Source
from tests.house import PATIENCE_SECONDS

LATER = datetime(2100, 1, 1, tzinfo=UTC)


OWNER = "run/ingest"


TARGET = "file:///causeway/data"


class Counting(FileStore):
    """A store on disk that counts what is sent to it and, when told to, holds a part in flight."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, "file:///causeway/")
        self.parts_sent: list[int] = []
        self.looks = 0
        self.in_flight = threading.Event()
        self.let_land = threading.Event()
        self.let_land.set()

    def stat(self, uri: str) -> ObjectStat | None:
        self.looks += 1
        return super().stat(uri)

    def writer(self, target: WriteTarget) -> ObjectWriter:
        opened = super().writer(target)
        send = opened.put

        def put(part: Part, content: bytes) -> None:
            self.in_flight.set()
            self.let_land.wait(PATIENCE_SECONDS)
            send(part, content)
            self.parts_sent.append(part.index)

        opened.put = put  # type: ignore[method-assign]
        return opened


def activities(store: Counting, source: Source) -> StoreActivities:
    return StoreActivities(store, translate, AllowList(("file:///",)), GrantClient(HostRules((source.host,))))


def item(source: Source, *, target: str = TARGET, etag: str = "one", **known: Any) -> CopyItem:
    size_bytes = known.pop("size_bytes", len(source.content))
    stat = ObjectStat(uri="s3://bucket/data", size_bytes=size_bytes, etag=etag, **known)
    return CopyItem(
        source=stat, target=target, grant=ReadGrant(source=stat, url=source.url(), expires_at=LATER)
    )


def request(*items: CopyItem, **more: Any) -> CopyRequest:
    return CopyRequest(items=items, **{"owner": OWNER, **more})


def copy(store: Counting, source: Source, asked: CopyRequest) -> CopyReceipt:
    return ActivityEnvironment().run(activities(store, source).copy, asked)


def failed(store: Counting, source: Source, asked: CopyRequest) -> ApplicationError:
    with pytest.raises(ApplicationError) as raised:
        copy(store, source, asked)
    assert "SECRET" not in repr(raised.value)
    assert raised.value.__cause__ is None
    return raised.value


def failed_or_cut(store: Counting, source: Source, asked: CopyRequest) -> str | None:
    """What went wrong: raised when nothing was done before it, told when something was."""
    try:
        receipt = copy(store, source, asked)
    except ApplicationError as error:
        return None if "SECRET" in repr(error) else error.type
    assert receipt.remaining == (0,)
    assert receipt.cut is not None
    return None if "SECRET" in receipt.cut.message else receipt.cut.kind


def put(store: Counting, content: bytes, owner: str = "somebody/else") -> None:
    target = WriteTarget(TARGET, len(content), "", owner, replace=False, media_type="text/csv")
    store.put(target, content, hashlib.sha256(content).hexdigest())


def held(store: Counting, uri: str = TARGET) -> bytes | None:
    stat = store.stat(uri)
    return b"".join(store.read(stat)) if stat else None


def digest(content: bytes) -> str:
    starts = range(0, len(content) or 1, PART_BYTES)
    return digest_of(hashlib.sha256(content[start : start + PART_BYTES]).digest() for start in starts)
