"""What every store promises, whatever cloud it is of."""

import hashlib
from typing import Any

import pytest

from activities.checksums import crc32c, to_base64
from activities.store import Store
from contracts.errors import ErrorKind
from tests.contracts.contents import NAMES, OWNER, content_of, put, refused


@pytest.fixture
def prefix(store: Store, folder: str) -> str:
    return store.default_container + folder


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


def test_a_delete_says_whether_there_was_anything(store: Store, prefix: str) -> None:
    put(store, prefix + "data", b"x")
    assert store.delete(prefix + "data") is True
    assert store.delete(prefix + "data") is False
    assert store.stat(prefix + "data") is None


def test_the_default_container_is_found(store: Store) -> None:
    receipt = store.ensure_container(store.default_container, create=True)
    assert receipt.uri == store.default_container
    assert store.ensure_container(store.default_container, create=False).created is False
