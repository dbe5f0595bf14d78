"""Placement of as large a plan as a pipeline may be."""

import time
from typing import Any

import pytest

from activities.planning import Planner
from activities.prices import PriceBook
from contracts.plan import PlanRequest
from contracts.spec import Choose
from tests.placements import book, report, request_of, tiers

CLOUDS = ("aws", "azure", "gcp", "onprem")
SLOWEST_SECONDS = 2
"""Of a processor, for a plan of 200 stages; half a second is what it takes."""


def large(count: int) -> tuple[PlanRequest, PriceBook]:
    """A pipeline of so many stages, each of which may run on four clouds; it is as tangled as real ones."""
    stages: dict[str, Any] = {}
    for number in range(count):
        reads = [other for other in (number - 1, number - 7, number // 2) if 0 <= other < number]
        stages[f"s{number}"] = {
            "kind": "process",
            "on": "any",
            "command": "x",
            "outputs": ["out"],
            "inputs": {f"i{other}": f"s{other}" for other in sorted(set(reads))},
            "expect": {"duration": "20m", "output_size": f"{1 + number * 13 % 40}GB"},
        }
    held = [
        report(
            cloud,
            **{f"s{number}": f"{1 + (number * 7 + index * 3) % 11 / 10:.2f}" for number in range(count)},
        )
        for index, cloud in enumerate(CLOUDS)
    ]
    prices = book(
        aws=tiers("100", "0", None, "0.09"),
        azure=tiers(None, "0.08"),
        gcp=tiers(None, "0.12"),
        onprem=tiers(None, "0"),
    )
    return request_of(stages, connections={one.connection: one for one in held}), prices


@pytest.mark.parametrize("choose", ["cheapest", "fastest", "near_data"])
def test_a_plan_of_200_stages_on_4_clouds_takes_about_a_second_at_most(
    choose: Choose, capsys: pytest.CaptureFixture[str]
) -> None:
    asked, prices = large(200)
    asked = asked.model_copy(update={"spec": asked.spec.model_copy(update={"choose": choose})})
    begun = time.process_time()
    plan = Planner(prices).make(asked)
    taken = time.process_time() - begun
    with capsys.disabled():
        print(f"200 stages on 4 clouds, {choose}: {taken:.2f} s; {plan.weighed}")  # noqa: T201 - a measurement
    assert taken < SLOWEST_SECONDS
    assert all(len(held.candidates) == len(CLOUDS) for held in plan.placements.values())
    assert Planner(prices).make(asked).model_dump_json() == plan.model_dump_json()
