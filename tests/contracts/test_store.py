"""What every store promises, whatever cloud it is of."""

import base64
import hashlib
import os
import time
from collections.abc import Callable
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.checksums import crc32c, to_base64
from activities.store import Part, Store, WriteTarget
from contracts.artifacts import ObjectStat
from contracts.errors import ErrorKind
from contracts.grants import GRANT_LIFE, Measure, WriteIntent
from contracts.units import MIB
from tests import objects
from tests.activities.servers import granted
from tests.objects import cut, sealed

OWNER = "0123456789abcdef0123456789abcdef/contract"
NAMES = (
    "plain.csv",
    "with space",
    "100%",
    "a%20b",
    "one+one",
    "what?#&=.txt",
    "überß-☃",
    "it's",
    "deep/er/x",
)


@pytest.fixture
def prefix(store: Store, folder: str) -> str:
    return store.default_container + folder


@contextmanager
def refused(kind: ErrorKind, translate: Callable[[BaseException, str], ApplicationError]) -> Any:
    with pytest.raises(Exception) as raised:  # noqa: PT011 (the provider's own error is as good as ours)
        yield
    assert translate(raised.value, "here").type == kind


def put(store: Store, uri: str, content: bytes, *, replace: bool = False) -> ObjectStat:
    return objects.put(store, uri, content, owner=OWNER, media_type="text/csv", replace=replace)


def content_of(store: Store, uri: str) -> bytes:
    stat = store.stat(uri)
    assert stat is not None
    return b"".join(store.read(stat))


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


@pytest.mark.parametrize(
    "content", [b"", b"x", b"id,label\n1,0\n" * 1000], ids=["empty", "one byte", "lines"]
)
def test_what_was_put_is_read_back_with_its_metadata(store: Store, prefix: str, content: bytes) -> None:
    put(store, prefix + "data", content)
    stat = store.stat(prefix + "data")
    assert stat is not None
    assert b"".join(store.read(stat)) == content
    assert stat.size_bytes == len(content)
    assert (stat.crc32c, stat.sha256) == (to_base64(crc32c(content)), hashlib.sha256(content).hexdigest())
    assert (stat.owner, stat.media_type, stat.uri) == (OWNER, "text/csv", prefix + "data")


def test_what_put_returns_is_what_stat_says(store: Store, prefix: str) -> None:
    assert put(store, prefix + "data", b"content") == store.stat(prefix + "data")


def test_reading_can_begin_at_any_byte(store: Store, prefix: str) -> None:
    stat = put(store, prefix + "data", b"0123456789")
    assert b"".join(store.read(stat, 7)) == b"789"
    assert b"".join(store.read(stat, 2, 3)) == b"234"
    assert b"".join(store.read(stat, 10)) == b""


def test_an_object_that_is_not_there_has_no_stat(store: Store, prefix: str) -> None:
    assert store.stat(prefix + "nothing") is None


def test_an_object_that_changed_since_it_was_listed_is_not_read(room: Any, prefix: str) -> None:
    before = put(room.store, prefix + "data", b"before")
    put(room.store, prefix + "data", b"after!", replace=True)
    with refused(ErrorKind.SOURCE_CHANGED, room.translate):
        b"".join(room.store.read(before))


def test_an_object_that_is_gone_is_missing_to_its_reader(room: Any, prefix: str) -> None:
    before = put(room.store, prefix + "data", b"before")
    room.store.delete(prefix + "data")
    with refused(ErrorKind.SOURCE_MISSING, room.translate):
        b"".join(room.store.read(before))


def test_other_content_is_not_replaced_unless_it_may_be(room: Any, prefix: str) -> None:
    put(room.store, prefix + "data", b"first")
    with refused(ErrorKind.TARGET_CONFLICT, room.translate):
        put(room.store, prefix + "data", b"second")
    assert content_of(room.store, prefix + "data") == b"first"


def test_content_that_may_be_replaced_is(store: Store, prefix: str) -> None:
    first = put(store, prefix + "data", b"first")
    second = put(store, prefix + "data", b"second", replace=True)
    assert content_of(store, prefix + "data") == b"second"
    assert first.etag != second.etag


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_kept_as_it_is(store: Store, prefix: str, name: str) -> None:
    put(store, prefix + name, name.encode())
    assert content_of(store, prefix + name) == name.encode()
    assert [stat.uri for stat in store.list(prefix, None, 10).objects] == [prefix + name]


def test_a_prefix_does_not_match_its_siblings(store: Store, prefix: str) -> None:
    for name in ("a/inside", "a-b/outside", "ab", "a.b"):
        put(store, prefix + name, b"x")
    assert [stat.uri for stat in store.list(prefix + "a/", None, 10).objects] == [prefix + "a/inside"]


def test_pages_hold_every_name_once_and_in_order(store: Store, prefix: str) -> None:
    names = ["a", "a-b", "a.b/c", "b/c/d", "b/e", "b0", "z"]
    for name in names:
        put(store, prefix + name, b"x")
    found, after, pages = [], None, 0
    while True:
        page = store.list(prefix, after, 3)
        assert len(page.objects) <= 3
        found += [stat.uri.removeprefix(prefix) for stat in page.objects]
        after, pages = page.next_after, pages + 1
        if after is None:
            break
    assert found == names
    assert pages <= 4


def test_a_prefix_that_holds_nothing_is_an_empty_page(store: Store, prefix: str) -> None:
    page = store.list(prefix, None, 10)
    assert (page.objects, page.next_after) == ((), None)


def test_a_listing_pins_what_it_lists(store: Store, prefix: str) -> None:
    stat = put(store, prefix + "data", b"content")
    (listed,) = store.list(prefix, None, 10).objects
    assert (listed.etag, listed.size_bytes) == (stat.etag, stat.size_bytes)
    assert b"".join(store.read(listed)) == b"content"


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


def test_a_delete_says_whether_there_was_anything(store: Store, prefix: str) -> None:
    put(store, prefix + "data", b"x")
    assert store.delete(prefix + "data") is True
    assert store.delete(prefix + "data") is False
    assert store.stat(prefix + "data") is None


def test_the_default_container_is_found(store: Store) -> None:
    receipt = store.ensure_container(store.default_container, create=True)
    assert receipt.uri == store.default_container
    assert store.ensure_container(store.default_container, create=False).created is False


def measured(stat: ObjectStat, content: bytes) -> Measure:
    md5 = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
    sha256 = hashlib.sha256(content).hexdigest()
    return Measure(source=stat, crc32c=to_base64(crc32c(content)), md5=md5, sha256=sha256)


def intended(uri: str, content: bytes) -> WriteIntent:
    source = ObjectStat(
        uri="file:///elsewhere/data", size_bytes=len(content), etag="one", media_type="text/csv"
    )
    return WriteIntent(target=uri, measure=measured(source, content), owner=OWNER)


@pytest.mark.parametrize("name", NAMES)
def test_a_read_grant_reads_exactly_its_object(granting: Any, folder: str, name: str) -> None:
    stat = put(granting.store, granting.store.default_container + folder + name, b"granted content")
    grant = granting.store.sign_read(stat, GRANT_LIFE)
    assert grant.source.uri == stat.uri
    assert datetime.now(UTC) < grant.expires_at <= datetime.now(UTC) + GRANT_LIFE
    assert granted(granting.client, grant) == b"granted content"
    assert granted(granting.client, grant, 8, 7) == b"content"


def test_a_read_grant_is_pinned_to_the_version_it_was_minted_for(granting: Any, folder: str) -> None:
    uri = granting.store.default_container + folder + "data"
    grant = granting.store.sign_read(put(granting.store, uri, b"before"), GRANT_LIFE)
    put(granting.store, uri, b"after!", replace=True)
    with pytest.raises(ApplicationError) as raised:
        granted(granting.client, grant)
    # A store that pins by version rather than by precondition says that this version is gone.
    assert raised.value.type in {ErrorKind.SOURCE_CHANGED, ErrorKind.SOURCE_MISSING}


@pytest.mark.parametrize("content", [b"", b"pushed content"], ids=["empty", "some"])
def test_a_pushed_object_is_confirmed_with_its_metadata_as_often_as_asked(
    granting: Any, folder: str, content: bytes
) -> None:
    intent = intended(granting.store.default_container + folder + "data", content)
    grant = granting.store.sign_write(intent, GRANT_LIFE)
    assert granting.client.write(grant, [content]) is True
    stat = granting.store.confirm(intent)
    assert content_of(granting.store, intent.target) == content
    assert (stat.owner, stat.sha256, stat.crc32c) == (OWNER, intent.measure.sha256, intent.measure.crc32c)
    again = granting.store.confirm(intent)
    assert (again.uri, again.size_bytes, again.sha256) == (stat.uri, stat.size_bytes, stat.sha256)


def test_what_was_not_pushed_is_not_confirmed(granting: Any, folder: str) -> None:
    intent = intended(granting.store.default_container + folder + "data", b"never sent")
    with refused(ErrorKind.SOURCE_MISSING, granting.translate):
        granting.store.confirm(intent)


def test_an_expired_read_grant_is_refused_so_that_a_fresh_one_is_minted(verifying: Any, folder: str) -> None:
    stat = put(verifying.store, verifying.store.default_container + folder + "data", b"x")
    grant = verifying.store.sign_read(stat, timedelta(seconds=1))
    time.sleep(3)
    with refused(ErrorKind.UNAVAILABLE, verifying.translate):
        granted(verifying.client, grant)


@pytest.mark.parametrize(
    "sent", [b"other content!", b"short", b"far too long content"], ids=["other", "short", "long"]
)
def test_a_write_grant_takes_nothing_but_the_content_it_is_for(
    verifying: Any, folder: str, sent: bytes
) -> None:
    intent = intended(verifying.store.default_container + folder + "data", b"pushed content")
    grant = verifying.store.sign_write(intent, GRANT_LIFE)
    with pytest.raises(Exception):  # noqa: B017, PT011 (which error it is depends on what the store checks first)
        verifying.client.write(_with_length(grant, sent), [sent])
    assert verifying.store.stat(intent.target) is None


def _with_length(grant: Any, sent: bytes) -> Any:
    headers = {name: value for name, value in grant.headers.items() if name.lower() != "content-length"}
    return grant.model_copy(update={"headers": {**headers, "Content-Length": str(len(sent))}})


@pytest.mark.parametrize("place", ["sign_read", "sign_write", "confirm"])
def test_a_store_that_nobody_can_reach_mints_nothing(rooms: Any, place: str) -> None:
    store = rooms["onprem"].store
    source = ObjectStat(uri="file:///data", size_bytes=1, etag="one")
    arguments = {
        "sign_read": (source, GRANT_LIFE),
        "sign_write": (intended("file:///data", b"x"), GRANT_LIFE),
        "confirm": (intended("file:///data", b"x"),),
    }
    with refused(ErrorKind.UNSUPPORTED, rooms["onprem"].translate):
        getattr(store, place)(*arguments[place])
