"""Copies within one store, which the store does by itself: no grant, and no byte through the worker."""

from dataclasses import replace
from pathlib import Path

import pytest

from activities.store import WriteTarget
from contracts.artifacts import ObjectStat
from contracts.copies import CopyItem
from contracts.errors import ErrorKind
from tests.activities.copies import OWNER, TARGET, Counting, copy, failed, held, put, request
from tests.activities.servers import serving


@pytest.fixture
def store(tmp_path: Path) -> Counting:
    return Counting(tmp_path)


def test_a_copy_within_one_store_needs_no_grant(store: Counting) -> None:
    put(store, b"content")
    stat = store.stat(TARGET)
    assert stat is not None
    with serving() as source:
        receipt = copy(store, source, request(CopyItem(source=stat, target=TARGET + "-copy")))
    assert held(store, TARGET + "-copy") == b"content"
    # The store copies by itself and vouches for it.
    assert receipt.objects[0].verified == "store_checksum"


class Overtaken(Counting):
    """A store where another attempt is quicker whenever it copies an object of its own."""

    winner = "run/ingest"

    def copy_within(self, source: ObjectStat, target: WriteTarget) -> ObjectStat:
        super().copy_within(source, replace(target, owner=self.winner))
        return super().copy_within(source, target)


def test_a_copy_within_a_store_that_was_overtaken_keeps_what_its_own_attempt_wrote(tmp_path: Path) -> None:
    store = Overtaken(tmp_path)
    put(store, b"content")
    stat = store.stat(TARGET)
    assert stat is not None
    with serving() as source:
        receipt = copy(store, source, request(CopyItem(source=stat, target=TARGET + "-copy"))).objects[0]
        again = copy(store, source, request(CopyItem(source=stat, target=TARGET + "-copy"))).objects[0]
    assert (receipt.bytes_sent, receipt.target.owner) == (0, OWNER)
    # Nobody but the store has read it, this time or before.
    assert (again.bytes_sent, again.verified) == (0, "store_checksum")


def test_a_copy_within_a_store_that_others_overtook_refuses_where_nothing_may_exist(tmp_path: Path) -> None:
    store = Overtaken(tmp_path)
    store.winner = "somebody/else"
    put(store, b"content")
    stat = store.stat(TARGET)
    assert stat is not None
    with serving() as source:
        asked = request(CopyItem(source=stat, target=TARGET + "-copy"), if_exists="fail")
        assert failed(store, source, asked).type == ErrorKind.TARGET_CONFLICT


def test_a_local_source_that_changed_since_it_was_listed_is_not_copied(store: Counting) -> None:
    put(store, b"before")
    stat = store.stat(TARGET)
    assert stat is not None
    store.places.file(TARGET).write_bytes(b"after!")
    with serving() as source:
        error = failed(store, source, request(CopyItem(source=stat, target=TARGET + "-copy")))
    assert error.type == ErrorKind.SOURCE_CHANGED
    assert store.stat(TARGET + "-copy") is None
