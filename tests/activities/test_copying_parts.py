"""Objects in parts: what is brought again after a cut, a stop or an expired grant, and who may seal them."""

import dataclasses
import os
import threading
import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.store import ObjectWriter, Part, WriteTarget
from contracts.copies import (
    CopyProgress,
    CopyReceipt,
    Cut,
    Pace,
    PartsRequest,
    SealRequest,
)
from contracts.errors import ErrorKind, failure
from contracts.grants import PartSum
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
    held,
    item,
    request,
)
from tests.activities.servers import Source, serving
from tests.house import PATIENCE_SECONDS


@pytest.fixture
def store(tmp_path: Path) -> Counting:
    return Counting(tmp_path)


def test_a_copy_that_was_cut_sends_only_what_the_destination_lacks(store: Counting) -> None:
    content = os.urandom(4 * PART_BYTES + 5)
    with serving(content) as source:
        source.cut_after = 3 * PART_BYTES
        first = copy(store, source, request(item(source), pace=Pace(streams=1)))
        assert (first.remaining, first.cut and first.cut.kind) == ((0,), ErrorKind.UNAVAILABLE)
        landed = list(store.parts_sent)
        assert landed
        source.cut_after = None
        receipt = copy(store, source, request(item(source))).objects[0]
    assert sorted(store.parts_sent) == list(range(5))
    assert receipt.bytes_sent == len(content) - len(landed) * PART_BYTES
    assert held(store) == content


class Refusing(Counting):
    """A store that takes no part."""

    def writer(self, target: WriteTarget) -> ObjectWriter:
        opened = super().writer(target)

        def put(part: Part, content: bytes) -> None:
            raise failure(ErrorKind.UNAVAILABLE, "not now")

        opened.put = put  # type: ignore[method-assign]
        return opened


def test_parts_that_were_read_and_did_not_land_are_no_progress(tmp_path: Path) -> None:
    # Told as progress, it would be read again without end: rounds that come to nothing are counted, others are not.
    with serving(os.urandom(2 * PART_BYTES)) as source:
        assert failed(Refusing(tmp_path), source, request(item(source))).type == ErrorKind.UNAVAILABLE


def test_parts_of_another_version_are_sent_again(store: Counting) -> None:
    before, after = os.urandom(2 * PART_BYTES), os.urandom(2 * PART_BYTES)
    with serving(before) as source:
        source.cut_after = PART_BYTES + MIB
        copy(store, source, request(item(source, etag="before"), pace=Pace(streams=1)))
        assert store.parts_sent == [0]
        source.content, source.cut_after = after, None
        receipt = copy(store, source, request(item(source, etag="after"))).objects[0]
    assert receipt.bytes_sent == len(after)
    assert held(store) == after


@pytest.mark.parametrize("how", ["cancel", "worker_shutdown"])
def test_a_copy_that_is_stopped_lets_its_part_land_and_tells_so(store: Counting, how: str) -> None:
    store.let_land.clear()
    environment = ActivityEnvironment()
    told: list[CopyReceipt] = []

    def attempt() -> None:
        asked = request(item(source), pace=Pace(streams=1))
        told.append(environment.run(activities(store, source).copy, asked))

    with serving(os.urandom(3 * PART_BYTES)) as source:
        thread = threading.Thread(target=attempt)
        thread.start()
        assert store.in_flight.wait(PATIENCE_SECONDS)
        getattr(environment, how)()
        time.sleep(0.3)
        assert thread.is_alive()
        store.let_land.set()
        thread.join(PATIENCE_SECONDS)
    assert store.parts_sent == [0]
    assert store.stat(TARGET) is None
    assert (told[0].remaining, told[0].cut) == ((0,), Cut(kind="STOPPED"))
    assert set(store.writer(target_of(source)).held()) == {0}


def target_of(source: Source) -> WriteTarget:
    return WriteTarget(TARGET, len(source.content), "one", OWNER, replace=False)


def test_a_copy_beats_with_its_progress(store: Counting) -> None:
    environment, beats = ActivityEnvironment(), []
    environment.info = dataclasses.replace(environment.info, attempt=1)
    halfway = CopyProgress(objects_done=0, objects_total=1, bytes_done=0, bytes_total=4 * MIB, in_flight=(0,))
    pause = threading.Event()

    def beat(*details: CopyProgress) -> None:
        beats.append(details[0])
        if details[0] == halfway:
            pause.set()

    environment.on_heartbeat = beat
    with serving(os.urandom(4 * MIB), pause=pause) as source:
        environment.run(activities(store, source).copy, request(item(source)))
    assert halfway in beats, "its bytes are not done while they are on their way"


def test_a_copy_holds_a_few_parts_in_memory_and_not_the_object(store: Counting) -> None:
    with serving(os.urandom(12 * PART_BYTES)) as source:
        tracemalloc.start()
        copy(store, source, request(item(source), pace=Pace(streams=2)))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    # A part is gathered from its pieces, so each of the two takes twice its size for a moment.
    assert peak < 5 * PART_BYTES


def test_a_grant_that_runs_out_ends_the_copy_with_what_has_landed(store: Counting) -> None:
    content = os.urandom(3 * PART_BYTES)
    with serving(content) as source:
        asked = item(source)
        assert asked.grant is not None
        soon = datetime.now(UTC) + timedelta(seconds=1)
        short = asked.model_copy(update={"grant": asked.grant.model_copy(update={"expires_at": soon})})
        slow = Pace(streams=1, bytes_per_second=PART_BYTES)
        first = copy(store, source, request(short, pace=slow))
        assert (first.remaining, first.cut and first.cut.kind) == ((0,), "EXPIRED")
        landed = list(store.parts_sent)
        assert 0 < len(landed) < 3
        copy(store, source, request(asked))
    assert sorted(store.parts_sent) == [0, 1, 2]
    assert held(store) == content


def test_parts_that_several_workers_brought_are_sealed_as_one_object(store: Counting) -> None:
    content = os.urandom(4 * PART_BYTES + 9)
    with serving(content) as source:
        asked = item(source)
        assert asked.grant is not None
        brought: list[PartSum] = []
        for indices in ((0, 3), (1, 2, 4)):
            worker = activities(Counting(store.places.root), source)
            wanted = PartsRequest(
                source=asked.source, target=TARGET, parts=indices, grant=asked.grant, owner=OWNER
            )
            receipt = ActivityEnvironment().run(worker.copy_parts, wanted)
            assert receipt.cut is None
            brought += receipt.parts
        assert store.stat(TARGET) is None
        seal = SealRequest(source=asked.source, target=TARGET, parts=tuple(brought), owner=OWNER)
        done = ActivityEnvironment().run(activities(store, source).seal, seal)
        again = ActivityEnvironment().run(activities(store, source).seal, seal)
    assert held(store) == content
    assert done.sha256 == again.sha256 == digest(content)


def test_an_object_with_a_part_missing_is_not_sealed(store: Counting) -> None:
    with serving(os.urandom(PART_BYTES + 9)) as source:
        asked = item(source)
        assert asked.grant is not None
        wanted = PartsRequest(source=asked.source, target=TARGET, parts=(0,), grant=asked.grant, owner=OWNER)
        receipt = ActivityEnvironment().run(activities(store, source).copy_parts, wanted)
        seal = SealRequest(source=asked.source, target=TARGET, parts=receipt.parts, owner=OWNER)
        with pytest.raises(ApplicationError) as raised:
            ActivityEnvironment().run(activities(store, source).seal, seal)
    assert raised.value.type == ErrorKind.INVALID_REQUEST
    assert store.stat(TARGET) is None
