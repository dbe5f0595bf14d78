"""What every store that can be reached from outside promises of its grants."""

import base64
import hashlib
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.checksums import crc32c, to_base64
from contracts.artifacts import ObjectStat
from contracts.errors import ErrorKind
from contracts.grants import GRANT_LIFE, Measure, WriteGrantRequest, WriteIntent
from tests.activities.servers import granted
from tests.contracts.contents import NAMES, OWNER, content_of, put, refused


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


def test_a_push_replaces_what_its_own_run_wrote_whatever_was_said_of_others(
    granting: Any, folder: str
) -> None:
    uri = granting.store.default_container + folder + "data"
    before, intent = put(granting.store, uri, b"before"), intended(uri, b"after!")
    asked = WriteGrantRequest(intents=(intent,))
    grant = ActivityEnvironment().run(granting.storage.grant_write, asked).grants[0]
    assert granting.client.write(grant, [b"after!"]) is True
    assert granting.store.confirm(intent).etag != before.etag
    assert content_of(granting.store, intent.target) == b"after!"
    other = intended(uri, b"other!").model_copy(update={"owner": "somebody/else"})
    others = WriteGrantRequest(intents=(other,))
    with refused(ErrorKind.TARGET_CONFLICT, granting.translate):
        ActivityEnvironment().run(granting.storage.grant_write, others)


def test_a_push_over_its_own_runs_object_spares_what_somebody_else_put_there_meanwhile(
    granting: Any, folder: str
) -> None:
    uri = granting.store.default_container + folder + "data"
    before = put(granting.store, uri, b"before")
    intent = intended(uri, b"after!")
    asked = WriteGrantRequest(intents=(intent,))
    grant = ActivityEnvironment().run(granting.storage.grant_write, asked).grants[0]
    if granting.store.scheme == "gs":
        # The local stand-in minds this header only where it is 0.
        assert grant.headers["x-goog-if-generation-match"] == before.etag
        return
    put(granting.store, uri, b"theirs", owner="somebody/else", replace=True)
    with refused(ErrorKind.TARGET_CONFLICT, granting.translate):
        granting.client.write(grant, [b"after!"])
        granting.store.confirm(intent)
    assert content_of(granting.store, uri) == b"theirs"


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
