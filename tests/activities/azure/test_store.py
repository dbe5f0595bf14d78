import base64
import hashlib
import os
import uuid
from datetime import timedelta
from typing import Any

import pytest
import urllib3
from temporalio.exceptions import ApplicationError

from activities.azure import staging
from activities.azure.blobs import blob_location
from activities.azure.blocks import block_id, commit_blocks, read_block_id
from activities.azure.removal import DISCARDED
from activities.azure.store import BlobStore
from activities.checksums import crc32c, md5_digest, to_base64
from activities.gathering import part_of
from activities.store import Part, Sealed, WriteTarget
from contracts.artifacts import ObjectStat
from contracts.errors import ErrorKind
from contracts.grants import Measure, WriteIntent
from contracts.units import MIB
from tests import objects

CONTENT = bytes(range(256)) * 100
LIFE = timedelta(minutes=5)


@pytest.fixture
def folder(store: BlobStore) -> str:
    return f"{store.default_container}azure/{uuid.uuid4().hex}/"


@pytest.fixture
def web(settings: Any) -> urllib3.PoolManager:
    return urllib3.PoolManager(ca_certs=os.environ["SSL_CERT_FILE"], retries=False)


def put(store: BlobStore, uri: str, content: bytes = CONTENT) -> ObjectStat:
    return objects.put(store, uri, content)


def target(uri: str, content: bytes, **more: Any) -> WriteTarget:
    return objects.target_of(uri, content, **more)


def intent(uri: str, content: bytes = CONTENT, **more: Any) -> WriteIntent:
    measure = Measure(
        source=ObjectStat(uri="file:///data", size_bytes=len(content), etag="e"),
        crc32c=to_base64(crc32c(content)),
        md5=base64.b64encode(md5_digest(content)).decode(),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    return WriteIntent(target=uri, measure=measure, owner="run/test", **more)


def test_a_block_s_id_says_what_the_block_holds() -> None:
    first, last = part_of(0, b"first"), Part(49_999, 4000 * MIB, 2**32 - 1, b"\xff" * 32)
    names = [block_id(b"01234567", each) for each in (first, last)]
    assert [
        read_block_id(name, each.size_bytes) for name, each in zip(names, (first, last), strict=True)
    ] == [(b"01234567", first), (b"01234567", last)]
    assert {len(name) for name in names} == {62}


@pytest.mark.parametrize("name", ["", "AAAA", "00000.x", "é" * 62, "+" * 62])
def test_a_block_of_another_tool_says_nothing(name: str) -> None:
    assert read_block_id(name, 1) is None


@pytest.mark.parametrize(
    "uri",
    [
        "s3://bucket/a",
        "az://ab/a",
        "az://Upper/a",
        "az://a--b/a",
        "az://causeway/a/../b",
        "az://causeway/./b",
        "no",
    ],
)
def test_what_azure_cannot_name_is_refused(uri: str) -> None:
    with pytest.raises(ApplicationError) as raised:
        blob_location(uri)
    assert raised.value.type == ErrorKind.INVALID_REQUEST


def test_blocks_of_another_source_are_not_taken_up(store: BlobStore, folder: str) -> None:
    uri, content = folder + "large", objects.LARGE
    first, piece = objects.cut(content)[0]
    store.writer(target(uri, content)).put(first, piece)
    assert store.writer(target(uri, content)).held() == {0: first}
    assert store.writer(target(uri, content, etag="e2")).held() == {}
    assert store.writer(target(uri, content + b"more")).held() == {}


def test_an_upload_given_up_leaves_neither_blocks_nor_object(store: BlobStore, folder: str) -> None:
    uri = folder + "large"
    writer = store.writer(target(uri, CONTENT))
    writer.put(part_of(0, CONTENT), CONTENT)
    assert list(store.abort_uploads(folder)) == [uri]
    assert (store.stat(uri), writer.held()) == (None, {})
    assert list(store.abort_uploads(folder)) == []


def test_an_upload_whose_clean_up_was_killed_stands_in_nobody_s_way(store: BlobStore, folder: str) -> None:
    uri = folder + "killed"
    writer = store.writer(target(uri, CONTENT))
    writer.put(part_of(0, CONTENT), CONTENT)
    commit_blocks(writer._blob, [], media_type="text/plain", metadata={DISCARDED: "true"}, replace=False)
    assert store.list(folder, None, 10).objects == ()
    assert store.stat(uri) is None
    assert put(store, uri).size_bytes == len(CONTENT)
    commit_blocks(writer._blob, [], media_type="text/plain", metadata={DISCARDED: "true"}, replace=True)
    assert list(store.abort_uploads(folder)) == [uri]


def test_a_push_whose_commit_was_killed_is_not_sent_again(store: BlobStore, folder: str) -> None:
    wanted = target(folder + "pushed", CONTENT, pushed=True)
    part = part_of(0, CONTENT)
    sealed = Sealed(part.crc32c, hashlib.sha256(CONTENT).hexdigest(), [part])
    killed = store.writer(wanted)
    killed.put(part, CONTENT)
    names = [block_id(killed._pin, part)]
    commit_blocks(killed._staged, names, media_type="text/plain", metadata={}, replace=True)
    again = store.writer(wanted)
    assert again.held() == {0: part}
    assert again.commit(sealed).sha256 == sealed.sha256
    assert b"".join(store.read(store.stat(wanted.uri))) == CONTENT


def test_giving_up_uploads_leaves_objects_alone(store: BlobStore, folder: str) -> None:
    held = put(store, folder + "data")
    store.writer(target(held.uri, CONTENT, replace=True)).put(part_of(0, CONTENT), CONTENT)
    assert list(store.abort_uploads(folder)) == []
    assert store.stat(held.uri) == held


def test_a_commit_whose_blocks_are_gone_is_tried_again(store: BlobStore, folder: str) -> None:
    sealed = Sealed(crc32c(CONTENT), hashlib.sha256(CONTENT).hexdigest(), [part_of(0, CONTENT)])
    with pytest.raises(ApplicationError) as raised:
        store.writer(target(folder + "large", CONTENT)).commit(sealed)
    assert raised.value.type == ErrorKind.UNAVAILABLE
    assert store.stat(folder + "large") is None


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_read_grant_only_reads(
    store: BlobStore, folder: str, web: urllib3.PoolManager, method: str
) -> None:
    grant = store.sign_read(put(store, folder + "data"), LIFE)
    answer = web.request(method, grant.url, body=b"", headers={"x-ms-blob-type": "BlockBlob"})
    assert answer.status == 403


def test_a_write_grant_reaches_neither_the_target_nor_reading(
    store: BlobStore, folder: str, web: urllib3.PoolManager
) -> None:
    wanted = intent(folder + "data")
    grant = store.sign_write(wanted, LIFE)
    elsewhere = grant.url.replace(staging.PREFIX, "", 1)
    assert web.request("PUT", elsewhere, body=CONTENT, headers=grant.headers).status == 403
    assert web.request("PUT", grant.url, body=CONTENT, headers=grant.headers).status == 201
    assert web.request("GET", grant.url).status == 403
    assert store.stat(wanted.target) is None


def test_what_was_pushed_and_not_confirmed_is_given_up(
    store: BlobStore, folder: str, web: urllib3.PoolManager
) -> None:
    wanted = intent(folder + "data")
    grant = store.sign_write(wanted, LIFE)
    web.request("PUT", grant.url, body=CONTENT, headers=grant.headers)
    assert list(store.abort_uploads(folder)) == [wanted.target]
    with pytest.raises(ApplicationError) as raised:
        store.confirm(wanted)
    assert raised.value.type == ErrorKind.SOURCE_MISSING


def test_another_content_that_was_pushed_is_not_confirmed(
    store: BlobStore, folder: str, web: urllib3.PoolManager
) -> None:
    wanted = intent(folder + "data")
    url = store.sign_write(wanted, LIFE).url
    web.request("PUT", url, body=b"x" * len(CONTENT), headers={"x-ms-blob-type": "BlockBlob"})
    with pytest.raises(ApplicationError) as raised:
        store.confirm(wanted)
    assert raised.value.type == ErrorKind.CHECKSUM_MISMATCH
    assert store.stat(wanted.target) is None


def test_arrivals_are_deleted_once_confirmed_and_never_listed(
    store: BlobStore, folder: str, web: urllib3.PoolManager
) -> None:
    wanted = intent(folder + "data")
    grant = store.sign_write(wanted, LIFE)
    web.request("PUT", grant.url, body=CONTENT, headers=grant.headers)
    arrivals = f"{store.default_container}{staging.PREFIX}{blob_location(folder).name}"
    assert len(store.list(arrivals, None, 10).objects) == 1
    assert store.list(store.default_container, None, 5000).objects
    assert not any(
        staging.PREFIX in held.uri for held in store.list(store.default_container, None, 5000).objects
    )
    store.confirm(wanted)
    assert store.list(arrivals, None, 10).objects == ()


def test_a_missing_container_is_named_with_the_command_that_makes_it(store: BlobStore) -> None:
    with pytest.raises(ApplicationError, match="az storage container create --name not-there") as raised:
        store.ensure_container("az://not-there/", create=False)
    assert raised.value.type == ErrorKind.SOURCE_MISSING


def test_a_container_made_when_asked_is_private(store: BlobStore) -> None:
    uri = f"az://made-{uuid.uuid4().hex[:12]}/"
    made, found = (store.ensure_container(uri, create=True) for _ in range(2))
    assert (made.created, found.created) == (True, False)
    assert made.public_access_blocked
