"""The copy engine against sources that are cut, damaged or changed, and targets that hold something."""

import hashlib
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.checksums import crc32c, to_base64
from activities.grant_client import GrantClient
from activities.grants import AllowList, HostRules
from activities.onprem.errors import translate
from activities.storage import StoreActivities
from contracts.copies import (
    CopyReceipt,
    Pace,
)
from contracts.errors import ErrorKind
from contracts.grants import MeasureRequest
from contracts.parts import PART_BYTES
from contracts.units import MIB
from tests.activities.copies import (
    OWNER,
    TARGET,
    Counting,
    activities,
    copy,
    digest,
    failed,
    failed_or_cut,
    held,
    item,
    put,
    request,
)
from tests.activities.servers import serving
from tests.house import PATIENCE_SECONDS


@pytest.fixture
def store(tmp_path: Path) -> Counting:
    return Counting(tmp_path)


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
        # One in parts is asked what its store notes on it, and then for each part.
        parts = -(-size // PART_BYTES) + 1 if size > PART_BYTES else 1
        assert len(source.requests) == parts + (0 if known else 1)
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
        # A range that is longer than it should be is of another object.
        longer = fault == "short" and size > PART_BYTES
        assert failed_or_cut(store, source, request(asked)) == (ErrorKind.SOURCE_CHANGED if longer else kind)
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


@pytest.mark.parametrize("looks", [True, False], ids=["looking first", "after a target that was free"])
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
    store: Counting, if_exists: str, owner: str, content: bytes, outcome: str, looks: bool
) -> None:
    put(store, content, owner)
    with serving(b"the same") as source:
        before = () if looks else (item(source, target=f"{TARGET}-free"),)
        asked = request(*before, item(source), if_exists=if_exists, pace=Pace(streams=1))
        if outcome == "conflict":
            assert failed(store, source, asked).type == ErrorKind.TARGET_CONFLICT
            assert held(store) == content
            return
        sent = copy(store, source, asked).objects[-1].bytes_sent
    assert sent == (0 if outcome == "kept" else 8)
    assert held(store) == b"the same"


def test_free_targets_of_small_objects_are_looked_at_once_and_held_ones_each(store: Counting) -> None:
    with serving(b"small") as source:
        told = {"crc32c": to_base64(crc32c(b"small"))}
        items = [item(source, target=f"{TARGET}-{number}", **told) for number in range(10)]
        asked = request(*items, pace=Pace(streams=1))
        copy(store, source, asked)
        assert (store.looks, len(source.requests)) == (1, 10)
        copy(store, source, asked)
        assert (store.looks, len(source.requests)) == (11, 10)


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
    content = os.urandom(PART_BYTES + MIB)
    store.let_land.clear()
    with serving(content) as source:
        found: list[CopyReceipt] = []
        slow = threading.Thread(target=lambda: found.append(copy(store, source, request(item(source)))))
        slow.start()
        assert store.in_flight.wait(PATIENCE_SECONDS)
        winner = Counting(store.places.root)
        copy(winner, source, request(item(source)))
        store.let_land.set()
        slow.join(PATIENCE_SECONDS)
    assert held(store) == content
    assert [receipt.objects[0].target.sha256 for receipt in found if receipt.objects] in (
        [],
        [digest(content)],
    )


def test_a_batch_keeps_its_order_and_copies_every_object(store: Counting) -> None:
    with serving(b"content") as source:
        targets = [f"file:///causeway/many/{number}" for number in range(20)]
        receipt = copy(store, source, request(*[item(source, target=target) for target in targets]))
    assert [one.target.uri for one in receipt.objects] == targets


def test_one_object_that_fails_stops_the_others_and_is_the_one_told(store: Counting) -> None:
    with serving(b"content") as source, serving(fault="status", status=404) as missing:
        client = GrantClient(HostRules((source.host, missing.host)))
        both = StoreActivities(store, translate, AllowList(("file:///",)), client)
        lost = item(missing, target=TARGET + "-lost", size_bytes=5)
        items = [lost, *[item(source, target=f"{TARGET}-{number}") for number in range(5)]]
        with pytest.raises(ApplicationError) as raised:
            ActivityEnvironment().run(both.copy, request(*items))
    assert raised.value.type == ErrorKind.SOURCE_MISSING


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


def test_a_grant_that_had_run_out_before_is_told_as_such(store: Counting) -> None:
    with serving(b"content") as source:
        asked = item(source)
        assert asked.grant is not None
        gone = asked.grant.model_copy(update={"expires_at": datetime.now(UTC) - timedelta(seconds=1)})
        error = failed(store, source, request(asked.model_copy(update={"grant": gone})))
        assert (error.type, error.details[0].code) == (ErrorKind.UNAVAILABLE, "GRANT_REFUSED")
        assert source.requests == []


def test_metadata_and_media_type_come_along(store: Counting) -> None:
    headers = {"x-amz-meta-Colour": "green", "Content-Type": "text/csv", "Cache-Control": "no-store"}
    with serving(b"a,b\n", headers=headers) as source:
        receipt = copy(store, source, request(item(source))).objects[0]
    assert (receipt.target.media_type, receipt.target.metadata) == ("text/csv", {"colour": "green"})
    assert receipt.lost == ("cache-control",)


def test_an_answer_of_another_version_is_not_taken(store: Counting) -> None:
    with serving(b"content", headers={"ETag": '"two"'}) as source:
        assert failed(store, source, request(item(source))).type == ErrorKind.SOURCE_CHANGED
    assert store.stat(TARGET) is None


def test_a_rate_is_kept_by_all_threads_together(store: Counting) -> None:
    with serving(os.urandom(4 * MIB)) as source:
        targets = [item(source, target=f"{TARGET}-{number}") for number in range(4)]
        receipt = copy(store, source, request(*targets, pace=Pace(streams=4, bytes_per_second=8 * MIB)))
    assert receipt.seconds > 1
