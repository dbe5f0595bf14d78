"""The wire that other tests trust."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from urllib3 import PoolManager

from activities import whole_answers
from activities.grant_client import GrantClient
from activities.grants import HostRules
from contracts.artifacts import ObjectStat
from contracts.errors import ErrorKind
from contracts.grants import ReadGrant
from tests.activities.servers import granted, serving
from tests.wire import Fault, Wire, wire_to

CONTENT = bytes(range(256)) * 400


def read(source: Any, wire: Wire) -> bytes:
    url = source.url().replace(str(source.port), str(wire.port))
    stat = ObjectStat(uri="s3://bucket/data", size_bytes=len(source.content), etag='"v1"')
    grant = ReadGrant(source=stat, url=url, expires_at=datetime.now(UTC) + timedelta(minutes=1))
    return granted(GrantClient(HostRules((f"127.0.0.1:{wire.port}",))), grant)


def refused(source: Any, wire: Wire) -> ApplicationError:
    with pytest.raises(ApplicationError) as raised:
        read(source, wire)
    return raised.value


def test_a_wire_passes_and_counts_every_byte_and_request() -> None:
    with serving(CONTENT) as source, wire_to(source.port) as wire:
        assert [read(source, wire) for _ in range(2)] == [CONTENT, CONTENT]
        assert 2 * len(CONTENT) < wire.down < 2 * len(CONTENT) + 1000
        assert (wire.requests, len(source.requests)) == (2, 2)
        assert [len(times) for times in wire.times.values()] == [2]


@pytest.mark.parametrize(("kind", "told"), [("503", ErrorKind.UNAVAILABLE), ("429", ErrorKind.THROTTLED)])
def test_a_request_that_is_refused_never_reaches_the_server(kind: Any, told: ErrorKind) -> None:
    with serving(CONTENT) as source, wire_to(source.port) as wire:
        wire.retry_after = 17
        wire.expect([Fault("down", kind, 1)])
        assert read(source, wire) == CONTENT
        error = refused(source, wire)
        assert (error.type, error.next_retry_delay) == (told, timedelta(seconds=17))
        assert read(source, wire) == CONTENT
        assert len(source.requests) == 2
        assert wire.refused == list(wire.times)


def test_a_truncated_answer_lacks_its_last_byte() -> None:
    with serving(CONTENT) as source, wire_to(source.port) as wire:
        wire.expect([Fault("down", "truncate", 0)])
        assert refused(source, wire).type == ErrorKind.UNAVAILABLE
        assert wire.struck == [Fault("down", "truncate", 0)]
        assert wire.down > len(CONTENT)
        assert read(source, wire) == CONTENT


def test_a_damaged_byte_is_the_only_one_that_differs() -> None:
    with serving(CONTENT) as source, wire_to(source.port) as wire:
        wire.expect([Fault("down", "damage", 5_000)])
        found = read(source, wire)
    assert [one ^ other for one, other in zip(found, CONTENT, strict=True) if one != other] == [1]


def test_a_connection_is_cut_at_its_byte() -> None:
    with serving(CONTENT) as source, wire_to(source.port) as wire:
        wire.expect([Fault("down", "cut", 5_000)])
        assert refused(source, wire).type == ErrorKind.UNAVAILABLE
        assert read(source, wire) == CONTENT


@pytest.mark.parametrize("at", [0, 1, 20, 40, 90])
def test_an_answer_that_ends_among_its_headers_is_a_broken_connection_and_nothing_is_logged(
    at: int, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(b"", headers={"x-amz-meta-colour": "green", "x-amz-meta-note": "two words"}) as source:
        with wire_to(source.port) as wire:
            assert read(source, wire) == b""
            wire.expect([Fault("down", "cut", at)])
            assert refused(source, wire).type == ErrorKind.UNAVAILABLE
    assert "SECRET" not in caplog.text


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=abc", "multipart/mixed", "message/rfc822"])
def test_a_media_type_of_mails_is_as_good_as_any(kind: str) -> None:
    with serving(b"--abc", headers={"Content-Type": kind}) as source:
        pool = PoolManager(retries=False)
        whole_answers.demanded_of(pool)
        answer = pool.request("GET", source.url())
    assert (answer.data, answer.headers["Content-Type"]) == (b"--abc", kind)
