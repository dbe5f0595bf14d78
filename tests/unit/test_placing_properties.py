"""Placement over random graphs, prices and policies, held against a brute force that knows nothing of its code."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from temporalio.exceptions import ApplicationError

from activities.planning import Planner
from contracts.candidates import Candidate
from contracts.errors import ErrorKind
from contracts.plan import Plan, PlanRequest
from contracts.policy import Policy
from tests.placements import book, report, request_of, tiers

CLOUDS = ("aws", "azure", "gcp", "onprem")
GB = 10**9


@dataclass(frozen=True)
class Stage:
    """A stage in the test's own terms."""

    reads: tuple[int, ...]
    places: tuple[str, ...]
    hours: int | None
    output_gb: int | None
    rates: tuple[tuple[str, int | None], ...]
    """What its machine costs an hour at each place, in cents; None where nobody knows."""
    kind: str | None


@dataclass(frozen=True)
class World:
    """All that a plan is made from, in the test's own terms."""

    stages: tuple[Stage, ...]
    egress: tuple[tuple[str, tuple[int, int, int]], ...]
    """By cloud: cents a GB, up to so many GB, and cents a GB from there on."""
    sent_gb: tuple[tuple[str, int], ...]
    allowed: tuple[str, ...]
    """Clouds that secret data may lie on."""
    waivable: bool = False
    """Whether somebody may let secret data lie elsewhere."""

    @property
    def kinds(self) -> list[bool]:
        """Whether each stage leaves secrets: its own, or those of what it reads."""
        found: list[bool] = []
        for stage in self.stages:
            found.append(stage.kind == "secret" or any(found[other] for other in stage.reads))
        return found

    @property
    def options(self) -> list[tuple[str, ...]]:
        """Where each stage may be by the policy."""
        return [
            tuple(place for place in stage.places if self.waivable or place in self.allowed or not secret)
            for stage, secret in zip(self.stages, self.kinds, strict=True)
        ]


def asked_of(world: World, places: tuple[str, ...]) -> int:
    """How many stages somebody would have to let be where they are."""
    pairs = zip(places, world.kinds, strict=True)
    return sum(secret and place not in world.allowed for place, secret in pairs)


def worth(world: World, places: tuple[str, ...]) -> tuple[int, int, Fraction]:
    """How many rules have to be waived, how much of its cost nobody knows, what the rest comes to: by adding it all up."""
    unknown, total = 0, Fraction(0)
    for stage, place in zip(world.stages, places, strict=True):
        rate = dict(stage.rates)[place]
        if rate is None or stage.hours is None:
            unknown += 1
        else:
            total += Fraction(rate * stage.hours, 100)
    egress, leaving = dict(world.egress), dict.fromkeys(CLOUDS, 0)
    crossings = {
        (other, places[number])
        for number, stage in enumerate(world.stages)
        for other in stage.reads
        if places[other] != places[number]
    }
    for other, _ in crossings:
        size, source = world.stages[other].output_gb, places[other]
        if source not in egress:
            unknown += 1
        elif size is not None:
            leaving[source] += size
        elif any(egress[source][part] for part in (0, 2)):
            unknown += 1
    for cloud, (price, end, later) in egress.items():
        before = dict(world.sent_gb).get(cloud, 0)
        for gb in range(before, before + leaving[cloud]):
            total += Fraction(price if gb < end else later, 100)
    return asked_of(world, places), unknown, total


def best(world: World) -> tuple[int, int, Fraction]:
    return min(worth(world, places) for places in itertools.product(*world.options))


def spec_stages(world: World) -> dict[str, Any]:
    return {
        f"s{number}": {
            "kind": "process",
            "on": list(stage.places),
            "command": "x",
            "outputs": ["out"],
            "timeout": "300h",
            "inputs": {f"i{other}": f"s{other}" for other in stage.reads},
            "expect": {"duration": f"{stage.hours}h" if stage.hours else None}
            | ({"output_size": f"{stage.output_gb}GB"} if stage.output_gb else {}),
            **({"data_class": stage.kind} if stage.kind else {}),
        }
        for number, stage in enumerate(world.stages)
    }


def request(world: World) -> PlanRequest:
    rates = {
        cloud: {f"s{number}": dict(stage.rates).get(cloud) for number, stage in enumerate(world.stages)}
        for cloud in CLOUDS
    }
    connections = [
        report(
            cloud, **{name: None if cents is None else f"{cents / 100:.2f}" for name, cents in held.items()}
        )
        for cloud, held in rates.items()
    ]
    return request_of(
        spec_stages(world),
        connections={held.connection: held for held in connections},
        sent={f"{cloud}/default": gb * GB for cloud, gb in world.sent_gb},
    )


def planner(world: World) -> Planner:
    prices = {
        cloud: tiers(str(end), f"{price / 100:.2f}", None, f"{later / 100:.2f}")
        for cloud, (price, end, later) in world.egress
    }
    waivers = {"clouds": ["dana"]} if world.waivable else {}
    rules = {"classes": {"secret": {"clouds": list(world.allowed)}}, "waivers": waivers}
    policy = Policy.model_validate(rules)
    return Planner(book(**prices), policy=policy)


def places_of(world: World, plan: Plan) -> tuple[str, ...]:
    return tuple(
        plan.placements[f"s{number}"].connection.removesuffix("/default")
        for number in range(len(world.stages))
    )


def candidates(plan: Plan) -> Iterator[tuple[str, Candidate]]:
    for name, placement in plan.placements.items():
        for held in placement.candidates:
            yield name, held


@st.composite
def worlds(draw: st.DrawFn, most: int = 5) -> World:
    count = draw(st.integers(1, most))
    stages = []
    for number in range(count):
        places = draw(st.lists(st.sampled_from(CLOUDS), min_size=2, max_size=4, unique=True))
        reads = draw(st.lists(st.integers(0, number - 1), max_size=2, unique=True)) if number else []
        rates = [(place, draw(st.none() | st.integers(0, 400))) for place in places]
        stages.append(
            Stage(
                reads=tuple(sorted(reads)),
                places=tuple(places),
                hours=draw(st.none() | st.integers(1, 5)),
                output_gb=draw(st.none() | st.integers(1, 30)),
                rates=tuple(rates),
                kind=draw(st.sampled_from((None, None, "secret"))),
            )
        )
    priced = draw(st.lists(st.sampled_from(CLOUDS[:3]), unique=True))
    cents = st.integers(0, 20)
    return World(
        stages=tuple(stages),
        egress=tuple(
            (cloud, (draw(cents), draw(st.integers(1, 40)), draw(cents))) for cloud in sorted(priced)
        ),
        sent_gb=tuple((cloud, draw(st.integers(0, 40))) for cloud in sorted(priced)),
        allowed=tuple(draw(st.lists(st.sampled_from(CLOUDS), min_size=1, unique=True))),
        waivable=draw(st.booleans()),
    )


FULL = World(
    stages=tuple(
        Stage(
            reads=tuple(other for other in (number - 1, number - 3) if other >= 0),
            places=CLOUDS,
            hours=1 + number % 3,
            output_gb=5 + 7 * number % 11,
            rates=tuple((cloud, 60 + 37 * (number + index) % 90) for index, cloud in enumerate(CLOUDS)),
            kind="secret" if number == 4 else None,
        )
        for number in range(6)
    ),
    egress=(("aws", (0, 8, 9)), ("azure", (8, 20, 5)), ("gcp", (12, 10, 8))),
    sent_gb=(("aws", 3), ("gcp", 9)),
    allowed=("aws", "gcp", "onprem"),
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds())
@example(FULL)
def test_no_plan_is_dearer_than_what_brute_force_finds_and_none_breaks_a_rule(world: World) -> None:
    if not all(world.options):
        asked = request(world)
        with pytest.raises(ApplicationError) as refused:
            planner(world).make(asked)
        assert refused.value.type == ErrorKind.POLICY_VIOLATION
        return
    plan = planner(world).make(request(world))
    places = places_of(world, plan)
    assert all(place in options for place, options in zip(places, world.options, strict=True))
    assert worth(world, places) == best(world)
    assert len(plan.violations) == asked_of(world, places)
    for name, held in candidates(plan):
        number = int(name[1:])
        if held.rule:
            assert held.connection.removesuffix("/default") not in world.options[number]
        elif held.chosen:
            assert held.connection == plan.placements[name].connection
            assert (held.unknown, Fraction(held.cost or 0)) == worth(world, places)[1:]
        else:
            assert held.why
            here = held.connection.removesuffix("/default")
            at_best = min(
                worth(world, other) for other in itertools.product(*world.options) if other[number] == here
            )
            assert (held.unknown, Fraction(held.cost or 0)) == at_best[1:]
            assert bool(held.asks) == (world.kinds[number] and here not in world.allowed)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds(), st.randoms(use_true_random=False))
def test_the_same_request_makes_the_same_plan_byte_for_byte_whatever_order_it_was_built_in(
    world: World, shuffle: Any
) -> None:
    if not all(world.options):
        return
    asked = request(world)
    connections = list(asked.connections.items())
    shuffle.shuffle(connections)
    other = asked.model_copy(
        update={
            "connections": {
                name: held.model_copy(update={"machines": dict(reversed(held.machines.items()))})
                for name, held in connections
            }
        }
    )
    first = planner(world).make(asked).model_dump_json()
    assert planner(world).make(asked).model_dump_json() == first
    assert planner(world).make(other).model_dump_json() == first


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds())
def test_the_quote_of_a_plan_says_what_the_plan_was_chosen_by(world: World) -> None:
    if not all(world.options):
        return
    plan = planner(world).make(request(world))
    places = places_of(world, plan)
    _, unknown, total = worth(world, places)
    assert plan.quote is not None
    assert sum(Fraction(held.likely) for held in plan.quote.totals) == total
    assert len(plan.quote.unknown) == unknown
