from decimal import Decimal
from pathlib import Path

import pytest

from activities.onprem.machines import OnpremMachine
from activities.onprem.settings import OnpremSettings
from activities.settings import SettingsError
from contracts.machines import Resources


def settings(root: Path, **more: str) -> OnpremSettings:
    return OnpremSettings.from_mapping(
        {"CAUSEWAY_ONPREM_ROOT": str(root), "CAUSEWAY_CONTAINER": "data", **more}
    )


def test_the_machine_costs_what_its_owner_says(tmp_path: Path) -> None:
    machine = OnpremMachine(settings(tmp_path, CAUSEWAY_ONPREM_PRICE="0.40 USD")).choose("train", Resources())
    assert machine.price is not None
    assert (machine.price.per_hour, machine.price.currency) == (Decimal("0.40"), "USD")
    assert "CAUSEWAY_ONPREM_PRICE" in machine.words


def test_a_machine_without_a_price_is_not_one_that_costs_nothing(tmp_path: Path) -> None:
    assert OnpremMachine(settings(tmp_path)).choose("train", Resources()).price is None
    free = OnpremMachine(settings(tmp_path, CAUSEWAY_ONPREM_PRICE="0 USD")).choose("train", Resources())
    assert free.price is not None
    assert free.price.per_hour == 0


def test_a_price_that_is_none_keeps_the_worker_from_starting(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"CAUSEWAY_ONPREM_PRICE is wrong: .*such as 20 USD"):
        settings(tmp_path, CAUSEWAY_ONPREM_PRICE="cheap")
