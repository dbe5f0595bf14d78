"""Finding and ending what runs left behind, over any number of kinds; a room brings a `Sweeper` for each kind it has."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.guard import Translate, guarded, translated
from activities.parallel import Stop, for_each
from contracts.artifacts import locate
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.marks import OPTIONAL
from contracts.sweeps import (
    PAGE_ITEMS,
    SweepActivities,
    SweepEnd,
    SweepEnds,
    SweepFindRequest,
    SweepItem,
    SweepPage,
    SweepStopRequest,
)

_RUN_UID = re.compile(r"[0-9a-f]{32}")
_PREFIX = re.compile(rf"runs/([0-9a-f]{{32}})/{OPTIONAL}([^/]+)/")
"""Of `contracts.plan.prefix_of`: where a run's own objects come to lie."""
LOOK_SECONDS = 20.0
"""How long one page may be looked for: a large store is listed over many calls, each of which is told."""


@dataclass(frozen=True)
class Found:
    """What one look at the vendor's own listing gave."""

    items: Sequence[SweepItem] = ()
    next_after: str | None = None
    """Where the next look goes on; None at the end."""


class Sweeper(Protocol):
    """One kind of thing on one connection.

    Methods raise the provider's own errors or `contracts.errors.failure`; the caller translates.
    """

    kind: str

    def find(self, after: str | None) -> Found:
        """Return what one page of the vendor's listing holds of this kind and has not ended, whoever owns it."""

    def stop(self, item: SweepItem) -> None:
        """Have it end for certain, and return then; one that is gone already is no error."""


@dataclass
class _Page:
    items: list[SweepItem] = field(default_factory=list)
    younger: int = 0


class RoomSweepActivities(SweepActivities):
    """What `contracts.sweeps` promises, by the sweepers of one room."""

    def __init__(self, sweepers: Sequence[Sweeper], translate: Translate) -> None:
        """Sweep these kinds, in this order."""
        self._sweepers = {sweeper.kind: sweeper for sweeper in sweepers}
        self._translate = translate

    @activity.defn(name="sweep.find", no_thread_cancel_exception=True)
    def find(self, request: SweepFindRequest) -> SweepPage:
        """See the contract."""
        kinds = list(self._sweepers)
        kind, _, token = (request.after or "").partition("|")
        at = kinds.index(kind) if kind in kinds else 0
        page, until = _Page(), time.monotonic() + LOOK_SECONDS
        with guarded(self._translate, "what runs left"):
            while at < len(kinds):
                found = self._look(kinds[at], token or None)
                _sort(page, found.items, request)
                at, token = (at, found.next_after) if found.next_after else (at + 1, "")
                if len(page.items) >= PAGE_ITEMS or time.monotonic() > until:
                    break
        following = f"{kinds[at]}|{token}" if at < len(kinds) else None
        return SweepPage(items=tuple(page.items), younger=page.younger, next_after=following)

    @activity.defn(name="sweep.stop", no_thread_cancel_exception=True)
    def stop(self, request: SweepStopRequest) -> SweepEnds:
        """See the contract."""
        with guarded(self._translate, "what runs left"):
            return SweepEnds(ends=tuple(for_each(self._stop_one, request.items)))

    def _look(self, kind: str, token: str | None) -> Found:
        with translated(self._translate, f"every {kind} of Causeway's"):
            return self._sweepers[kind].find(token)

    def _stop_one(self, item: SweepItem, stop: Stop) -> SweepEnd:
        stop.check()
        told = ""
        try:
            with translated(self._translate, item.name):
                self._checked(item).stop(item)
        except ApplicationError as error:
            told = f"{error.type}: {error.message}"
        activity.logger.info("%s %s: %s", item.kind, item.name, told or "stopped")
        return SweepEnd(kind=item.kind, id=item.id, stopped=not told, message=told)

    def _checked(self, item: SweepItem) -> Sweeper:
        if not item.run_uid and not item.abandoned:
            told = f"{item.name} carries no run's mark, so nobody can say whose it is"
            raise failure(ErrorKind.ACCESS_DENIED, told, ErrorDetail(ref=item.name))
        if item.kind not in self._sweepers:
            told = f"this worker knows no {item.kind}"
            raise failure(ErrorKind.UNSUPPORTED, told, ErrorDetail(ref=item.name))
        return self._sweepers[item.kind]


def mark_of(name: str) -> tuple[str, str]:
    """Return the run and the stage that the name of an object in the default container tells; empty where it tells none."""
    found = _PREFIX.match(name)
    return (found[1], found[2]) if found else ("", "")


def containers_of(default: str, prefixes: Sequence[str]) -> tuple[str, ...]:
    """Return the bare names of the containers a worker may leave things in: its own, and those it mints grants for."""
    own = locate(default).container
    return tuple(dict.fromkeys([own, *(locate(prefix).container for prefix in prefixes)]))


def _sort(page: _Page, items: Sequence[SweepItem], request: SweepFindRequest) -> None:
    """Add what was asked for; what tells no age is old enough here, and the workflow judges it by its run's end."""
    limit = datetime.now(UTC) - request.older_than
    for listed in items:
        # What others wrote into a tag of ours is no run's mark.
        item = listed if _RUN_UID.fullmatch(listed.run_uid) else listed.model_copy(update={"run_uid": ""})
        if request.run_uid is not None and item.run_uid != request.run_uid:
            continue
        if item.since is not None and item.since > limit:
            page.younger += 1
        else:
            page.items.append(item)
