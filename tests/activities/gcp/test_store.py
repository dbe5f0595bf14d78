import gzip
import hashlib
import os
import uuid

import pytest
from google.cloud import storage
from temporalio.exceptions import ApplicationError

from activities.checksums import crc32c, to_base64
from activities.gathering import part_of
from activities.gcp.store import GcsStore
from activities.gcp.writer import COMPOSE_LIMIT, UPLOADS
from activities.granting import Minter
from activities.grants import AllowList
from activities.store import ObjectWriter, Part, Sealed, WriteTarget
from contracts.artifacts import locate
from contracts.errors import ErrorKind
from contracts.grants import GRANT_LIFE, Measure, WriteIntent
from tests.objects import put

PART = 1000


def target(uri: str, body: bytes, *, replace: bool = False, etag: str = "1") -> WriteTarget:
    return WriteTarget(uri, len(body), etag, "run/copy", replace, "text/csv")


def parts_of(body: bytes) -> list[Part]:
    pieces = [body[start : start + PART] for start in range(0, len(body), PART)]
    return [part_of(index, piece) for index, piece in enumerate(pieces)]


def send(writer: ObjectWriter, body: bytes, parts: list[Part]) -> None:
    for part in parts:
        writer.put(part, body[part.index * PART : part.index * PART + part.size_bytes])


def sealed(body: bytes) -> Sealed:
    return Sealed(crc32c(body), hashlib.sha256(body).hexdigest(), parts_of(body))


def names(objects: storage.Client, below: str) -> list[str]:
    return [blob.name for blob in objects.list_blobs("causeway", prefix=below)]


@pytest.mark.parametrize(
    "count",
    [1, COMPOSE_LIMIT, COMPOSE_LIMIT + 1, 2 * COMPOSE_LIMIT + 5],
    ids=["one part", "one compose", "one more", "three composes"],
)
def test_an_object_of_any_number_of_parts_is_composed_and_its_parts_are_removed(
    store: GcsStore, objects: storage.Client, prefix: str, count: int
) -> None:
    body = os.urandom(PART * count - 1)
    uri = f"{prefix}object"
    writer = store.writer(target(uri, body))
    send(writer, body, parts_of(body))
    written = writer.commit(sealed(body))
    assert b"".join(store.read(written)) == body
    assert (written.crc32c, written.sha256, written.owner) == (
        to_base64(crc32c(body)),
        hashlib.sha256(body).hexdigest(),
        "run/copy",
    )
    assert names(objects, f"{UPLOADS}{uri.removeprefix('gs://causeway/')}") == []


def test_a_composed_object_that_is_not_what_was_read_never_appears(store: GcsStore, prefix: str) -> None:
    body = os.urandom(PART * 3)
    writer = store.writer(target(f"{prefix}object", body))
    send(writer, body, parts_of(body))
    with pytest.raises(ApplicationError) as raised:
        writer.commit(Sealed(1, "0" * 64, parts_of(body)))
    assert raised.value.type == ErrorKind.CHECKSUM_MISMATCH
    assert store.stat(f"{prefix}object") is None


def test_a_part_that_was_replaced_by_something_else_stops_the_commit(
    store: GcsStore, objects: storage.Client, prefix: str
) -> None:
    body = os.urandom(PART * 2)
    uri = f"{prefix}object"
    writer = store.writer(target(uri, body))
    send(writer, body, parts_of(body))
    found = names(objects, f"{UPLOADS}{uri.removeprefix('gs://causeway/')}")
    objects.bucket("causeway").blob(found[1]).upload_from_string(b"another")
    with pytest.raises(ApplicationError) as raised:
        writer.commit(sealed(body))
    assert raised.value.type == ErrorKind.CHECKSUM_MISMATCH


def test_a_commit_whose_answer_was_lost_finds_its_own_object(store: GcsStore, prefix: str) -> None:
    body = os.urandom(PART * 2)
    writer = store.writer(target(f"{prefix}object", body))
    send(writer, body, parts_of(body))
    first = writer.commit(sealed(body))
    send(writer, body, parts_of(body))
    assert writer.commit(sealed(body)) == first


def test_parts_of_another_version_of_the_source_are_not_taken_for_this_ones(
    store: GcsStore, prefix: str
) -> None:
    body = os.urandom(PART * 2)
    send(store.writer(target(f"{prefix}object", body, etag="1")), body, parts_of(body))
    assert store.writer(target(f"{prefix}object", body, etag="2")).held() == {}
    assert store.abort_uploads(prefix) == [f"{prefix}object"]


def test_unfinished_uploads_of_a_sibling_are_not_given_up(store: GcsStore, prefix: str) -> None:
    body = os.urandom(PART)
    for name in ("a", "ab", "a/b"):
        send(store.writer(target(prefix + name, body)), body, parts_of(body))
    assert store.abort_uploads(f"{prefix}a") == [f"{prefix}a"]
    assert store.abort_uploads(prefix) == [f"{prefix}a/b", f"{prefix}ab"]


def test_parts_are_no_objects_of_the_bucket(store: GcsStore, prefix: str) -> None:
    body = os.urandom(PART)
    send(store.writer(target(f"{prefix}object", body)), body, parts_of(body))
    listed = store.list(store.default_container, None, 500).objects
    assert not [found.uri for found in listed if UPLOADS in found.uri]
    store.abort_uploads(prefix)


def test_a_bucket_that_is_missing_is_told_with_the_command_that_makes_it(store: GcsStore) -> None:
    uri = f"gs://causeway-{uuid.uuid4().hex[:12]}/"
    with pytest.raises(ApplicationError, match=r"gcloud storage buckets create gs://causeway-") as raised:
        store.ensure_container(uri, create=False)
    assert raised.value.type == ErrorKind.SOURCE_MISSING
    assert store.ensure_container(uri, create=True).created
    assert not store.ensure_container(uri, create=True).created


def test_a_write_grant_pins_length_checksums_and_absence(store: GcsStore, prefix: str) -> None:
    body = b"x" * 10
    source = put(store, f"{prefix}source", body)
    measure = Measure(source=source, crc32c=to_base64(crc32c(body)), md5="md5==", sha256="0" * 64)
    grant = store.sign_write(WriteIntent(target=f"{prefix}target", measure=measure), GRANT_LIFE)
    assert grant.headers["x-goog-content-length-range"] == "10,10"
    assert grant.headers["x-goog-hash"] == f"crc32c={measure.crc32c},md5=md5=="
    assert grant.headers["x-goog-if-generation-match"] == "0"
    assert "x-goog-if-generation-match" in grant.url
    replacing = WriteIntent(target=f"{prefix}target", measure=measure, if_exists="overwrite")
    assert "x-goog-if-generation-match" not in store.sign_write(replacing, GRANT_LIFE).headers


def test_what_google_unpacks_for_readers_is_not_left_to_others_to_fetch(
    store: GcsStore, objects: storage.Client, prefix: str
) -> None:
    where = locate(f"{prefix}packed")
    blob = objects.bucket(where.container).blob(where.name)
    blob.content_encoding = "gzip"
    blob.upload_from_string(gzip.compress(b"text" * 100), content_type="text/plain")
    stat = store.stat(f"{prefix}packed")
    assert stat is not None
    minter = Minter(store, AllowList(("gs://causeway/",)))
    grant = minter.reads((stat,), GRANT_LIFE, bare=True).grants[0]
    assert (grant.source.md5, grant.headers["Accept-Encoding"]) == (None, "gzip")
