from pathlib import Path

import pytest

from tests.durability import figures
from tests.durability.drama import Drama
from tests.durability.matrix import SEED, Draw, draws
from tests.durability.observer import Observer
from tests.house import Sandbox

pytestmark = pytest.mark.durability


@pytest.mark.parametrize("draw", draws(), ids=str)
def test_whatever_dies_at_whatever_moment_the_run_ends_as_it_should(
    house: Sandbox, observer: Observer, tmp_path: Path, draw: Draw
) -> None:
    drama = Drama(house, observer, draw, tmp_path)
    try:
        figures.ROUNDS.append(drama.play())
    except Exception as error:
        pytest.fail(f"CAUSEWAY_SEED={SEED} round {draw}: {error}\n{drama.told()}", pytrace=False)
