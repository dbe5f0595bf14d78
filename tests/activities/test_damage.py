"""Bytes that were damaged on their way: told, never published, and no burden to the next attempt."""

import os
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.checksums import crc32c, to_base64
from contracts.copies import PartsRequest, SealRequest
from contracts.errors import ErrorKind
from contracts.parts import PART_BYTES
from tests.activities.copies import OWNER, TARGET, Counting, activities, copy, failed, held, item, request
from tests.activities.servers import serving
from tests.objects import cut

CONTENT = os.urandom(2 * PART_BYTES + 7)
CHECKSUM = to_base64(crc32c(CONTENT))


@pytest.fixture
def store(tmp_path: Path) -> Counting:
    return Counting(tmp_path)


def test_damage_is_told_once_every_byte_was_read_and_no_part_of_it_is_kept(store: Counting) -> None:
    with serving(CONTENT, fault="damaged") as source:
        asked = request(item(source, crc32c=CHECKSUM))
        assert failed(store, source, asked).type == ErrorKind.CHECKSUM_MISMATCH
        assert held(store) is None
        source.fault = "none"
        receipt = copy(store, source, asked).objects[0]
    assert receipt.bytes_sent == len(CONTENT)
    assert held(store) == CONTENT


def test_parts_that_came_to_another_checksum_together_are_not_kept_when_they_are_sealed(
    store: Counting,
) -> None:
    with serving(CONTENT) as source:
        asked = item(source, crc32c=to_base64(1))
        assert asked.grant is not None
        numbers = tuple(part.index for part, _ in cut(CONTENT))
        wanted = PartsRequest(
            source=asked.source, target=TARGET, parts=numbers, grant=asked.grant, owner=OWNER
        )
        brought = ActivityEnvironment().run(activities(store, source).copy_parts, wanted)
        seal = SealRequest(source=asked.source, target=TARGET, parts=brought.parts, owner=OWNER)
        with pytest.raises(ApplicationError) as raised:
            ActivityEnvironment().run(activities(store, source).seal, seal)
    assert raised.value.type == ErrorKind.CHECKSUM_MISMATCH
    assert store.stat(TARGET) is None
    assert list(store.abort_uploads(TARGET)) == []
