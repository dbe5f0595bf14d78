"""A control plane that does not answer says nothing of a job: nobody takes it for failed, and nothing starts twice."""

import pytest

from tests.e2e.away import SERVERS, Away, play
from tests.house import Sandbox

SECONDS = 24


@pytest.fixture(scope="module")
def away(house: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Away]:
    return play(house, tmp_path_factory.mktemp("away"), SECONDS)


def check(found: Away) -> None:
    assert found.unknown["state"] == "RUNNING"
    assert found.unknown["job"]["last_seen"]
    assert "job state unknown, last seen" in found.unknown["note"]
    (stage,) = found.document["stages"]
    assert (stage["attempts"], stage["job"]["state"]) == (1, "SUCCEEDED")
    assert len(found.jobs) == 1


@pytest.mark.parametrize("cloud", SERVERS)
def test_a_job_whose_control_plane_is_away_is_unknown_and_succeeds_when_it_is_back(
    away: dict[str, Away], cloud: str
) -> None:
    check(away[cloud])


@pytest.mark.durability
def test_two_minutes_without_a_control_plane_only_delay_a_run(
    house: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for found in play(house, tmp_path_factory.mktemp("long"), 120).values():
        check(found)
