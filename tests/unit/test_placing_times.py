"""Placement by time, held against a brute force, and a placement that is changed against one that is built anew."""

import itertools
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings

from activities.placing.gather import Gathering
from activities.placing.options import options_of
from activities.placing.state import State
from contracts.spec import Choose
from tests.unit.test_placing_large import large
from tests.unit.test_placing_properties import FULL, World, asked_of, places_of, planner, request, worlds

SECONDS_PER_GB = 20
"""Of a transfer, at 50 MB a second."""


def takes(world: World, places: tuple[str, ...]) -> tuple[int, int, int]:
    """How many stages need a yes, how many take nobody knows how long, when the last of all ends: by going through them."""
    ends: list[int] = []
    for stage, place in zip(world.stages, places, strict=True):
        brought = [
            (world.stages[other].output_gb or 0) * SECONDS_PER_GB
            for other in stage.reads
            if places[other] != place
        ]
        begun = max((ends[other] for other in stage.reads), default=0)
        ends.append(begun + max(brought, default=0) + (stage.hours or 0) * 3600)
    return asked_of(world, places), sum(stage.hours is None for stage in world.stages), max(ends)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds())
@example(FULL)
def test_no_plan_ends_later_than_what_brute_force_finds(world: World) -> None:
    if not all(world.options):
        return
    asked = request(world)
    fast = asked.model_copy(update={"spec": asked.spec.model_copy(update={"choose": "fastest"})})
    soonest = min(takes(world, places) for places in itertools.product(*world.options))
    assert takes(world, places_of(world, planner(world).make(fast))) == soonest


@pytest.mark.parametrize("choose", ["cheapest", "fastest", "near_data"])
def test_a_placement_that_is_changed_is_worth_what_it_is_when_it_is_built_anew(choose: Choose) -> None:
    asked, prices = large(30)
    weights = Gathering(asked, options_of(asked), prices).weights()
    chance = random.Random(7)
    state = State(weights, choose)
    for _ in range(200):
        before, held = state, (state.value, state.cost)
        state = state.copy()
        for choice in chance.sample(weights.open, 3):
            state.put(choice, chance.choice((None, *weights.options[choice])))
        if chance.random() < 0.3:
            assert state.value is not None
        assert (before.value, before.cost) == held, "a copy that is changed leaves the first as it was"
        anew: Any = State(weights, choose)
        for choice, place in reversed(list(enumerate(state.at))):
            anew.put(choice, place)
        assert (state.value, state.cost) == (anew.value, anew.cost)
        if chance.random() < 0.5:
            state = before
