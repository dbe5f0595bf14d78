"""What every store promises of uploads in parts."""

import os
from typing import Any

import pytest

from activities.checksums import crc32c, to_base64
from activities.store import Part, Store, WriteTarget
from contracts.artifacts import ObjectStat
from contracts.errors import ErrorKind
from contracts.units import MIB
from tests import objects
from tests.contracts.contents import OWNER, content_of, put, refused
from tests.objects import cut, sealed


@pytest.fixture
def prefix(store: Store, folder: str) -> str:
    return store.default_container + folder


def large() -> bytes:
    return os.urandom(MIB) * 33 + b"the end"


def target(uri: str, content: bytes, *, etag: str = "one", replace: bool = False) -> WriteTarget:
    return objects.target_of(uri, content, etag=etag, replace=replace, owner=OWNER, media_type="text/csv")


def upload(store: Store, wanted: WriteTarget, content: bytes) -> ObjectStat:
    writer = store.writer(wanted)
    for part, piece in cut(content):
        writer.put(part, piece)
    return writer.commit(sealed(content))


def abandoned(store: Store, wanted: WriteTarget, content: bytes) -> list[tuple[Part, bytes]]:
    writer = store.writer(wanted)
    parts = cut(content)
    writer.put(*parts[0])
    return parts


def test_an_upload_in_parts_comes_to_the_whole_with_its_metadata(store: Store, prefix: str) -> None:
    content = large()
    stat = upload(store, target(prefix + "large", content), content)
    assert content_of(store, prefix + "large") == content
    assert stat == store.stat(prefix + "large")
    assert (stat.crc32c, stat.sha256) == (to_base64(crc32c(content)), sealed(content).sha256)
    assert (stat.owner, stat.media_type) == (OWNER, "text/csv")


def test_nothing_is_seen_of_an_upload_before_its_commit(store: Store, prefix: str) -> None:
    content = large()
    writer = store.writer(target(prefix + "large", content))
    for part, piece in cut(content):
        writer.put(part, piece)
    assert store.stat(prefix + "large") is None
    assert store.list(prefix, None, 10).objects == ()


def test_another_worker_finds_the_parts_of_an_abandoned_upload_and_ends_it(store: Store, prefix: str) -> None:
    content = large()
    parts = abandoned(store, target(prefix + "large", content), content)
    writer = store.writer(target(prefix + "large", content))
    held = writer.held()
    assert set(held) == {0}
    assert held[0] is not None
    assert (held[0].size_bytes, held[0].crc32c) == (parts[0][0].size_bytes, parts[0][0].crc32c)
    for part, piece in parts[1:]:
        writer.put(part, piece)
    writer.commit(sealed(content))
    assert content_of(store, prefix + "large") == content


def test_parts_of_another_version_of_the_source_are_never_used(store: Store, prefix: str) -> None:
    before, after = large(), large()
    abandoned(store, target(prefix + "large", before, etag="one"), before)
    wanted = target(prefix + "large", after, etag="two")
    parts = cut(after)
    held = store.writer(wanted).held().get(0)
    assert held is None or held.crc32c != parts[0][0].crc32c
    upload(store, wanted, after)
    assert content_of(store, prefix + "large") == after


def test_an_object_that_came_to_lie_there_meanwhile_stops_the_commit(room: Any, prefix: str) -> None:
    content = large()
    writer = room.store.writer(target(prefix + "large", content))
    parts = cut(content)
    for part, piece in parts:
        writer.put(part, piece)
    put(room.store, prefix + "large", b"somebody was faster")
    with refused(ErrorKind.TARGET_CONFLICT, room.translate):
        writer.commit(sealed(content))
    assert content_of(room.store, prefix + "large") == b"somebody was faster"


def test_a_commit_that_may_replace_does(store: Store, prefix: str) -> None:
    put(store, prefix + "large", b"the one before")
    content = large()
    upload(store, target(prefix + "large", content, replace=True), content)
    assert content_of(store, prefix + "large") == content


def test_a_part_that_was_damaged_on_its_way_is_refused(room: Any, prefix: str) -> None:
    content = large()
    writer = room.store.writer(target(prefix + "large", content))
    part, piece = cut(content)[0]
    with refused(ErrorKind.CHECKSUM_MISMATCH, room.translate):
        writer.put(part, piece[:-1] + bytes([piece[-1] ^ 1]))


def test_an_abort_gives_up_what_is_unfinished_below_its_prefix_only(store: Store, prefix: str) -> None:
    content = large()
    for name in ("in/large", "out/large"):
        abandoned(store, target(prefix + name, content), content)
    assert list(store.abort_uploads(prefix + "in/")) == [prefix + "in/large"]
    assert list(store.abort_uploads(prefix + "in/")) == []
    assert not store.writer(target(prefix + "in/large", content)).held()
    assert store.writer(target(prefix + "out/large", content)).held()


def test_an_abort_of_one_object_leaves_its_namesakes_alone(store: Store, prefix: str) -> None:
    content = large()
    for name in ("data", "data2"):
        abandoned(store, target(prefix + name, content), content)
    assert list(store.abort_uploads(prefix + "data")) == [prefix + "data"]
    assert not store.writer(target(prefix + "data", content)).held()
    assert store.writer(target(prefix + "data2", content)).held()
