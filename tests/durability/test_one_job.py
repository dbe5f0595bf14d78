import pytest

from tests.durability import figures
from tests.durability.harm import HARMS, PHASES, Count, failed, play_all, seed_of_tests
from tests.house import Sandbox
from tests.pipelines import CLOUDS

POINTS = 30


@pytest.fixture(scope="module")
def played(house: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Count | Exception]]:
    seed = seed_of_tests()
    found = play_all(house, tmp_path_factory.mktemp("harm"), POINTS, seed)
    figures.record({"one_job": _document(seed, found)})
    return found


def _document(seed: int, played: dict[str, list[Count | Exception]]) -> dict[str, object]:
    counts = {cloud: [one for one in found if isinstance(one, Count)] for cloud, found in played.items()}
    every = [one for found in counts.values() for one in found]
    return {
        "seed": seed,
        "jobs_too_many": sum(one.jobs - 1 for one in every),
        "harms": {harm: _spreads([one for one in every if one.point.harm == harm]) for harm in HARMS},
        "clouds": {
            cloud: {
                "points": len(played[cloud]),
                "one_job": sum(failed(one) is None for one in played[cloud]),
                "in_flight": sum(one.landed for one in found),
                "seconds": round(sum(one.seconds for one in found), 1),
                **{
                    f"{phase}_{harm}": sum(
                        (one.point.phase, one.point.harm) == (phase, harm) for one in found
                    )
                    for phase in PHASES
                    for harm in HARMS
                },
            }
            for cloud, found in counts.items()
        },
    }


def _spreads(found: list[Count]) -> dict[str, object]:
    recoveries = [one.recovery_seconds for one in found if one.recovery_seconds is not None]
    return {
        "points": len(found),
        "recovery_seconds": figures.spread(recoveries),
        "ending_seconds": figures.spread([one.ending_seconds for one in found]),
    }


@pytest.mark.durability
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("cloud", CLOUDS)
def test_whatever_harms_a_job_thirty_times_the_cloud_has_one_job_each_time(
    played: dict[str, list[Count | Exception]], cloud: str
) -> None:
    assert [found for found in map(failed, played[cloud]) if found is not None] == []
