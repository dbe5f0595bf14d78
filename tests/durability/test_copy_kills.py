"""One large copy for each writer, whose worker is killed at ten moments."""

from pathlib import Path

import pytest

from tests.e2e.test_transfers import killed
from tests.house import Sandbox

GIB = 1024 * 1024 * 1024


@pytest.mark.durability
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("cloud", ["aws", "azure", "gcp", "onprem"])
def test_ten_kills_in_a_gibibyte_cost_what_was_in_flight_and_no_more(
    house: Sandbox, tmp_path: Path, cloud: str
) -> None:
    house.sandbox("up", "--workers")
    killed(house, tmp_path, cloud, GIB, 10)
