"""Objects on their way between rooms, through grants only."""

import itertools
import os
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from contracts.artifacts import ObjectStat
from contracts.copies import (
    CommitRequest,
    CopyItem,
    CopyReceipt,
    CopyRequest,
    MeasurePartsRequest,
    PartGrantRequest,
    PushPartsRequest,
    PushReceipt,
    PushRequest,
    SealRequest,
)
from contracts.errors import ErrorKind
from contracts.grants import MeasureRequest, ReadGrantRequest, WriteGrantRequest, WriteIntent
from contracts.parts import PART_BYTES
from contracts.storage import ListRequest
from contracts.units import MIB
from tests.objects import cut, sealed, sha256_of, target_of

OWNER = "0123456789abcdef0123456789abcdef/transfer"
CONTENTS = {
    "a file with 100%+ü.csv": b"id,label\n1,0\n",
    "deep/empty": b"",
    "large": os.urandom(MIB) * 33 + b"the end",
}
ONPREM = "sandboxed onprem"
READABLE = ("aws", "azure", "gcp")
PAIRS = [(source, target) for source in READABLE for target in (*READABLE, ONPREM) if source != target]


def run(verb: Any, request: Any) -> Any:
    return ActivityEnvironment().run(verb, request)


def lay(room: Any, folder: str) -> tuple[ObjectStat, ...]:
    prefix = room.store.default_container + folder
    for name, content in CONTENTS.items():
        target = target_of(prefix + name, content, owner="author", media_type="text/csv")
        if len(content) <= PART_BYTES:
            room.store.put(target, content, sha256_of(content))
            continue
        writer = room.store.writer(target)
        for part, piece in cut(content):
            writer.put(part, piece)
        writer.commit(sealed(content))
    objects: tuple[ObjectStat, ...] = run(room.storage.list, ListRequest(prefix=prefix)).objects
    return objects


def content_of(room: Any, uri: str) -> bytes:
    stat = room.store.stat(uri)
    assert stat is not None
    return b"".join(room.store.read(stat))


def place_of(room: Any, folder: str, source: ObjectStat) -> str:
    return f"{room.store.default_container}{folder}copied/{source.uri.split(folder, 1)[1]}"


def proven(room: Any, folder: str, receipt: CopyReceipt) -> None:
    found = {
        one.target.uri.split("copied/", 1)[1]: content_of(room, one.target.uri) for one in receipt.objects
    }
    assert found == CONTENTS
    for one in receipt.objects:
        assert one.sha256 == sha256_of(found[one.target.uri.split("copied/", 1)[1]])
        assert (one.target.owner, one.verified) == (OWNER, "end_to_end")


def pull(source: Any, target: Any, folder: str, objects: tuple[ObjectStat, ...]) -> CopyReceipt:
    grants = run(source.storage.grant_read, ReadGrantRequest(objects=objects)).grants
    items = tuple(
        CopyItem(source=grant.source, target=place_of(target, folder, grant.source), grant=grant)
        for grant in grants
    )
    receipt: CopyReceipt = run(target.storage.copy, CopyRequest(items=items, owner=OWNER))
    return receipt


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: "-to-".join(pair).replace("sandboxed ", ""))
def test_a_folder_is_pulled_from_one_cloud_to_another_and_the_second_pull_sends_nothing(
    rooms: Any, folder: str, pair: tuple[str, str]
) -> None:
    source, target = rooms[pair[0]], rooms[pair[1]]
    objects = lay(source, folder)
    first = pull(source, target, folder, objects)
    proven(target, folder, first)
    assert sum(one.bytes_sent for one in first.objects) == sum(map(len, CONTENTS.values()))
    second = pull(source, target, folder, objects)
    assert [one.bytes_sent for one in second.objects] == [0, 0, 0]
    assert [one.sha256 for one in second.objects] == [one.sha256 for one in first.objects]


@pytest.mark.parametrize("target_cloud", READABLE)
def test_a_folder_that_nobody_can_read_from_outside_is_pushed(
    rooms: Any, folder: str, target_cloud: str
) -> None:
    source, target = rooms[ONPREM], rooms[target_cloud]
    measures = run(source.storage.measure, MeasureRequest(objects=lay(source, folder))).measures
    intents = tuple(
        WriteIntent(target=place_of(target, folder, measure.source), measure=measure, owner=OWNER)
        for measure in measures
    )
    grants = run(target.storage.grant_write, WriteGrantRequest(intents=intents)).grants
    pushed: PushReceipt = run(source.storage.push, PushRequest(grants=grants))
    assert pushed.tally.bytes_sent == sum(map(len, CONTENTS.values()))
    proven(target, folder, run(target.storage.commit, CommitRequest(intents=intents)))
    again = run(target.storage.grant_write, WriteGrantRequest(intents=intents)).grants
    assert [grant.needed for grant in again] == [False, False, False]
    assert run(source.storage.push, PushRequest(grants=again)).tally.bytes_sent == 0
    proven(target, folder, run(target.storage.commit, CommitRequest(intents=intents)))


@pytest.mark.parametrize("target_cloud", READABLE)
def test_a_push_that_is_repeated_after_its_answer_was_lost_does_no_harm(
    rooms: Any, folder: str, target_cloud: str
) -> None:
    source, target = rooms[ONPREM], rooms[target_cloud]
    measures = run(source.storage.measure, MeasureRequest(objects=lay(source, folder))).measures
    intents = tuple(
        WriteIntent(target=place_of(target, folder, measure.source), measure=measure, owner=OWNER)
        for measure in measures
    )
    grants = run(target.storage.grant_write, WriteGrantRequest(intents=intents)).grants
    for _ in range(2):
        run(source.storage.push, PushRequest(grants=grants))
    proven(target, folder, run(target.storage.commit, CommitRequest(intents=intents)))


@pytest.mark.parametrize("cloud", READABLE)
def test_a_worker_mints_nothing_outside_its_allow_list(rooms: Any, cloud: str) -> None:
    scheme = rooms[cloud].store.scheme
    stranger = ObjectStat(uri=f"{scheme}://somebody-else/secret", size_bytes=1, etag="x")
    with pytest.raises(ApplicationError) as raised:
        run(rooms[cloud].storage.grant_read, ReadGrantRequest(objects=(stranger,)))
    assert raised.value.type == ErrorKind.ACCESS_DENIED


ZOO = (
    "with space",
    "100%",
    "a%20b",
    "one+one",
    "hash#tag",
    "what?yes=no&x",
    "überß-☃",
    "it's (here);,",
    "deep/er/0",
)
"""Names that every one of the four can hold."""


def test_names_survive_a_journey_through_all_stores_byte_for_byte(rooms: Any, folder: str) -> None:
    route = [rooms[name] for name in ("aws", "azure", "gcp", ONPREM, "aws")]
    contents = {f"{folder}0/{name}": (b"" if name.endswith("0") else name.encode()) for name in ZOO}
    for name, content in contents.items():
        route[0].store.put(
            target_of(route[0].store.default_container + name, content), content, sha256_of(content)
        )
    for leg, (source, target) in enumerate(itertools.pairwise(route)):
        objects = run(
            source.storage.list, ListRequest(prefix=f"{source.store.default_container}{folder}{leg}/")
        ).objects
        assert len(objects) == len(ZOO)
        _bring(source, target, f"{folder}{leg}/", f"{folder}{leg + 1}/", objects)
    arrived = route[-1]
    for name in ZOO:
        uri = f"{arrived.store.default_container}{folder}{len(route) - 1}/{name}"
        assert content_of(arrived, uri) == (b"" if name.endswith("0") else name.encode())


def _bring(source: Any, target: Any, below: str, into: str, objects: tuple[ObjectStat, ...]) -> None:
    """Move objects by the way that their store allows."""
    places = {
        held.uri: target.store.default_container + into + held.uri.split(below, 1)[1] for held in objects
    }
    if source.cloud == "onprem":
        measures = run(source.storage.measure, MeasureRequest(objects=objects)).measures
        intents = tuple(
            WriteIntent(target=places[measure.source.uri], measure=measure, owner=OWNER)
            for measure in measures
        )
        grants = run(target.storage.grant_write, WriteGrantRequest(intents=intents)).grants
        run(source.storage.push, PushRequest(grants=grants))
        run(target.storage.commit, CommitRequest(intents=intents))
        return
    grants = run(source.storage.grant_read, ReadGrantRequest(objects=objects)).grants
    items = tuple(
        CopyItem(source=grant.source, target=places[grant.source.uri], grant=grant) for grant in grants
    )
    assert run(target.storage.copy, CopyRequest(items=items, owner=OWNER)).remaining == ()


@pytest.mark.parametrize("target_cloud", READABLE)
def test_a_large_object_is_pushed_in_parts_and_the_second_push_sends_none(
    rooms: Any, folder: str, target_cloud: str
) -> None:
    source, target = rooms[ONPREM], rooms[target_cloud]
    (stat,) = (held for held in lay(source, folder) if held.size_bytes > PART_BYTES)
    uri = place_of(target, folder, stat)
    parts = run(source.storage.measure_parts, MeasurePartsRequest(source=stat, parts=(0, 1, 2))).parts
    asked = PartGrantRequest(source=stat, target=uri, parts=parts, owner=OWNER)
    grants = run(target.storage.grant_parts, asked)
    sent = run(source.storage.push_parts, PushPartsRequest(source=stat, grants=grants.grants))
    assert (sent.sent, sent.cut) == ((0, 1, 2), None)
    again = run(target.storage.grant_parts, asked)
    assert (again.grants, again.held) == ((), (0, 1, 2))
    assert target.store.stat(uri) is None
    seal = SealRequest(source=stat, target=uri, parts=parts, owner=OWNER, pushed=True)
    assert run(target.storage.seal, seal).sha256 == stat.sha256
    assert content_of(target, uri) == CONTENTS["large"]


@pytest.mark.parametrize("target_cloud", READABLE)
def test_a_part_that_changed_since_it_was_measured_is_not_pushed(
    rooms: Any, folder: str, target_cloud: str
) -> None:
    source, target = rooms[ONPREM], rooms[target_cloud]
    (stat,) = (held for held in lay(source, folder) if held.size_bytes > PART_BYTES)
    parts = run(source.storage.measure_parts, MeasurePartsRequest(source=stat, parts=(0,))).parts
    wrong = parts[0].model_copy(update={"sha256": "0" * 64})
    asked = PartGrantRequest(source=stat, target=place_of(target, folder, stat), parts=(wrong,), owner=OWNER)
    grants = run(target.storage.grant_parts, asked).grants
    with pytest.raises(ApplicationError) as raised:
        run(source.storage.push_parts, PushPartsRequest(source=stat, grants=grants))
    assert raised.value.type == ErrorKind.SOURCE_CHANGED


@pytest.mark.parametrize("cloud", READABLE)
def test_what_is_measured_for_a_push_has_its_media_type_whatever_the_listing_told(
    rooms: Any, folder: str, cloud: str
) -> None:
    room = rooms[cloud]
    listed = lay(room, folder)
    measures = run(room.storage.measure, MeasureRequest(objects=listed)).measures
    assert {measure.source.media_type for measure in measures} == {"text/csv"}
    told = run(room.storage.measure_parts, MeasurePartsRequest(source=listed[0], parts=(0,)))
    assert told.source.media_type == "text/csv"
