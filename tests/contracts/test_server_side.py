"""Copies that the destination's store makes by itself: the front of the local Blob store reads, the worker does not."""

import random
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from contracts.artifacts import ObjectStat
from contracts.copies import CopyItem, CopyReceipt, CopyRequest
from contracts.errors import ErrorKind
from contracts.grants import ReadGrantRequest
from contracts.units import MIB
from sandbox.layout import BLOB_FRONT
from tests.contracts.conftest import WIRED
from tests.house import Sandbox, until
from tests.objects import LARGE, cut, put, sealed, sha256_of, target_of
from tests.wire import Fault, Wire

CONTENT = random.Random(8).randbytes(5 * MIB) + b"the end"
METADATA = {"origin": "somewhere", "note": "100% & more"}
LITTLE_BYTES = 64 * 1024
SOURCES = ("aws", "gcp")


def fetched(
    rooms: Any,
    cloud: str,
    stat: ObjectStat,
    uri: str,
    faults: tuple[Fault, ...] = (),
    expected: str | None = None,
) -> CopyReceipt:
    """Copy with everything wired, as a transfer whose plan says that the store may read by itself."""
    source, target = rooms[WIRED + cloud], rooms[WIRED + "azure"]
    grants = ActivityEnvironment().run(
        source.storage.grant_read, ReadGrantRequest(objects=(stat,), bare=True)
    )
    item = CopyItem(
        source=grants.grants[0].source, target=uri, grant=grants.grants[0], expected_sha256=expected
    )
    for wire in rooms.wires.values():
        wire.up = wire.down = 0
    wire_of(rooms, cloud).expect(faults)
    try:
        receipt: CopyReceipt = ActivityEnvironment().run(
            target.storage.copy, CopyRequest(items=(item,), owner="run/fetched", server_side=True)
        )
    finally:
        wire_of(rooms, cloud).expect(())
    return receipt


def wire_of(rooms: Any, cloud: str) -> Wire:
    found: Wire = rooms.wires[cloud]
    return found


def reads(sandbox: Sandbox, port: int) -> list[tuple[int, int]]:
    """What the front read of the store behind this port: statuses and bytes."""
    return [
        (entry["status"], entry["bytes"])
        for entry in sandbox.requests(BLOB_FRONT)
        if entry["source"] == f"127.0.0.1:{port}"
    ]


def content_of(room: Any, uri: str) -> bytes:
    return b"".join(room.store.read(room.store.stat(uri)))


@pytest.mark.parametrize("cloud", SOURCES)
def test_azure_reads_by_itself_and_no_bulk_byte_passes_its_worker(
    rooms: Any, sandbox: Sandbox, folder: str, cloud: str
) -> None:
    source, target = rooms[WIRED + cloud], rooms["azure"]
    stat = put(source.store, f"{source.store.default_container}{folder}one", CONTENT, metadata=METADATA)
    uri = f"{target.store.default_container}{folder}two"
    before = reads(sandbox, wire_of(rooms, cloud).port)
    receipt = fetched(rooms, cloud, stat, uri)
    assert (receipt.objects[0].verified, receipt.remaining) == ("store_checksum", ())
    # The front notes a request once its answer is on its way.
    port, expected = wire_of(rooms, cloud).port, [*before, (201, len(CONTENT))]
    assert until(lambda: reads(sandbox, port) == expected, "the note of the read")
    assert wire_of(rooms, "azure").up < LITTLE_BYTES
    assert wire_of(rooms, cloud).down < len(CONTENT) + LITTLE_BYTES, "somebody else read it, too"
    held = target.store.stat(uri)
    assert content_of(target, uri) == CONTENT
    assert (held.media_type, held.metadata, held.sha256) == ("text/plain", METADATA, sha256_of(CONTENT))


def test_a_source_that_is_not_what_was_expected_is_not_taken_for_it(rooms: Any, folder: str) -> None:
    source, target = rooms[WIRED + "aws"], rooms["azure"]
    stat = put(source.store, f"{source.store.default_container}{folder}one", CONTENT)
    uri = f"{target.store.default_container}{folder}two"
    with pytest.raises(ApplicationError) as raised:
        fetched(rooms, "aws", stat, uri, expected=sha256_of(b"what its stage left there"))
    assert raised.value.type in {ErrorKind.CHECKSUM_MISMATCH, ErrorKind.SOURCE_CHANGED}
    assert target.store.stat(uri) is None


def test_an_object_without_an_md5_is_streamed_and_arrives_right(
    rooms: Any, sandbox: Sandbox, folder: str
) -> None:
    source, target = rooms[WIRED + "aws"], rooms["azure"]
    writer = source.store.writer(target_of(f"{source.store.default_container}{folder}one"))
    for part, piece in cut():
        writer.put(part, piece)
    stat = writer.commit(sealed())
    uri = f"{target.store.default_container}{folder}two"
    before = reads(sandbox, wire_of(rooms, "aws").port)
    receipt = fetched(rooms, "aws", stat, uri)
    assert receipt.objects[0].verified == "end_to_end"
    assert reads(sandbox, wire_of(rooms, "aws").port) == before
    assert content_of(target, uri) == LARGE


@pytest.mark.parametrize("cloud", SOURCES)
def test_bytes_without_the_vouched_md5_never_become_an_object(
    rooms: Any, sandbox: Sandbox, folder: str, cloud: str
) -> None:
    source, target = rooms[WIRED + cloud], rooms["azure"]
    stat = put(source.store, f"{source.store.default_container}{folder}one", CONTENT)
    uri = f"{target.store.default_container}{folder}two"
    # The store reads it first, and the worker, which then streams it, second.
    damages = tuple(
        Fault("down", "damage", at) for at in (len(CONTENT) // 2, len(CONTENT) + len(CONTENT) // 2)
    )
    with pytest.raises(ApplicationError) as raised:
        fetched(rooms, cloud, stat, uri, damages)
    assert raised.value.type == ErrorKind.CHECKSUM_MISMATCH
    port = wire_of(rooms, cloud).port
    assert until(lambda: reads(sandbox, port)[-1:] == [(400, len(CONTENT))], "the note of the read")
    assert target.store.stat(uri) is None
    assert fetched(rooms, cloud, stat, uri).objects[0].verified == "store_checksum"
    assert content_of(target, uri) == CONTENT


def test_what_azure_read_by_itself_can_be_streamed_on(rooms: Any, folder: str) -> None:
    source, target, onward = rooms["aws"], rooms["azure"], rooms["gcp"]
    # Laid by somebody else: nobody has noted a SHA-256 of it.
    key = f"{folder}one"
    source.store._client.put_object(Bucket="causeway", Key=key, Body=CONTENT)
    stat = source.store.stat(f"{source.store.default_container}{key}")
    uri = f"{target.store.default_container}{folder}two"
    assert fetched(rooms, "aws", stat, uri).objects[0].verified == "store_checksum"
    again = f"{onward.store.default_container}{folder}three"
    held = target.store.stat(uri)
    grants = ActivityEnvironment().run(target.storage.grant_read, ReadGrantRequest(objects=(held,)))
    item = CopyItem(source=held, target=again, grant=grants.grants[0])
    receipt = ActivityEnvironment().run(onward.storage.copy, CopyRequest(items=(item,), owner="run/onward"))
    assert receipt.objects[0].sha256 == sha256_of(CONTENT)
    assert content_of(onward, again) == CONTENT
