"""A worker that dies, an answer that is lost, an activity that is done twice at once: one job, on every cloud."""

import pytest

from tests.durability.harm import HARMS, PHASES, Count, failed, play_all
from tests.house import Sandbox
from tests.pipelines import CLOUDS

SEED = 4
POINTS = 3


@pytest.fixture(scope="module")
def played(house: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Count | Exception]]:
    return play_all(house, tmp_path_factory.mktemp("harm"), POINTS, SEED)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_whatever_harms_a_submit_a_wait_or_a_collect_the_cloud_has_one_job(
    played: dict[str, list[Count | Exception]], cloud: str
) -> None:
    assert [failed(found) for found in played[cloud]] == [None] * POINTS
    met = [found.point for found in played[cloud] if isinstance(found, Count)]
    assert {point.phase for point in met} == set(PHASES)
    assert {point.harm for point in met} == set(HARMS)
