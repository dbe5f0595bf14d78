"""What every store promises of parts, copies of its own, metadata and names, whatever cloud it is of."""

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.gathering import part_of
from activities.store import Store
from activities.uploading import as_sum
from contracts.artifacts import ObjectStat
from contracts.copies import PartGrantRequest
from contracts.errors import ErrorKind
from contracts.grants import GRANT_LIFE
from contracts.parts import PART_BYTES
from tests.activities.servers import granted
from tests.objects import LARGE, cut, put, sealed, target_of

ZOO = (
    "with space",
    "100%",
    "a%20b",
    "one+one",
    "hash#tag",
    "what?yes=no&x",
    "überß-☃",
    "u\u0308ber",
    "it's (here)",
    "two//slashes",
    "ends with/",
    "semi;colon,comma",
    "n" * 250,
)
NO_FILE = ("two//slashes", "ends with/", "n" * 250)
METADATA = {"colour": "green", "note": "two words"}


@pytest.fixture
def prefix(store: Store, folder: str) -> str:
    return store.default_container + folder


def content_of(store: Store, uri: str) -> bytes:
    stat = store.stat(uri)
    assert stat is not None
    return b"".join(store.read(stat))


@pytest.mark.parametrize("name", ZOO)
def test_a_name_is_kept_byte_for_byte_or_refused_before_anything_is_sent(
    store: Store, prefix: str, name: str
) -> None:
    uri = prefix + name
    if store.scheme == "file" and name in {"two//slashes", "ends with/"}:
        with pytest.raises(ApplicationError) as raised:
            store.check_name(uri)
        assert raised.value.type == ErrorKind.INVALID_REQUEST
        return
    store.check_name(uri)
    if store.scheme == "gs" and name in NO_FILE:
        return  # Cloud Storage holds it; the local stand-in keeps objects as files and cannot.
    put(store, uri, name.encode())
    assert content_of(store, uri) == name.encode()
    assert [stat.uri for stat in store.list(prefix, None, 10).objects] == [uri]


@pytest.mark.parametrize("name", ["a/../b", ".", "x" * 2000])
def test_a_name_that_no_store_can_hold_is_refused(store: Store, prefix: str, name: str) -> None:
    with pytest.raises(ApplicationError) as raised:
        store.check_name(prefix + name)
    assert raised.value.type == ErrorKind.INVALID_REQUEST


@pytest.mark.parametrize("large", [False, True], ids=["at once", "in parts"])
def test_metadata_and_media_type_are_kept(store: Store, prefix: str, large: bool) -> None:
    uri = prefix + "noted"
    assert store.carriable(METADATA) == METADATA
    if large:
        writer = store.writer(target_of(uri, LARGE, metadata=METADATA, media_type="text/csv"))
        for part, piece in cut(LARGE):
            writer.put(part, piece)
        told = writer.commit(sealed(LARGE))
    else:
        told = put(store, uri, b"x", metadata=METADATA, media_type="text/csv")
    found = store.stat(uri)
    assert found is not None
    assert (found.metadata, found.media_type) == (told.metadata, told.media_type) == (METADATA, "text/csv")


def test_metadata_that_would_change_on_its_way_is_left_out(store: Store) -> None:
    kept = store.carriable({"fine": "yes", "big": "x" * 10_000})
    assert kept["fine"] == "yes"
    assert store.scheme == "file" or "big" not in kept


def test_what_causeway_keeps_for_itself_is_hidden_from_listings(store: Store) -> None:
    own = f"{store.default_container}.causeway/manifests/test/x.tsv"
    if store.scheme == "file":
        own = "file:///.causeway/manifests/test/x.tsv"
    put(store, own, b"x", replace=True)
    root = "file:///" if store.scheme == "file" else store.default_container
    assert not [held.uri for held in store.list(root, None, 1000).objects if ".causeway/" in held.uri]
    below = own.rpartition("/")[0] + "/"
    assert [held.uri for held in store.list(below, None, 10).objects] == [own]


@pytest.mark.parametrize("lost", ["missing", "another"])
def test_a_commit_names_only_parts_that_the_store_says_it_holds(room: Any, folder: str, lost: str) -> None:
    uri = room.store.default_container + folder + "large"
    writer = room.store.writer(target_of(uri))
    parts = cut()
    for part, piece in (parts[0], parts[2]):
        writer.put(part, piece)
    if lost == "another":
        other = bytes(PART_BYTES)
        writer.put(part_of(1, other), other)
    with pytest.raises(Exception) as raised:  # noqa: PT011 (the provider's own error is as good as ours)
        writer.commit(sealed())
    assert room.translate(raised.value, uri).type in {ErrorKind.UNAVAILABLE, ErrorKind.CHECKSUM_MISMATCH}
    assert room.store.stat(uri) is None


def test_several_threads_put_parts_of_one_upload(store: Store, prefix: str) -> None:
    writer = store.writer(target_of(prefix + "threads"))
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda piece: writer.put(*piece), cut()))
    writer.commit(sealed())
    assert content_of(store, prefix + "threads") == LARGE


def test_two_workers_that_begin_at_once_bring_one_object(store: Store, prefix: str) -> None:
    wanted = target_of(prefix + "both")
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(store.writer, [wanted, wanted])
    pieces = cut()
    first.put(*pieces[0])
    for piece in pieces[1:]:
        second.put(*piece)
    assert set(store.writer(wanted).held()) == {0, 1, 2}
    first.commit(sealed())
    assert content_of(store, prefix + "both") == LARGE


def test_what_a_store_holds_is_told_with_its_digest_or_without_one(store: Store, prefix: str) -> None:
    wanted = target_of(prefix + "held")
    part, piece = cut()[0]
    store.writer(wanted).put(part, piece)
    held = store.writer(wanted).held()[0]
    # S3 keeps no SHA-256 of parts: such a part is read again, never sent again.
    assert held == (replace(part, sha256=None) if store.scheme == "s3" else part)


@pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
def test_a_store_copies_within_itself_this_version_with_what_is_known_of_it(
    store: Store, prefix: str, large: bool
) -> None:
    content = LARGE if large else b"content"
    if large:
        writer = store.writer(target_of(prefix + "one", LARGE, metadata=METADATA))
        for part, piece in cut(LARGE):
            writer.put(part, piece)
        source = writer.commit(sealed(LARGE))
    else:
        source = put(store, prefix + "one", content, metadata=METADATA)
    wanted = target_of(prefix + "two", content, owner="run/copy")
    copied = store.copy_within(source, wanted)
    assert content_of(store, prefix + "two") == content
    assert (copied.sha256, copied.owner) == (source.sha256, "run/copy")
    assert (copied.metadata, copied.media_type) == (METADATA, source.media_type)


def test_a_store_does_not_copy_over_another_object_nor_another_version(
    store: Store, room: Any, prefix: str
) -> None:
    before = put(store, prefix + "one", b"before")
    put(store, prefix + "two", b"somebody else's")
    with pytest.raises(Exception) as raised:  # noqa: PT011 (the provider's own error is as good as ours)
        store.copy_within(before, target_of(prefix + "two", b"before"))
    assert room.translate(raised.value, "here").type == ErrorKind.TARGET_CONFLICT
    put(store, prefix + "one", b"after!", replace=True)
    with pytest.raises(Exception) as changed:  # noqa: PT011
        store.copy_within(before, target_of(prefix + "three", b"before"))
    assert room.translate(changed.value, "here").type == ErrorKind.SOURCE_CHANGED
    assert content_of(store, prefix + "two") == b"somebody else's"
    assert store.stat(prefix + "three") is None


def test_parts_that_were_pushed_through_grants_become_the_object(granting: Any, folder: str) -> None:
    store = granting.store
    uri = store.default_container + folder + "pushed"
    writer = store.writer(target_of(uri, pushed=True))
    for part, piece in cut():
        granting.client.write_part(writer.sign(part, GRANT_LIFE), uri, piece)
    assert store.stat(uri) is None
    store.writer(target_of(uri, pushed=True)).commit(sealed())
    assert content_of(store, uri) == LARGE


def test_nothing_is_minted_for_parts_of_an_object_that_lies_there(granting: Any, folder: str) -> None:
    uri = granting.store.default_container + folder + "there"
    writer = granting.store.writer(target_of(uri))
    for part, piece in cut():
        writer.put(part, piece)
    writer.commit(sealed())
    source = ObjectStat(uri="file:///data", size_bytes=len(LARGE), etag="one")
    sums = tuple(as_sum(part) for part, _ in cut())
    asked = PartGrantRequest(source=source, target=uri, parts=sums, owner="somebody/else")
    minted = ActivityEnvironment().run(granting.storage.grant_parts, asked)
    assert (minted.grants, minted.held) == ((), (0, 1, 2))
    strict = asked.model_copy(update={"if_exists": "fail"})
    with pytest.raises(ApplicationError) as raised:
        ActivityEnvironment().run(granting.storage.grant_parts, strict)
    assert raised.value.type == ErrorKind.TARGET_CONFLICT


def test_other_bytes_that_were_pushed_never_become_the_object(granting: Any, folder: str) -> None:
    store = granting.store
    uri = store.default_container + folder + "forged"
    writer = store.writer(target_of(uri, pushed=True))
    forged = b"X" + LARGE[1:]
    for (part, _), (_, piece) in zip(cut(), cut(forged), strict=True):
        grant = writer.sign(part, GRANT_LIFE)
        # A store may refuse it on arrival, or only at the commit.
        with suppress(ApplicationError):
            granting.client.write_part(grant, uri, piece)
    with pytest.raises(ApplicationError) as raised:
        store.writer(target_of(uri, pushed=True)).commit(sealed())
    assert raised.value.type in {ErrorKind.CHECKSUM_MISMATCH, ErrorKind.UNAVAILABLE}
    assert store.stat(uri) is None


def test_a_bare_grant_reads_without_any_header(granting: Any, folder: str) -> None:
    stat: ObjectStat = put(granting.store, granting.store.default_container + folder + "bare", b"content")
    grant = granting.store.sign_read(stat, GRANT_LIFE, bare=True)
    assert grant.headers == {}
    assert granted(granting.client, grant) == b"content"


def test_a_checksum_that_a_store_vouches_for_is_the_content_s(store: Store, prefix: str) -> None:
    stat = store.stat(put(store, prefix + "one", b"content").uri)
    assert stat is not None
    md5 = base64.b64encode(hashlib.md5(b"content", usedforsecurity=False).digest()).decode()
    assert stat.md5 in ({md5} if store.scheme in {"s3", "gs"} else {None})
