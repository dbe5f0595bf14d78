"""Stores that are slow, away or full, and sources that go or change under way: one clear error of the right kind each."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from contracts.copies import CopyItem, CopyRequest, PartsRequest
from contracts.errors import ErrorKind
from contracts.grants import ReadGrantRequest
from tests.contracts.conftest import SANDBOXED, WIRED
from tests.contracts.journeys import OWNER, Journey, run
from tests.objects import LARGE, cut, put, sealed, target_of
from tests.wire import Fault

CLOUDS = ("aws", "azure", "gcp")
ONPREM = WIRED + SANDBOXED + "onprem"
SMALL = b"some content"


def lay(room: Any, content: bytes, uri: str | None = None) -> Any:
    uri = uri or target_in(room)
    if content is SMALL:
        return put(room.store, uri, content)
    writer = room.store.writer(target_of(uri, content, etag=str(hash(content)), replace=True))
    for part, piece in cut(content):
        writer.put(part, piece)
    return writer.commit(sealed(content))


def target_in(room: Any) -> str:
    return f"{room.store.default_container}weather/{uuid.uuid4().hex}"


def refusal(verb: Any, *arguments: Any) -> ApplicationError:
    with pytest.raises(ApplicationError) as raised:
        verb(*arguments)
    assert "ignature=" not in repr(raised.value)
    assert "sig=" not in repr(raised.value)
    return raised.value


@pytest.mark.parametrize(("kind", "told"), [("503", ErrorKind.UNAVAILABLE), ("429", ErrorKind.THROTTLED)])
@pytest.mark.parametrize("end", ["source", "target"])
@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_store_that_asks_for_patience_is_given_it(
    rooms: Any, cloud: str, end: str, kind: Any, told: ErrorKind
) -> None:
    wired, wire = rooms[WIRED + cloud], rooms.wires[cloud]
    other = rooms[ONPREM]
    journey = (
        Journey(wired, other, lay(rooms[cloud], SMALL), target_in(other))
        if end == "source"
        else Journey(other, wired, lay(other, SMALL), target_in(wired))
    )
    wire.retry_after = 7
    # Google's SDK looks at the bucket besides, in a thread of its own, and may be the one that is refused.
    wire.expect(Fault("down", kind, number) for number in range(3))
    error = refusal(journey.attempt)
    assert (error.type, error.next_retry_delay) == (told, timedelta(seconds=7))
    assert not error.non_retryable
    assert wire.struck
    wire.expect(())
    assert journey.attempt()


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_store_that_is_away_is_unavailable_and_none_of_its_objects_is_missing(
    rooms: Any, cloud: str
) -> None:
    wired, wire, stat = rooms[WIRED + cloud], rooms.wires[cloud], lay(rooms[cloud], SMALL)
    port, wire.upstream = wire.upstream, 9
    wire.cut()
    try:
        for ask in (lambda: wired.store.stat(stat.uri), lambda: wired.store.list(stat.uri + "/", None, 10)):
            with pytest.raises(Exception) as raised:  # noqa: PT011 (the provider's own error is as good as ours)
                ask()
            assert wired.translate(raised.value, stat.uri).type == ErrorKind.UNAVAILABLE
    finally:
        wire.upstream = port
    assert wired.store.stat(stat.uri) is not None


@pytest.mark.parametrize(
    ("happens", "told"),
    [("goes", {ErrorKind.SOURCE_MISSING}), ("changes", {ErrorKind.SOURCE_CHANGED})],
    ids=["goes", "changes"],
)
@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_source_that_goes_or_changes_under_way_ends_the_copy_and_nothing_is_published(
    rooms: Any, cloud: str, happens: str, told: set[ErrorKind]
) -> None:
    source, target = rooms[cloud], rooms[SANDBOXED + "onprem"]
    stat, uri = lay(source, LARGE), target_in(target)
    (grant,) = run(source.storage.grant_read, ReadGrantRequest(objects=(stat,))).grants
    first = PartsRequest(source=stat, target=uri, parts=(0,), grant=grant, owner=OWNER)
    assert run(target.storage.copy_parts, first).parts
    if happens == "goes":
        source.store.delete(stat.uri)
    else:
        lay(source, bytes(len(LARGE)), stat.uri)
    rest = first.model_copy(update={"parts": (1, 2)})
    error = refusal(run, target.storage.copy_parts, rest)
    # Where a version is pinned, an object that is gone is no longer of that version: S3 alone tells the two apart.
    assert error.type in (told if cloud == "aws" else told | {ErrorKind.SOURCE_CHANGED})
    assert error.non_retryable
    assert target.store.stat(uri) is None


@pytest.mark.parametrize("name", ["two//slashes", "ends with/", "n" * 300])
def test_a_name_that_the_target_cannot_hold_is_refused_before_anything_is_read(rooms: Any, name: str) -> None:
    source, target, wire = rooms[WIRED + "aws"], rooms[ONPREM], rooms.wires["aws"]
    folder = f"weather/{uuid.uuid4().hex}/"
    stat = put(rooms["aws"].store, rooms["aws"].store.default_container + folder + name, SMALL)
    (grant,) = run(source.storage.grant_read, ReadGrantRequest(objects=(stat,))).grants
    before = wire.requests
    item = CopyItem(source=stat, target=target.store.default_container + folder + name, grant=grant)
    error = refusal(run, target.storage.copy, CopyRequest(items=(item,), owner=OWNER))
    assert (error.type, error.non_retryable) == (ErrorKind.INVALID_REQUEST, True)
    assert wire.requests == before


@pytest.mark.parametrize("name", ["two//slashes", "ends with/", "/begins with one", "n" * 900])
def test_names_that_only_object_stores_hold_survive_between_them(rooms: Any, name: str) -> None:
    first, second = rooms["aws"], rooms["azure"]
    folder = f"weather/{uuid.uuid4().hex}/"
    stat = put(first.store, first.store.default_container + folder + name, SMALL)
    there = second.store.default_container + folder + name
    assert Journey(first, second, stat, there).attempt()
    (listed,) = second.store.list(second.store.default_container + folder, None, 10).objects
    assert listed.uri == there
    back = first.store.default_container + folder + "back/" + name
    assert Journey(second, first, listed, back).attempt()
    returned = first.store.stat(back)
    assert returned is not None
    assert b"".join(first.store.read(returned)) == SMALL
