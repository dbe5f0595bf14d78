"""Objects on their way between rooms, through grants only."""

import os
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from contracts.artifacts import ObjectStat
from contracts.errors import ErrorKind
from contracts.grants import MeasureRequest, ReadGrantRequest, WriteGrantRequest, WriteIntent
from contracts.parts import PART_BYTES
from contracts.storage import (
    CommitRequest,
    CopyItem,
    CopyReceipt,
    CopyRequest,
    ListRequest,
    PushReceipt,
    PushRequest,
)
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
