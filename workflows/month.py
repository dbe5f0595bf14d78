"""What a month of the ledger knows and how it counts: plain data, no Temporal, and never larger than a message may be."""

import base64
import hashlib
from datetime import datetime
from decimal import Decimal
from itertools import islice

from contracts.accounts import Line, added, line_of, rounded, spent_of
from contracts.ledger import (
    Charge,
    Entered,
    Known,
    MonthCosts,
    MonthState,
    Reserved,
    ReserveRequest,
    Sent,
    Spent,
    leaves_cloud,
)
from contracts.months import MonthProgress, MonthRequest, Reservation

LINES_KEPT = 8_000
"""Lines of single runs; beyond that the older half is added up by pipeline. About 600 kB, of 2 MB that a payload may be."""
MARKS_KEPT = 20_000
"""Posts that are known again. One comes twice within minutes of the first time, so no month is busy enough to forget it."""
ANSWERS_KEPT = 500
MARK_BYTES = 8


class Month:
    """Charges, bytes and reservations of one month."""

    def __init__(self, request: MonthRequest) -> None:
        """Go on from what an execution before this one knew."""
        held = request.progress or MonthProgress()
        self.name = request.month
        self._lines: dict[Line, Spent] = {line_of(line): line for line in held.spent}
        self._sent = dict(held.sent)
        self._reservations = {one.id: one for one in held.reservations}
        self._totals = dict(held.totals)
        self._unknown = held.unknown
        self._marks = dict.fromkeys(_unpacked(held.marks))
        self._answers = {answer.id: answer for answer in held.answers}

    @property
    def progress(self) -> MonthProgress:
        """All that is known, for the execution after this one."""
        return MonthProgress(
            spent=tuple(self._lines.values()),
            sent=self._sent,
            reservations=tuple(self._reservations.values()),
            totals=self._totals,
            unknown=self._unknown,
            marks=base64.b85encode(b"".join(self._marks)).decode(),
            answers=tuple(self._answers.values()),
        )

    @property
    def state(self) -> MonthState:
        """What the month has come to."""
        reserved = self._reserved()
        sent = tuple(
            Sent(
                connection=connection,
                size_bytes=self._sent.get(connection, 0),
                reserved_bytes=reserved.get(connection, 0),
            )
            for connection in sorted({*self._sent, *reserved})
        )
        totals = tuple(
            Known(currency=currency, cost=self._totals[currency]) for currency in sorted(self._totals)
        )
        return MonthState(month=self.name, sent=sent, totals=totals, unknown=self._unknown)

    @property
    def costs(self) -> MonthCosts:
        """The same with every line."""
        return MonthCosts(month=self.name, spent=tuple(self._lines.values()), state=self.state)

    def enter(self, charge: Charge) -> Entered:
        """Write a charge down, unless it was before; say what it costs."""
        mark = _mark(charge.id)
        if mark in self._marks:
            known = Entered(id=charge.id, cost=rounded(charge.cost), currency=charge.currency)
            return self._answers.get(charge.id, known).model_copy(update={"new": False})
        self._marks[mark] = None
        _forget(self._marks, MARKS_KEPT)
        self._reservations.pop(charge.settles, None)
        entered = self._priced(charge)
        self._add(spent_of(charge, entered))
        if entered.cost is None:
            self._unknown += 1
        else:
            self._totals[entered.currency] = self._totals.get(entered.currency, Decimal(0)) + entered.cost
        return entered

    def reserve(self, request: ReserveRequest, now: datetime) -> Reserved:
        """Count bytes as sent until their transfer is charged; not what would exceed the limit."""
        held = self._reservations.pop(request.id, None)
        before = self.state
        size = max(request.size_bytes, held.size_bytes if held else 0)
        leaves = leaves_cloud(request.source, request.destination)
        granted = (
            not leaves or request.limit_bytes is None or before.egress_bytes + size <= request.limit_bytes
        )
        if leaves and granted:
            held = Reservation(
                id=request.id, run_uid=request.run_uid, connection=request.source, size_bytes=size, since=now
            )
        if held is not None:
            self._reservations[request.id] = held
        return Reserved(granted=granted, before_bytes=before.before(request.source), month=self.state)

    def release(self, run_uid: str, identity: str | None = None) -> int:
        """Let reservations of a run go, or one of them; return how many bytes that were."""
        gone = [
            one
            for one in self._reservations.values()
            if one.run_uid == run_uid and identity in {None, one.id}
        ]
        for one in gone:
            del self._reservations[one.id]
        return sum(one.size_bytes for one in gone)

    def reserving(self, before: datetime) -> tuple[str, ...]:
        """The runs that have had something reserved since before a moment."""
        held = (one.run_uid for one in self._reservations.values() if one.since < before)
        return tuple(dict.fromkeys(held))

    @property
    def reserved(self) -> bool:
        """Whether anything is reserved."""
        return bool(self._reservations)

    def _priced(self, charge: Charge) -> Entered:
        """What a charge costs: bytes that leave a cloud, on top of what had left it before in this month."""
        if charge.kind != "transfer":
            return Entered(id=charge.id, cost=rounded(charge.cost), currency=charge.currency)
        size, before = int(charge.quantity), 0
        if leaves_cloud(charge.connection, charge.destination):
            before = self._sent.get(charge.connection, 0)
            self._sent[charge.connection] = before + size
        cost, currency = charge.cost, charge.currency
        if charge.egress is not None:
            cost, currency = charge.egress.cost(size, before), charge.egress.currency
        entered = Entered(id=charge.id, cost=rounded(cost), currency=currency)
        self._answers[charge.id] = entered
        _forget(self._answers, ANSWERS_KEPT)
        return entered

    def _reserved(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for one in self._reservations.values():
            found[one.connection] = found.get(one.connection, 0) + one.size_bytes
        return found

    def _add(self, line: Spent) -> None:
        held = self._lines.get(line_of(line))
        self._lines[line_of(line)] = added(held, line) if held else line
        if len(self._lines) > LINES_KEPT:
            self._fold()

    def _fold(self) -> None:
        """Add up the older half of the lines of single runs, by pipeline."""
        single = sorted((one for one in self._lines.values() if one.run_id), key=lambda one: one.ended_at)
        for line in single[: len(single) // 2]:
            del self._lines[line_of(line)]
            whole = line.model_copy(update={"run_id": "", "stage": ""})
            held = self._lines.get(line_of(whole))
            self._lines[line_of(whole)] = added(held, whole) if held else whole


def _mark(identity: str) -> bytes:
    return hashlib.sha256(identity.encode()).digest()[:MARK_BYTES]


def _unpacked(marks: str) -> list[bytes]:
    held = base64.b85decode(marks)
    return [held[at : at + MARK_BYTES] for at in range(0, len(held), MARK_BYTES)]


def _forget(held: dict[bytes, None] | dict[str, Entered], kept: int) -> None:
    """Keep the latest."""
    for key in list(islice(held, max(0, len(held) - kept))):
        del held[key]  # type: ignore[arg-type]
