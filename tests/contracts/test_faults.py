"""Copies over wires that cut, stall and damage: what comes to lie at the target is right, or nothing is."""

import itertools
import random
import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from contracts.copies import CopyItem, CopyRequest
from contracts.grants import ReadGrantRequest
from tests.contracts.conftest import WIRED
from tests.objects import LARGE, cut, put, sealed, sha256_of, target_of
from tests.wire import Fault

SMALL = random.Random(3).randbytes(100_000)
CLOUDS = ("aws", "azure", "gcp")
PAIRS = [*itertools.permutations(CLOUDS, 2), *((cloud, "onprem") for cloud in CLOUDS)]
ATTEMPTS = 12
WAYS = st.sampled_from(["up", "down"])
BREAKS = st.builds(
    Fault,
    way=WAYS,
    kind=st.sampled_from(["cut", "stall"]),
    at_byte=st.one_of(st.integers(0, 5_000), st.integers(0, len(LARGE))),
)
# In bodies: a length that is damaged in a header makes both ends wait for a minute, and nothing else.
DAMAGES = st.builds(Fault, way=WAYS, kind=st.just("damage"), at_byte=st.integers(30_000, len(LARGE)))
FAULTS = st.lists(st.one_of(BREAKS, DAMAGES), min_size=1, max_size=4)


def lay(room: Any, uri: str, content: bytes) -> Any:
    if content is SMALL:
        return put(room.store, uri, content)
    writer = room.store.writer(target_of(uri, content))
    for part, piece in cut(content):
        writer.put(part, piece)
    return writer.commit(sealed(content))


def check(rooms: Any, pair: tuple[str, str], content: bytes, faults: list[Fault], at_target: bool) -> None:
    source, target = rooms[WIRED + pair[0]], rooms[WIRED + pair[1]]
    calm = rooms[pair[1] if pair[1] != "onprem" else WIRED + "onprem"]
    folder = f"faults/{uuid.uuid4().hex}/"
    stat = lay(rooms[pair[0]], f"{source.store.default_container}{folder}one", content)
    uri = f"{target.store.default_container}{folder}two"
    wire = rooms.wires[pair[1] if at_target and pair[1] in CLOUDS else pair[0]]
    wire.expect(faults)
    for _ in range(ATTEMPTS):
        try:
            grants = ActivityEnvironment().run(source.storage.grant_read, ReadGrantRequest(objects=(stat,)))
            asked = CopyItem(source=stat, target=uri, grant=grants.grants[0])
            receipt = ActivityEnvironment().run(
                target.storage.copy, CopyRequest(items=(asked,), owner="run/faults")
            )
            finished = not receipt.remaining
        except ApplicationError:
            # Which error it is depends on what was damaged: an answer that was may say anything.
            finished = False
        held = calm.store.stat(uri)
        assert held is None or b"".join(calm.store.read(held)) == content, "a wrong object came to lie there"
        if finished:
            break
    wire.expect(())
    assert held is not None, "it was never finished"
    assert held.sha256 == sha256_of(content)


@pytest.mark.durability
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("pair", PAIRS, ids="-to-".join)
def test_many_faults_on_a_wire_never_make_a_wrong_object(rooms: Any, pair: tuple[str, str]) -> None:
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(large=st.booleans(), faults=FAULTS, at_target=st.booleans())
    def drawn(large: bool, faults: list[Fault], at_target: bool) -> None:
        check(rooms, pair, LARGE if large else SMALL, faults, at_target)

    drawn()
