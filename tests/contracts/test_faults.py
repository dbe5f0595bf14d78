"""Copies over wires that cut, stall, damage, refuse and truncate: what comes to lie at the target is right, or nothing is."""

import itertools
import random
import uuid
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from temporalio.exceptions import ApplicationError

from contracts.errors import ErrorKind
from tests.contracts.conftest import SANDBOXED, WIRED
from tests.contracts.journeys import Journey
from tests.objects import LARGE, cut, put, sealed, sha256_of, target_of
from tests.wire import Fault, Wire

SMALL = random.Random(3).randbytes(100_000)
CLOUDS = ("aws", "azure", "gcp")
ONPREM = SANDBOXED + "onprem"
PAIRS = [
    *itertools.permutations(CLOUDS, 2),
    *((cloud, ONPREM) for cloud in CLOUDS),
    *((ONPREM, cloud) for cloud in CLOUDS),
]
NAMES = ["-to-".join(pair).replace(SANDBOXED, "") for pair in PAIRS]
RING = [("aws", "azure"), ("azure", "gcp"), ("gcp", ONPREM), (ONPREM, "aws")]
"""Each room once as a source and once as a target; all pairs are played, at greater length, by `make durability`."""
ATTEMPTS = 12
WAYS = st.sampled_from(["up", "down"])
PASSING = {ErrorKind.UNAVAILABLE, ErrorKind.THROTTLED}


@dataclass(frozen=True)
class Weather:
    """What befalls one object on its way."""

    large: bool
    at_target: bool
    faults: list[Fault]

    @property
    def content(self) -> bytes:
        """What the object holds; drawn by a name, since content makes long reports."""
        return LARGE if self.large else SMALL


@st.composite
def weathers(draw: Any) -> Weather:
    large = draw(st.booleans())
    size = len(LARGE if large else SMALL)
    byte = st.one_of(st.integers(0, 5_000), st.integers(0, size))
    of_bytes = st.builds(Fault, way=WAYS, kind=st.sampled_from(["cut", "stall"]), at=byte)
    # In bodies: a length that is damaged in a header makes both ends wait for a minute, and nothing else.
    damage = st.builds(Fault, way=WAYS, kind=st.just("damage"), at=st.integers(30_000, size))
    of_requests = st.builds(
        Fault, way=st.just("down"), kind=st.sampled_from(["503", "429", "truncate"]), at=st.integers(0, 12)
    )
    faults = draw(st.lists(st.one_of(of_bytes, damage, of_requests), min_size=1, max_size=4))
    return Weather(large, draw(st.booleans()), faults)


def lay(room: Any, uri: str, content: bytes) -> Any:
    if content is SMALL:
        return put(room.store, uri, content)
    writer = room.store.writer(target_of(uri, content))
    for part, piece in cut(content):
        writer.put(part, piece)
    return writer.commit(sealed(content))


def wire_of(rooms: Any, pair: tuple[str, str], at_target: bool) -> Wire:
    """The wire at that end of a pair; on-prem has none."""
    ends = [end for end in (pair[::-1] if at_target else pair) if end in CLOUDS]
    wire: Wire = rooms.wires[ends[0]]
    return wire


def check(rooms: Any, pair: tuple[str, str], weather: Weather) -> None:
    source, target = rooms[WIRED + pair[0]], rooms[WIRED + pair[1]]
    near, calm = (rooms[end if end in CLOUDS else WIRED + end] for end in pair)
    folder, content = f"faults/{uuid.uuid4().hex}/", weather.content
    stat = lay(near, f"{source.store.default_container}{folder}one", content)
    uri = f"{target.store.default_container}{folder}two"
    journey, wire = Journey(source, target, stat, uri), wire_of(rooms, pair, weather.at_target)
    told: list[str] = []
    wire.expect(weather.faults)
    for _ in range(ATTEMPTS):
        try:
            finished = journey.attempt()
        except ApplicationError as error:
            finished = False
            told.append(f"{error.type}: {error.message}")
            judge(error, wire.struck)
        held = calm.store.stat(uri)
        assert held is None or b"".join(calm.store.read(held)) == content, "a wrong object came to lie there"
        if finished:
            break
    wire.expect(())
    assert held is not None, f"it was never finished: {told}"
    assert held.sha256 == sha256_of(content)


def judge(error: ApplicationError, struck: list[Fault]) -> None:
    """Hold an error to what befell: an answer that was damaged may say anything, all else passes."""
    if any(fault.kind == "damage" for fault in struck):
        return
    assert error.type in PASSING, f"{error.type}: {error.message}"
    assert not error.non_retryable, error.message


def play(rooms: Any, pair: tuple[str, str], examples: int, *, drawn_anew: bool) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=not drawn_anew,
        database=None,
        # A failed example costs up to a minute: it is told as it was drawn.
        phases=[Phase.generate],
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(weathers())
    def drawn(weather: Weather) -> None:
        check(rooms, pair, weather)

    drawn()


@pytest.mark.parametrize("pair", RING, ids="-to-".join)
def test_faults_on_a_wire_never_make_a_wrong_object(rooms: Any, pair: tuple[str, str]) -> None:
    play(rooms, pair, 5, drawn_anew=False)


@pytest.mark.durability
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("pair", PAIRS, ids=NAMES)
def test_many_faults_on_a_wire_never_make_a_wrong_object(rooms: Any, pair: tuple[str, str]) -> None:
    play(rooms, pair, 60, drawn_anew=True)
