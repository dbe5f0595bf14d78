"""One large copy for each writer, whose worker is killed at ten moments; and one that is paused in its middle."""

from pathlib import Path

import pytest

from contracts.units import MIB
from tests.durability import copy_figures
from tests.e2e.interrupted import killed, paused
from tests.house import Sandbox

GIBIBYTE = 1024 * MIB
pytestmark = [pytest.mark.durability, pytest.mark.timeout(1800)]


@pytest.mark.parametrize("cloud", ["aws", "azure", "gcp", "onprem"])
def test_ten_kills_in_a_gibibyte_cost_what_was_in_flight_and_no_more(
    house: Sandbox, tmp_path: Path, cloud: str
) -> None:
    house.sandbox("up", "--workers")
    copy_figures.KILLED.append(killed(house, tmp_path, cloud, GIBIBYTE, 10))


def test_a_gibibyte_that_is_paused_in_its_middle_is_drained_in_time_and_no_part_is_sent_twice(
    house: Sandbox, tmp_path: Path
) -> None:
    house.sandbox("up", "--workers")
    copy_figures.PAUSED.append(paused(house, tmp_path, GIBIBYTE))
