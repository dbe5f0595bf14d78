import pytest

from activities.aws.writer import part_bytes_for
from activities.store import WriteTarget
from contracts.units import MIB


@pytest.mark.parametrize(
    ("size_bytes", "asked", "given"),
    [
        pytest.param(1, 1, 5 * MIB, id="never below what S3 takes"),
        pytest.param(10**9, 16 * MIB, 16 * MIB, id="as asked"),
        pytest.param(5 * 2**40, 16 * MIB, 525 * MIB, id="at most 9999 parts"),
    ],
)
def test_parts_are_as_large_as_the_object_needs(size_bytes: int, asked: int, given: int) -> None:
    found = part_bytes_for(WriteTarget("s3://bucket/key", size_bytes, "", asked, "", "", False))
    assert found == given
    assert -(-size_bytes // found) <= 9999
