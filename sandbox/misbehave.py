"""Makes a server misbehave: ours by their faults file, the others by taking them away for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.layout import OUR_OWN, Layout, Misuse
from sandbox.servers.faults import JOB_FAULTS, REQUEST_FAULTS, Fault, Faults
from sandbox.services.catalogue import CATALOGUE, named
from sandbox.supervisor import Supervisor

CLEAR = "clear"
KINDS = (*REQUEST_FAULTS, *JOB_FAULTS, CLEAR)


@dataclass(frozen=True)
class Wish:
    """What `sandbox fault` was asked for."""

    kind: str
    seconds: float | None = None
    times: int | None = None
    match: str | None = None
    delay: float | None = None


def apply(layout: Layout, server: str, wish: Wish, say: Callable[[str], None]) -> None:
    """Make the server misbehave as wished. For a third-party server this returns when it is back.

    Raises:
        Misuse: The server or the kind is unknown, or this server cannot do that.
    """
    _check(server, wish)
    if server not in OUR_OWN:
        _take_away(layout, server, wish.seconds or 0, say)
        return
    faults = Faults(layout.faults_of(server))
    if wish.kind == CLEAR:
        faults.clear()
        say(f"{server} behaves again")
        return
    until = time.time() + wish.seconds if wish.seconds else None
    faults.add(Fault(kind=wish.kind, until=until, times=wish.times, match=wish.match, seconds=wish.delay))
    say(f"{server}: {wish.kind} until {f'{wish.seconds:g} s have passed' if until else 'used up or cleared'}")


def _check(server: str, wish: Wish) -> None:
    if server not in CATALOGUE:
        raise Misuse(f"there is no server {server!r}: there are {', '.join(CATALOGUE)}")
    if wish.kind not in KINDS:
        raise Misuse(f"there is no fault {wish.kind!r}: there are {', '.join(KINDS)}")
    if server not in OUR_OWN and (wish.kind != "away" or not wish.seconds):
        raise Misuse(f"{server} is not our own server: it can only be `away --seconds N`")


def _take_away(layout: Layout, server: str, seconds: float, say: Callable[[str], None]) -> None:
    supervisor = Supervisor(layout, say)
    supervisor.halt(named(server))
    say(f"{server} is away for {seconds:g} s")
    try:
        time.sleep(seconds)
    finally:
        supervisor.up([named(server)])
