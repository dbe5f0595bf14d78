import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import urllib3
from botocore.exceptions import ClientError
from temporalio.exceptions import ApplicationError

from activities.aws import room
from activities.aws.settings import AwsSettings
from activities.aws.store import S3Store
from activities.checksums import Hashes, crc32c, to_base64
from activities.store import Part, Sealed, WriteTarget
from contracts.artifacts import ObjectStat
from contracts.grants import Measure, WriteIntent
from tests.house import PATIENCE_SECONDS
from tests.objects import LARGE, cut, put, sealed, target_of

CONTENT = LARGE
MINUTE = timedelta(minutes=1)


def target(uri: str, **more: Any) -> WriteTarget:
    return target_of(uri, CONTENT, **more)


def parts() -> list[tuple[Part, bytes]]:
    return cut(CONTENT)


def intent(uri: str, content: bytes, source: ObjectStat) -> WriteIntent:
    hashes = Hashes(len(content), md5=True)
    hashes.feed(content)
    measure = Measure(source=source, crc32c=to_base64(hashes.crc32c), md5=hashes.md5, sha256=hashes.sha256)
    return WriteIntent(target=uri, measure=measure, owner="run/test")


def kind(raised: pytest.ExceptionInfo[ApplicationError]) -> str | None:
    return raised.value.type


def test_a_small_object_keeps_its_checksums_and_owner(store: S3Store, prefix: str) -> None:
    written = put(store, f"{prefix}a b+c.txt", b"hello")
    found = store.stat(written.uri)
    assert found == written
    assert found.crc32c == to_base64(crc32c(b"hello"))
    assert (found.sha256, found.owner) == (hashlib.sha256(b"hello").hexdigest(), "run/test")
    assert b"".join(store.read(found)) == b"hello"


def test_a_small_object_is_encrypted(store: S3Store, s3: Any, prefix: str) -> None:
    put(store, f"{prefix}x", b"hello")
    bucket, key = prefix.removeprefix("s3://").split("/", 1)
    assert s3.head_object(Bucket=bucket, Key=f"{key}x")["ServerSideEncryption"] == "AES256"


def test_everything_is_encrypted_with_the_connections_key(
    settings: AwsSettings, s3: Any, prefix: str
) -> None:
    key = room.client(settings, "kms").create_key()["KeyMetadata"]["Arn"]
    store = room.store(settings.model_copy(update={"kms_key": key}))
    source = put(store, f"{prefix}small", b"hello")
    writer = store.writer(target(f"{prefix}big"))
    for part, content in parts():
        writer.put(part, content)
    assert [part.crc32c for part in writer.held().values() if part] == [part.crc32c for part, _ in parts()]
    writer.commit(sealed())
    grant = store.sign_write(intent(f"{prefix}pushed", b"hello", source), MINUTE)
    assert request("PUT", grant.url, grant.headers, b"hello").status == 200
    bucket, path = prefix.removeprefix("s3://").split("/", 1)
    for name in ("small", "big", "pushed"):
        answer = s3.head_object(Bucket=bucket, Key=path + name)
        assert (answer["ServerSideEncryption"], answer["SSEKMSKeyId"]) == ("aws:kms", key)


def test_another_object_is_not_replaced_unless_it_may_be(store: S3Store, prefix: str) -> None:
    uri = f"{prefix}x"
    first = put(store, uri, b"one")
    for content in (b"one", b"two"):
        with pytest.raises(ApplicationError) as raised:
            put(store, uri, content)
        assert kind(raised) == "TARGET_CONFLICT"
    assert put(store, uri, b"two", replace=True).etag != first.etag


def test_an_empty_object_is_read_and_listed(store: S3Store, prefix: str) -> None:
    written = put(store, f"{prefix}empty", b"")
    assert b"".join(store.read(written)) == b""
    assert [item.uri for item in store.list(prefix, None, 10).objects] == [written.uri]


def test_a_read_starts_where_it_is_told(store: S3Store, prefix: str) -> None:
    written = put(store, f"{prefix}x", b"0123456789")
    assert b"".join(store.read(written, 4)) == b"456789"
    assert b"".join(store.read(written, 10)) == b""


def test_a_read_of_another_version_says_the_source_changed(store: S3Store, prefix: str) -> None:
    before = put(store, f"{prefix}x", b"one")
    put(store, f"{prefix}x", b"two", replace=True)
    with pytest.raises(ApplicationError) as raised:
        list(store.read(before))
    assert kind(raised) == "SOURCE_CHANGED"


def test_a_listing_goes_on_after_its_page_and_leaves_siblings_and_markers_out(
    store: S3Store, s3: Any, prefix: str
) -> None:
    bucket, key = prefix.removeprefix("s3://").split("/", 1)
    s3.put_object(Bucket=bucket, Key=f"{key}d/sub/", Body=b"")
    wanted = [put(store, f"{prefix}d/{name}", b"x").uri for name in ("a", "b c", "ü")]
    put(store, f"{prefix}d2/z", b"x")
    found, after = [], None
    while True:
        page = store.list(f"{prefix}d/", after, 2)
        found += [item.uri for item in page.objects]
        after = page.next_after
        if after is None:
            break
    assert found == wanted


def test_a_prefix_with_nothing_is_an_empty_page(store: S3Store, prefix: str) -> None:
    assert store.list(prefix, None, 10).objects == ()
    assert store.stat(f"{prefix}x") is None


def test_delete_says_whether_there_was_anything(store: S3Store, prefix: str) -> None:
    put(store, f"{prefix}x", b"x")
    assert [store.delete(f"{prefix}x"), store.delete(f"{prefix}x")] == [True, False]


def test_an_upload_is_taken_up_by_another_writer_and_committed_whole(store: S3Store, prefix: str) -> None:
    wanted = target(f"{prefix}big")
    first = store.writer(wanted)
    for part, content in parts()[:2]:
        first.put(part, content)
    second = store.writer(wanted)
    assert dict(second.held()) == {part.index: replace(part, sha256=None) for part, _ in parts()[:2]}
    second.put(*parts()[2])
    assert store.stat(wanted.uri) is None
    done = second.commit(sealed())
    assert (done.size_bytes, done.crc32c, done.sha256) == (
        len(CONTENT),
        to_base64(sealed().crc32c),
        sealed().sha256,
    )
    assert (done.owner, done.media_type) == ("run/test", "text/plain")
    assert b"".join(store.read(done)) == CONTENT
    assert store.abort_uploads(prefix) == []


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"etag": '"v2"'}, id="another version"),
        pytest.param({"owner": "b/test"}, id="another run"),
    ],
)
def test_parts_of_something_else_are_never_held(store: S3Store, prefix: str, other: dict[str, Any]) -> None:
    first = store.writer(target(f"{prefix}big"))
    first.put(*parts()[0])
    second = store.writer(target(f"{prefix}big", **other))
    assert dict(second.held()) == {}
    for part, content in parts():
        second.put(part, content)
    second.commit(sealed())
    assert store.abort_uploads(prefix) == []


def test_an_upload_to_a_sibling_or_of_another_program_is_left_alone(
    store: S3Store, s3: Any, prefix: str
) -> None:
    bucket, key = prefix.removeprefix("s3://").split("/", 1)
    s3.create_multipart_upload(Bucket=bucket, Key=f"{key}big")
    store.writer(target(f"{prefix}bigger")).put(*parts()[0])
    writer = store.writer(target(f"{prefix}big"))
    assert dict(writer.held()) == {}
    for part, content in parts():
        writer.put(part, content)
    writer.commit(sealed())
    assert store.abort_uploads(prefix) == [f"{prefix}big", f"{prefix}bigger"]


def test_a_part_that_arrives_damaged_is_refused(store: S3Store, prefix: str) -> None:
    writer = store.writer(target(f"{prefix}big"))
    part, content = parts()[0]
    with pytest.raises(ClientError) as raised:
        writer.put(part, b"X" + content[1:])
    assert raised.value.response["Error"]["Code"] == "BadDigest"
    assert dict(writer.held()) == {}


def test_a_commit_of_other_bytes_than_were_read_publishes_nothing(store: S3Store, prefix: str) -> None:
    writer = store.writer(target(f"{prefix}big"))
    for part, content in parts():
        writer.put(part, content)
    other = [replace(part, crc32c=part.crc32c ^ 1) for part, _ in parts()]
    with pytest.raises(ApplicationError) as raised:
        writer.commit(Sealed(sealed().crc32c, sealed().sha256, other))
    assert kind(raised) == "CHECKSUM_MISMATCH"
    assert store.stat(f"{prefix}big") is None


def test_a_commit_without_all_parts_publishes_nothing(store: S3Store, prefix: str) -> None:
    writer = store.writer(target(f"{prefix}big"))
    writer.put(*parts()[0])
    with pytest.raises(ApplicationError) as raised:
        writer.commit(sealed())
    assert kind(raised) == "UNAVAILABLE"
    assert store.stat(f"{prefix}big") is None


def test_a_commit_does_not_replace_what_came_to_lie_there(store: S3Store, prefix: str) -> None:
    writer = store.writer(target(f"{prefix}big"))
    for part, content in parts():
        writer.put(part, content)
    put(store, f"{prefix}big", b"someone else's")
    with pytest.raises(ApplicationError) as raised:
        writer.commit(sealed())
    assert kind(raised) == "TARGET_CONFLICT"
    found = store.stat(f"{prefix}big")
    assert found is not None
    assert b"".join(store.read(found)) == b"someone else's"
    assert store.abort_uploads(prefix) == []


@pytest.mark.parametrize("replaces", [False, True], ids=["create", "replace"])
def test_a_commit_whose_answer_was_lost_is_found_done(store: S3Store, prefix: str, replaces: bool) -> None:
    writer = store.writer(target(f"{prefix}big", replace=replaces))
    for part, content in parts():
        writer.put(part, content)
    first = writer.commit(sealed())
    assert writer.commit(sealed()) == first


def test_a_read_grant_reads_this_version_and_nothing_else(store: S3Store, prefix: str) -> None:
    written = put(store, f"{prefix}a b.txt", b"hello")
    grant = store.sign_read(written, MINUTE)
    assert request("GET", grant.url, grant.headers).data == b"hello"
    assert request("GET", grant.url, {}).status == 403
    assert request("GET", grant.url.replace("a%20b", "c"), grant.headers).status == 403
    assert request("GET", grant.url, {"If-Match": '"other"'}).status == 403
    put(store, written.uri, b"changed", replace=True)
    assert request("GET", grant.url, grant.headers).status == 412


def test_a_grant_lives_a_quarter_of_an_hour_at_most(store: S3Store, prefix: str) -> None:
    grant = store.sign_read(put(store, f"{prefix}x", b"x"), timedelta(days=1))
    assert grant.expires_at <= datetime.now(UTC) + timedelta(minutes=15)
    assert "X-Amz-Expires=900" in grant.url


def test_a_write_grant_writes_exactly_what_was_measured(store: S3Store, prefix: str) -> None:
    source = put(store, f"{prefix}source", b"hello")
    wish = intent(f"{prefix}target", b"hello", source)
    grant = store.sign_write(wish, MINUTE)
    longer = {**grant.headers, "Content-Length": "6"}
    assert request("PUT", grant.url, longer, b"hello!").status == 403
    assert request("PUT", grant.url, grant.headers, b"jello").status == 400
    assert store.stat(wish.target) is None
    with pytest.raises(ApplicationError) as raised:
        store.confirm(wish)
    assert kind(raised) == "SOURCE_MISSING"
    assert request("PUT", grant.url, grant.headers, b"hello").status == 200
    done = store.confirm(wish)
    assert done == store.confirm(wish)
    assert (done.crc32c, done.sha256, done.owner) == (source.crc32c, source.sha256, "run/test")
    assert request("PUT", grant.url, grant.headers, b"hello").status == 412


def test_what_others_wrote_is_not_confirmed(store: S3Store, prefix: str) -> None:
    source = put(store, f"{prefix}source", b"hello")
    put(store, f"{prefix}target", b"jello")
    with pytest.raises(ApplicationError) as raised:
        store.confirm(intent(f"{prefix}target", b"hello", source))
    assert kind(raised) == "TARGET_CONFLICT"


def request(method: str, url: str, headers: dict[str, str], body: bytes | None = None) -> Any:
    return urllib3.request(method, url, headers=headers, body=body, retries=False, timeout=PATIENCE_SECONDS)
