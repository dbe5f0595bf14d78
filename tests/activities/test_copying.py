"""The copy engine against sources that are cut, damaged or changed, and targets that hold something."""

import dataclasses
import hashlib
import os
import threading
import time
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.testing import ActivityEnvironment

from activities.checksums import crc32c, to_base64
from activities.grant_client import GrantClient
from activities.grants import AllowList, HostRules
from activities.onprem.errors import translate
from activities.onprem.store import FileStore
from activities.storage import StoreActivities
from activities.store import ObjectWriter, Part, WriteTarget
from contracts.artifacts import ObjectStat
from contracts.errors import ErrorKind
from contracts.grants import MeasureRequest, ReadGrant
from contracts.parts import PART_BYTES, digest_of
from contracts.storage import CopyItem, CopyProgress, CopyReceipt, CopyRequest
from contracts.units import MIB
from tests.activities.servers import Source, serving

LATER = datetime(2100, 1, 1, tzinfo=UTC)
OWNER = "run/ingest"
TARGET = "file:///causeway/data"


class Counting(FileStore):
    """A store on disk that counts what is sent to it and, when told to, holds a part in flight."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, "file:///causeway/")
        self.parts_sent: list[int] = []
        self.in_flight = threading.Event()
        self.let_land = threading.Event()
        self.let_land.set()

    def writer(self, target: WriteTarget) -> ObjectWriter:
        opened = super().writer(target)
        send = opened.put

        def put(part: Part, content: bytes) -> None:
            self.in_flight.set()
            self.let_land.wait(30)
            send(part, content)
            self.parts_sent.append(part.index)

        opened.put = put  # type: ignore[method-assign]
        return opened


@pytest.fixture
def store(tmp_path: Path) -> Counting:
    return Counting(tmp_path)


def activities(store: Counting, source: Source) -> StoreActivities:
    return StoreActivities(store, translate, AllowList(("file:///",)), GrantClient(HostRules((source.host,))))


def item(source: Source, *, target: str = TARGET, etag: str = "one", **known: Any) -> CopyItem:
    size_bytes = known.pop("size_bytes", len(source.content))
    stat = ObjectStat(uri="s3://bucket/data", size_bytes=size_bytes, etag=etag, **known)
    return CopyItem(
        source=stat, target=target, grant=ReadGrant(source=stat, url=source.url(), expires_at=LATER)
    )


def request(*items: CopyItem, **more: Any) -> CopyRequest:
    return CopyRequest(items=items, **{"owner": OWNER, **more})


def copy(store: Counting, source: Source, asked: CopyRequest) -> CopyReceipt:
    return ActivityEnvironment().run(activities(store, source).copy, asked)


def failed(store: Counting, source: Source, asked: CopyRequest) -> ApplicationError:
    with pytest.raises(ApplicationError) as raised:
        copy(store, source, asked)
    assert "SECRET" not in repr(raised.value)
    assert raised.value.__cause__ is None
    return raised.value


def put(store: Counting, content: bytes, owner: str = "somebody/else") -> None:
    target = WriteTarget(TARGET, len(content), "", owner, replace=False, media_type="text/csv")
    store.put(target, content, hashlib.sha256(content).hexdigest())


def held(store: Counting, uri: str = TARGET) -> bytes | None:
    stat = store.stat(uri)
    return b"".join(store.read(stat)) if stat else None


def digest(content: bytes) -> str:
    starts = range(0, len(content) or 1, PART_BYTES)
    return digest_of(hashlib.sha256(content[start : start + PART_BYTES]).digest() for start in starts)


SIZES = pytest.mark.parametrize("size", [0, 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES + 7], ids=str)


@SIZES
def test_a_copy_is_byte_for_byte_and_proven(store: Counting, size: int) -> None:
    content = os.urandom(size)
    with serving(content) as source:
        receipt = copy(store, source, request(item(source))).objects[0]
    assert held(store) == content
    assert receipt.sha256 == receipt.target.sha256 == digest(content)
    assert receipt.target.crc32c == to_base64(crc32c(content))
    assert (receipt.bytes_sent, receipt.verified) == (size, "end_to_end")
    assert receipt.target.owner == OWNER


@SIZES
@pytest.mark.parametrize("known", [True, False], ids=["checksum known", "checksum unknown"])
def test_a_second_copy_sends_nothing(store: Counting, size: int, known: bool) -> None:
    content = os.urandom(size)
    checksum = {"crc32c": to_base64(crc32c(content))} if known else {}
    with serving(content) as source:
        first = copy(store, source, request(item(source, **checksum)))
        second = copy(store, source, request(item(source, **checksum)))
        assert len(source.requests) == (1 if known else 2)
    assert second.objects[0].bytes_sent == 0
    assert second.objects[0].target == first.objects[0].target
    assert second.objects[0].sha256 == first.objects[0].sha256


@pytest.mark.parametrize("size", [1000, 2 * PART_BYTES + 7], ids=["small", "large"])
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("cut", ErrorKind.UNAVAILABLE),
        ("short", ErrorKind.UNAVAILABLE),
        ("damaged", ErrorKind.CHECKSUM_MISMATCH),
        ("redirect", ErrorKind.UNSUPPORTED),
    ],
)
def test_a_copy_that_goes_wrong_leaves_nothing_to_be_seen(
    store: Counting, size: int, fault: Any, kind: ErrorKind
) -> None:
    content = os.urandom(size)
    with serving(content) as elsewhere, serving(content, fault=fault, status=302) as source:
        source.headers["Location"] = elsewhere.url()
        asked = item(
            source, crc32c=to_base64(crc32c(content)), size_bytes=size + (7 if fault == "short" else 0)
        )
        assert failed(store, source, request(asked)).type == kind
        assert elsewhere.requests == []
    assert store.stat(TARGET) is None
    assert store.list("file:///causeway/", None, 10).objects == ()


def test_content_that_is_not_what_was_expected_is_not_published(store: Counting) -> None:
    with serving(b"other content") as source:
        asked = item(source).model_copy(update={"expected_sha256": hashlib.sha256(b"expected").hexdigest()})
        assert failed(store, source, request(asked)).type == ErrorKind.CHECKSUM_MISMATCH
    assert store.stat(TARGET) is None


def test_a_grant_to_a_foreign_host_is_not_followed(store: Counting) -> None:
    with serving(b"x") as source, serving(b"x") as listed:
        assert failed(store, listed, request(item(source))).type == ErrorKind.ACCESS_DENIED
        assert source.requests == []


def test_a_grant_for_another_version_is_not_used(store: Counting) -> None:
    with serving(b"x") as source:
        asked = item(source)
        other = asked.source.model_copy(update={"etag": "two"})
        wrong = asked.model_copy(update={"source": other})
        assert failed(store, source, request(wrong)).type == ErrorKind.INVALID_REQUEST


def test_a_copy_that_was_cut_sends_only_what_the_destination_lacks(store: Counting) -> None:
    content = os.urandom(6 * MIB + 5)
    with serving(content, fault="cut") as source:
        assert failed(store, source, request(item(source))).type == ErrorKind.UNAVAILABLE
        landed = list(store.parts_sent)
        assert landed
        source.fault = "none"
        receipt = copy(store, source, request(item(source))).objects[0]
    assert store.parts_sent == list(range(7))
    assert receipt.bytes_sent == len(content) - len(landed) * MIB
    assert held(store) == content


def test_parts_of_another_version_are_sent_again(store: Counting) -> None:
    before, after = os.urandom(4 * MIB), os.urandom(4 * MIB)
    with serving(before, fault="cut") as source:
        failed(store, source, request(item(source, etag="before")))
        source.content, source.fault = after, "none"
        receipt = copy(store, source, request(item(source, etag="after"))).objects[0]
    assert receipt.bytes_sent == len(after)
    assert held(store) == after


@pytest.mark.parametrize(
    ("if_exists", "owner", "content", "outcome"),
    [
        ("skip", "somebody/else", b"the same", "kept"),
        ("skip", "somebody/else", b"another!", "conflict"),
        ("skip", OWNER, b"another!", "replaced"),
        ("overwrite", "somebody/else", b"the same", "kept"),
        ("overwrite", "somebody/else", b"another!", "replaced"),
        ("fail", "somebody/else", b"the same", "conflict"),
        ("fail", "somebody/else", b"another!", "conflict"),
        ("fail", OWNER, b"the same", "kept"),
    ],
)
def test_what_lies_at_the_target_is_kept_replaced_or_refused(
    store: Counting, if_exists: str, owner: str, content: bytes, outcome: str
) -> None:
    put(store, content, owner)
    with serving(b"the same") as source:
        asked = request(item(source), if_exists=if_exists)
        if outcome == "conflict":
            assert failed(store, source, asked).type == ErrorKind.TARGET_CONFLICT
            assert held(store) == content
            return
        sent = copy(store, source, asked).objects[0].bytes_sent
    assert sent == (0 if outcome == "kept" else 8)
    assert held(store) == b"the same"


def test_a_target_that_nobody_recorded_is_compared_byte_by_byte(store: Counting) -> None:
    path = store.places.file(TARGET)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"laid here by hand")
    with serving(b"laid here by hand") as source:
        receipt = copy(store, source, request(item(source))).objects[0]
    assert (receipt.bytes_sent, receipt.verified) == (0, "store_checksum")
    assert receipt.sha256 == hashlib.sha256(b"laid here by hand").hexdigest()


def test_an_empty_owner_owns_nothing(store: Counting) -> None:
    put(store, b"another!", owner="")
    with serving(b"the same") as source:
        assert failed(store, source, request(item(source), owner="")).type == ErrorKind.TARGET_CONFLICT


def test_the_race_with_an_attempt_that_was_thought_dead_is_settled_by_content(store: Counting) -> None:
    content = os.urandom(3 * MIB)
    store.let_land.clear()
    with serving(content) as source:
        found: list[CopyReceipt] = []
        slow = threading.Thread(target=lambda: found.append(copy(store, source, request(item(source)))))
        slow.start()
        assert store.in_flight.wait(30)
        winner = Counting(store.places.root)
        copy(winner, source, request(item(source)))
        store.let_land.set()
        slow.join(60)
    assert held(store) == content
    assert [receipt.objects[0].target.sha256 for receipt in found] in (
        [],
        [hashlib.sha256(content).hexdigest()],
    )


def test_a_batch_keeps_its_order_and_copies_every_object(store: Counting) -> None:
    with serving(b"content") as source:
        targets = [f"file:///causeway/many/{number}" for number in range(20)]
        receipt = copy(store, source, request(*[item(source, target=target) for target in targets]))
    assert [one.target.uri for one in receipt.objects] == targets


def test_a_copy_within_one_store_needs_no_grant(store: Counting) -> None:
    put(store, b"content")
    stat = store.stat(TARGET)
    assert stat is not None
    with serving() as source:
        receipt = copy(store, source, request(CopyItem(source=stat, target=TARGET + "-copy")))
    assert held(store, TARGET + "-copy") == b"content"
    assert receipt.objects[0].verified == "end_to_end"


def test_a_local_source_that_changed_since_it_was_listed_is_not_copied(store: Counting) -> None:
    put(store, b"before")
    stat = store.stat(TARGET)
    assert stat is not None
    store.places.file(TARGET).write_bytes(b"after!")
    with serving() as source:
        error = failed(store, source, request(CopyItem(source=stat, target=TARGET + "-copy")))
    assert error.type == ErrorKind.SOURCE_CHANGED
    assert store.stat(TARGET + "-copy") is None


@pytest.mark.parametrize("how", ["cancel", "worker_shutdown"])
def test_a_copy_that_is_stopped_lets_its_part_land_and_starts_no_other(store: Counting, how: str) -> None:
    store.let_land.clear()
    environment = ActivityEnvironment()
    errors: list[BaseException] = []

    def attempt() -> None:
        try:
            environment.run(activities(store, source).copy, request(item(source)))
        except BaseException as error:
            errors.append(error)

    with serving(os.urandom(5 * MIB)) as source:
        thread = threading.Thread(target=attempt)
        thread.start()
        assert store.in_flight.wait(30)
        getattr(environment, how)()
        time.sleep(0.3)
        assert thread.is_alive()
        store.let_land.set()
        thread.join(30)
    assert store.parts_sent == [0]
    assert store.stat(TARGET) is None
    assert isinstance(errors[0], CancelledError if how == "cancel" else ApplicationError)
    assert set(store.writer(target_of(source)).held()) == {0}


def target_of(source: Source) -> WriteTarget:
    return WriteTarget(
        TARGET, len(source.content), "one", MIB, "application/octet-stream", OWNER, replace=False
    )


def test_one_object_that_fails_stops_the_others_and_is_the_one_told(store: Counting) -> None:
    with serving(b"content") as source, serving(fault="status", status=404) as missing:
        client = GrantClient(HostRules((source.host, missing.host)))
        both = StoreActivities(store, translate, AllowList(("file:///",)), client)
        lost = item(missing, target=TARGET + "-lost", size_bytes=5)
        items = [lost, *[item(source, target=f"{TARGET}-{number}") for number in range(5)]]
        with pytest.raises(ApplicationError) as raised:
            ActivityEnvironment().run(both.copy, request(*items))
    assert raised.value.type == ErrorKind.SOURCE_MISSING


def test_a_copy_beats_with_its_progress(store: Counting) -> None:
    environment, beats = ActivityEnvironment(), []
    environment.info = dataclasses.replace(environment.info, attempt=1)
    environment.on_heartbeat = lambda *details: beats.append(details[0])
    pause = threading.Event()
    with serving(os.urandom(4 * MIB), pause=pause) as source:
        threading.Timer(1.5, pause.set).start()
        environment.run(activities(store, source).copy, request(item(source)))
    assert beats[-1] == CopyProgress(
        objects_done=0, objects_total=1, bytes_done=beats[-1].bytes_done, bytes_total=4 * MIB
    )
    assert beats[-1].bytes_done >= MIB


def test_a_copy_holds_a_few_parts_in_memory_and_not_the_object(store: Counting) -> None:
    with serving(os.urandom(48 * MIB)) as source:
        tracemalloc.start()
        copy(store, source, request(item(source), part_bytes=4 * MIB))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 24 * MIB


def test_a_measure_is_of_every_byte(store: Counting) -> None:
    content = os.urandom(3 * MIB)
    put(store, content)
    stat = store.stat(TARGET)
    assert stat is not None
    with serving() as source:
        measured = ActivityEnvironment().run(
            activities(store, source).measure, MeasureRequest(objects=(stat,))
        )
    (measure,) = measured.measures
    assert (measure.crc32c, measure.sha256) == (
        to_base64(crc32c(content)),
        hashlib.sha256(content).hexdigest(),
    )
