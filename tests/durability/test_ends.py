"""A run that is cancelled, aborted or out of time leaves no process, no job, no upload, no endpoint and no claim."""

import random
import traceback
from collections.abc import Iterable

import pytest

from tests.durability import figures
from tests.durability.collected import collected
from tests.durability.ends import ENDS, PHASES, Cell, cells, play_all
from tests.house import Sandbox
from tests.pipelines import CLOUDS

SEED = 4
OF_MAKE_TEST = [
    random.Random(f"{SEED}/{end}").choice([cell for cell in cells() if cell.end == end]) for end in ENDS
]
Played = dict[Cell, float | Exception]


@pytest.fixture(scope="module")
def played(
    request: pytest.FixtureRequest, house: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Played:
    house.sandbox("up", "--workers")
    found = play_all(house, tmp_path_factory.mktemp("ends"), collected(request, "cell"))
    figures.record({"ends": _document(found)})
    return found


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    "cell",
    [
        pytest.param(cell, id=str(cell), marks=() if cell in OF_MAKE_TEST else pytest.mark.durability)
        for cell in cells()
    ],
)
def test_an_end_at_whatever_moment_leaves_nothing(played: Played, cell: Cell) -> None:
    came = played[cell]
    assert isinstance(came, float), "".join(traceback.format_exception(came))


def _document(played: Played) -> dict[str, object]:
    return {
        "cells": len(played),
        "failed": sorted(str(cell) for cell, came in played.items() if isinstance(came, Exception)),
        "ends": {end: _told(came for cell, came in played.items() if cell.end == end) for end in ENDS},
        "phases": {
            phase: _told(came for cell, came in played.items() if cell.phase == phase) for phase in PHASES
        },
        "clouds": {
            cloud: _told(came for cell, came in played.items() if cell.cloud == cloud) for cloud in CLOUDS
        },
    }


def _told(found: Iterable[float | Exception]) -> dict[str, object]:
    held = list(found)
    seconds = [came for came in held if not isinstance(came, Exception)]
    return {"cells": len(held), "left_nothing": len(seconds), "ending_seconds": figures.spread(seconds)}
