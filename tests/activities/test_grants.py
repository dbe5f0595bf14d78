"""Where a grant may point, what it may be minted for, and what a refusal tells."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.checksums import crc32c, to_base64
from activities.grant_client import GrantClient
from activities.grants import HostRules
from contracts.artifacts import ObjectStat
from contracts.errors import ErrorKind
from contracts.grants import Measure, ReadGrant, WriteGrant, WriteIntent
from tests.activities.servers import granted, serving

LATER = datetime(2100, 1, 1, tzinfo=UTC)


def stat(size_bytes: int = 10, uri: str = "s3://bucket/data") -> ObjectStat:
    return ObjectStat(uri=uri, size_bytes=size_bytes, etag="one")


def grant(url: str, size_bytes: int = 10) -> ReadGrant:
    return ReadGrant(source=stat(size_bytes), url=url, expires_at=LATER)


def write_grant(url: str, content: bytes) -> WriteGrant:
    measure = Measure(source=stat(len(content)), crc32c=to_base64(crc32c(content)), md5="", sha256="0" * 64)
    return WriteGrant(
        intent=WriteIntent(target="gs://bucket/data", measure=measure), url=url, expires_at=LATER
    )


@pytest.mark.parametrize(
    "url",
    [
        "https://bucket.s3.eu-central-1.amazonaws.com/key?X-Amz-Signature=x",
        "https://s3.us-east-1.amazonaws.com/bucket/key",
        "https://bucket.s3.amazonaws.com/key",
        "https://bucket.name.s3.dualstack.us-gov-west-1.amazonaws.com/key",
        "https://s3.cn-north-1.amazonaws.com.cn/bucket/key",
        "https://account.blob.core.windows.net/container/blob?sig=x",
        "https://storage.googleapis.com/bucket/key",
        "https://bucket.storage.googleapis.com/key",
        "https://minio.example.org/bucket/key",
        "https://localhost:10000/account/container",
        "http://127.0.0.1:9000/bucket",
    ],
)
def test_a_grant_to_a_store_is_followed(url: str) -> None:
    HostRules(("minio.example.org", "localhost:10000", "127.0.0.1:9000")).check(url, "s3://bucket/data")


@pytest.mark.parametrize(
    "url",
    [
        "http://bucket.s3.amazonaws.com/key",
        "https://169.254.169.254/latest/meta-data",
        "http://169.254.169.254/latest/meta-data",
        "https://evil.example.org/s3.amazonaws.com",
        "https://s3.amazonaws.com.evil.example.org/x",
        "https://evils3.amazonaws.com/x",
        "https://abc.execute-api.us-east-1.amazonaws.com/x",
        "https://s3-1.us-east-1.elb.amazonaws.com/x",
        "https://s3.amazonaws.com:8443/x",
        "https://account.file.core.windows.net/x",
        "https://blob.core.windows.net/x",
        "https://evilstorage.googleapis.com/x",
        "https://www.googleapis.com/storage",
        "https://user@storage.googleapis.com/x",
        "https://storage.googleapis.com@evil.example.org/x",
        "https://storage.googleapis.com\\@evil.example.org/x",
        "http://127.0.0.1:9001/x",
        "http://127.0.0.1/x",
        "http://listed.example.org:80/x",
        "https://listed.example.org/x",
        "http://[::1]:9000/x",
        "file:///etc/passwd",
        "ftp://storage.googleapis.com/x",
        "//storage.googleapis.com/x",
        "",
        "https://",
    ],
)
def test_a_grant_to_anywhere_else_is_not(url: str) -> None:
    with pytest.raises(ApplicationError) as raised:
        HostRules(("127.0.0.1:9000", "listed.example.org:80")).check(url, "s3://bucket/data")
    assert (raised.value.type, raised.value.non_retryable) == (ErrorKind.ACCESS_DENIED, True)
    assert "s3://bucket/data" in raised.value.message


def test_a_granted_object_is_read_whole() -> None:
    content = bytes(range(256)) * 20_000
    with serving(content) as source:
        client = GrantClient(HostRules((source.host,)))
        assert granted(client, grant(source.url(), len(content))) == content


def refused(source: Any, size_bytes: int = 10) -> ApplicationError:
    with pytest.raises(ApplicationError) as raised:
        granted(GrantClient(HostRules((source.host,))), grant(source.url(), size_bytes))
    return raised.value


@pytest.mark.parametrize(
    ("status", "body", "kind", "final"),
    [
        (403, b"<Error><Code>AccessDenied</Code></Error>", ErrorKind.ACCESS_DENIED, True),
        (403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>", ErrorKind.UNAVAILABLE, True),
        (401, b"", ErrorKind.UNAVAILABLE, True),
        (400, b"<Error><Code>ExpiredToken</Code></Error>", ErrorKind.UNAVAILABLE, True),
        (400, b"<Error><Code>RequestTimeTooSkewed</Code></Error>", ErrorKind.UNAVAILABLE, True),
        (400, b"", ErrorKind.INVALID_REQUEST, True),
        (404, b"<Error><Code>NoSuchKey</Code></Error>", ErrorKind.SOURCE_MISSING, True),
        (412, b"", ErrorKind.SOURCE_CHANGED, True),
        (416, b"", ErrorKind.SOURCE_CHANGED, True),
        (429, b"", ErrorKind.THROTTLED, False),
        (503, b"<Error><Code>SlowDown</Code></Error>", ErrorKind.THROTTLED, False),
        (500, b"", ErrorKind.UNAVAILABLE, False),
        (503, b"", ErrorKind.UNAVAILABLE, False),
    ],
)
def test_a_refusal_is_told_by_its_code_and_without_the_signature(
    status: int, body: bytes, kind: ErrorKind, final: bool
) -> None:
    with serving(fault="status", status=status, body=body + b" SECRET") as source:
        error = refused(source)
    assert (error.type, error.non_retryable) == (kind, final)
    assert "SECRET" not in repr(error) + repr(error.details)
    assert "127.0.0.1" in error.message
    assert "s3://bucket/data" in error.message


def test_a_throttled_read_waits_as_long_as_it_was_told() -> None:
    with serving(fault="status", status=429, headers={"Retry-After": "17"}) as source:
        assert refused(source).next_retry_delay == timedelta(seconds=17)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with serving(b"stolen") as elsewhere, serving(fault="redirect", status=status) as source:
        source.headers["Location"] = elsewhere.url()
        error = refused(source)
        assert elsewhere.requests == []
    assert (error.type, error.non_retryable) == (ErrorKind.UNSUPPORTED, True)
    assert "SECRET" not in repr(error)


@pytest.mark.parametrize(
    ("fault", "size_bytes", "kind"),
    [
        ("cut", 1000, ErrorKind.UNAVAILABLE),
        ("short", 1007, ErrorKind.UNAVAILABLE),
        ("none", 900, ErrorKind.SOURCE_CHANGED),
        ("none", 1100, ErrorKind.SOURCE_CHANGED),
    ],
    ids=["cut", "shorter than its length says", "longer than listed", "shorter than listed"],
)
def test_a_body_that_is_not_whole_is_never_taken_for_one(
    fault: Any, size_bytes: int, kind: ErrorKind
) -> None:
    with serving(b"x" * 1000, fault=fault) as source:
        error = refused(source, size_bytes)
    assert error.type == kind
    assert "SECRET" not in repr(error)


def test_a_source_that_is_away_is_unavailable() -> None:
    with serving(b"x") as source:
        pass
    error = refused(source)
    assert (error.type, error.non_retryable) == (ErrorKind.UNAVAILABLE, False)
    assert "SECRET" not in repr(error)


def test_a_certificate_that_nobody_vouches_for_is_not_trusted() -> None:
    with serving(b"x") as source:
        url = source.url().replace("http:", "https:")
        with pytest.raises(ApplicationError) as raised:
            granted(GrantClient(HostRules((source.host,))), grant(url, 1))
    assert raised.value.type == ErrorKind.UNAVAILABLE
    assert "SSLError" in raised.value.message


@pytest.mark.parametrize("content", [b"", b"pushed " * 1000], ids=["empty", "some"])
def test_a_write_grant_sends_its_object(content: bytes) -> None:
    with serving() as source:
        client = GrantClient(HostRules((source.host,)))
        assert client.write(write_grant(source.url(), content), iter([content])) is True
        assert source.stored == {"/bucket/data": content}


@pytest.mark.parametrize("status", [409, 412])
def test_a_write_that_finds_an_object_there_leaves_it_to_the_commit(status: int) -> None:
    with serving(fault="status", status=status) as source:
        client = GrantClient(HostRules((source.host,)))
        assert client.write(write_grant(source.url(), b"x"), [b"x"]) is False


@pytest.mark.parametrize(
    ("code", "kind"),
    [("BadDigest", ErrorKind.CHECKSUM_MISMATCH), ("Md5Mismatch", ErrorKind.CHECKSUM_MISMATCH)],
)
def test_a_write_that_was_damaged_is_told_as_such(code: str, kind: ErrorKind) -> None:
    with serving(fault="status", status=400, body=f"<Code>{code}</Code>".encode()) as source:
        client = GrantClient(HostRules((source.host,)))
        with pytest.raises(ApplicationError) as raised:
            client.write(write_grant(source.url(), b"x"), [b"x"])
    assert raised.value.type == kind


def test_a_grant_shows_no_signature_when_it_is_printed() -> None:
    assert "SECRET" not in repr(grant("https://storage.googleapis.com/x?sig=SECRET"))
