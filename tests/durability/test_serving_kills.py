import traceback
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest

from tests.durability import figures
from tests.durability.collected import collected
from tests.durability.harm import seed_of_tests
from tests.durability.serving_harm import MOMENTS, ROWS, Served, play_all
from tests.house import Sandbox
from tests.pipelines import CLOUDS

POINTS = 18


@pytest.fixture(scope="module")
def played(
    request: pytest.FixtureRequest, house: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[Served | Exception]]:
    seed, clouds = seed_of_tests(), collected(request, "cloud")
    found = play_all(house, tmp_path_factory.mktemp("serving"), clouds, POINTS, seed)
    # The figures of some clouds alone do not replace those of all.
    kind = "serving" if set(clouds) == set(CLOUDS) else f"serving_{'_'.join(clouds)}"
    figures.record({kind: _document(seed, found)})
    return found


def _document(seed: int, played: dict[str, list[Served | Exception]]) -> dict[str, Any]:
    served = {cloud: [one for one in found if isinstance(one, Served)] for cloud, found in played.items()}
    every = [one for found in served.values() for one in found]
    return {
        "seed": seed,
        "kills": sum(len(found) for found in played.values()),
        "failed": sum(isinstance(one, Exception) for found in played.values() for one in found),
        "clouds": {cloud: _told(found) for cloud, found in served.items()},
        "moments": {
            moment: _told(one for one in every if one.point.moment == moment) for moment in sorted(MOMENTS)
        },
    }


def _told(found: Iterable[Served]) -> dict[str, Any]:
    held = list(found)
    recoveries = [one.recovery_seconds for one in held if one.recovery_seconds is not None]
    return {
        "kills": len(held),
        "in_flight": sum(one.landed for one in held),
        "servers_started": dict(Counter(str(one.servers) for one in held)),
        "rows_scored_again": sum(one.scored - ROWS for one in held),
        "recovery_seconds": figures.spread(recoveries),
        "ending_seconds": figures.spread([one.ending_seconds for one in held]),
    }


@pytest.mark.durability
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_worker_killed_around_its_servers_leaves_one_server_each_row_once_and_nothing_behind(
    played: dict[str, list[Served | Exception]], cloud: str
) -> None:
    failed = [_shown(one) for one in played[cloud] if isinstance(one, Exception)]
    assert not failed, "\n".join(failed)


def _shown(error: Exception) -> str:
    return "".join(traceback.format_exception(error))
