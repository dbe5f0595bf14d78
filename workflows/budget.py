"""Keeps a run to its budget and to what may leave clouds: a step that could exceed them asks before it begins."""

from collections.abc import Iterator
from decimal import Decimal
from functools import partial

from contracts.errors import ErrorKind, hint_for
from contracts.ledger import MonthState
from contracts.model import Message
from contracts.money import Amount
from contracts.runs import StageError
from contracts.spending import BUDGET, MAX_EGRESS, Allowance, Cap, Reservation, Spending
from contracts.units import format_size
from workflows.book import Book
from workflows.holds import YES, Hold, Holds
from workflows.outcomes import StageFailed
from workflows.told import money


class Step(Message):
    """Something that is about to spend."""

    id: str
    """Such as `train/g2`, or the key of a transfer: its reservation goes by it."""
    stage: str
    """The stage that waits if it has to."""
    words: str
    """What it is, for people: `generation 2 of train`."""
    cost: Decimal | None = None
    """At most; None where nobody knows."""
    currency: str = ""
    size_bytes: int = 0
    """What may leave a cloud by it, at most."""
    unsized: bool = False
    """Nobody knows how much may leave."""
    why: str = ""
    """What the cost is reckoned from, or why nobody knows it."""


class Budget:
    """What one run has spent, may still spend, and asks for."""

    def __init__(self, book: Book, holds: Holds, allowance: Allowance | None) -> None:
        """Keep to this; without an allowance nothing is asked and nothing is written down."""
        self._book = book
        self._holds = holds
        self._allowance = allowance or Allowance()
        self.is_bounded = allowance is not None
        if allowance and book.status.spending is None:
            book.update(spending=Spending(budget=allowance.budget))

    @property
    def month(self) -> tuple[Cap, ...]:
        """Limits on what leaves clouds in a month, over all runs."""
        return self._allowance.month

    @property
    def counts_money(self) -> bool:
        """Whether the run has a budget."""
        return self._allowance.budget is not None

    async def begin(self, step: Step) -> None:
        """Return once a step may begin; from then on it counts with what it costs at most, until it has ended.

        Raises:
            HoldRefused: a person said no.
            StageFailed: it would exceed a limit that nobody may waive.
            Parked: see `workflows.holds`.
        """
        if not self.is_bounded:
            return
        passed: set[str] = set()
        while (hold := next(self._holds_of(step, passed), None)) is not None:
            if await self._holds.passed_while(step.stage, hold, partial(self._needed, step, passed, hold)):
                passed.add(hold.rule)
        self._reserve(step, passed)

    async def exceed_month(self, step: Step, cap: Cap, month: MonthState) -> None:
        """Return once a step may send more than is left of a month's limit.

        Raises:
            HoldRefused, StageFailed, Parked: as `begin`.
        """
        told = (
            f"{step.words} may send {format_size(step.size_bytes)}; {format_size(month.egress_bytes)} of "
            f"{format_size(cap.size_bytes)} that {cap.rule} allows in {month.month} have left clouds, or still may"
        )
        shown = {
            cap.rule: format_size(cap.size_bytes),
            f"in {month.month}": format_size(month.egress_bytes),
            "this step": step.why,
        }
        await self._holds.passed(step.stage, _of_cap(step, cap, told, shown))

    def end(self, step: str, cost: Decimal | None, size_bytes: int = 0) -> None:
        """Have a step count with what it really came to; None where nobody knows: then with what it may have cost."""
        spending = self._book.status.spending
        if spending is not None and step in spending.held:
            self._book.update(spending=spending.ended(step, cost, size_bytes))

    @property
    def _caps(self) -> tuple[Cap, ...]:
        """The limits of the run, without those that were waived for all of it before it began."""
        decisions = self._book.status.decisions
        waived = {one.rule for one in decisions if one.rule and not one.stage and one.answer == YES}
        return tuple(cap for cap in self._allowance.egress if cap.rule not in waived)

    def reserved(self, step: str) -> Reservation | None:
        """What a step that is under way may spend."""
        spending = self._book.status.spending
        return spending.held.get(step) if spending else None

    def _needed(self, step: Step, passed: set[str], hold: Hold) -> bool:
        """Whether a question still stands: what was under way may have cost less than it might have."""
        try:
            return any(one.rule == hold.rule for one in self._holds_of(step, passed))
        except StageFailed:
            return False

    def _holds_of(self, step: Step, passed: set[str]) -> Iterator[Hold]:
        """What a step has to wait for, as things stand; nothing of the rules by which it has passed already.

        Raises:
            StageFailed: nobody may let it pass.
        """
        if BUDGET not in passed and self._allowance.budget is not None:
            yield from self._of_budget(step, self._allowance.budget)
        for cap in self._caps:
            leaves = step.unsized or step.size_bytes > 0
            over = self._spending.over_bytes(step.id, step.size_bytes, cap) if leaves else 0
            if (over or step.unsized) and cap.rule not in passed:
                yield self._of_egress(step, cap, over)

    def _of_budget(self, step: Step, budget: Amount) -> Iterator[Hold]:
        spending, cost = self._spending, self._cost(step)
        shown = {"budget": budget.text, **self._standing(spending, budget), "this step": step.why}
        if cost is None:
            if step.stage not in spending.trusted:
                question = (
                    f"{step.words}: what it costs is not known, and the budget is {budget.text}. Go on?"
                )
                yield _hold(BUDGET, step, question, shown)
            return
        over = spending.over(step.id, cost) if cost else Decimal(0)
        if over:
            question = (
                f"{step.words} may cost {money(cost, budget.currency)}, which could exceed the budget of "
                f"{budget.text} by {money(over, budget.currency)}. Go on?"
            )
            yield _hold(BUDGET, step, question, shown)

    def _of_egress(self, step: Step, cap: Cap, over: int) -> Hold:
        spending = self._spending
        told = (
            f"{step.words} may send {format_size(step.size_bytes)} out of its cloud, {format_size(over)} more than "
            f"{cap.rule} of {format_size(cap.size_bytes)} allows"
        )
        if step.unsized:
            told = f"{step.words}: how much it sends is not known, and {cap.rule} is {format_size(cap.size_bytes)}"
        shown = {
            cap.rule: format_size(cap.size_bytes),
            "sent": format_size(spending.sent_bytes),
            "under way": format_size(spending.held_bytes),
            "this step": step.why,
        }
        return _of_cap(step, cap, told, shown)

    def _standing(self, spending: Spending, budget: Amount) -> dict[str, str]:
        shown = {
            "spent": money(spending.spent, budget.currency),
            "under way": f"at most {money(spending.held_cost, budget.currency)}",
        }
        if spending.allowed:
            shown["allowed above it"] = money(spending.allowed, budget.currency)
        return shown

    def _reserve(self, step: Step, passed: set[str]) -> None:
        spending, cost = self._spending, self._cost(step)
        over = spending.over(step.id, cost) if cost and BUDGET in passed else Decimal(0)
        caps = [cap for cap in self._allowance.egress if cap.rule in passed]
        if cost is None and self.counts_money and step.stage not in spending.trusted:
            spending = spending.model_copy(update={"trusted": (*spending.trusted, step.stage)})
        reservation = Reservation(
            stage=step.stage,
            cost=cost if self.counts_money else Decimal(0),
            size_bytes=step.size_bytes,
            unsized=step.unsized,
            raised=over,
            raised_bytes={cap.rule: spending.over_bytes(step.id, step.size_bytes, cap) for cap in caps},
        )
        self._book.update(spending=spending.begun(step.id, reservation))

    def _cost(self, step: Step) -> Decimal | None:
        """What a step costs at most in the currency of the budget; in another one nobody knows."""
        budget = self._allowance.budget
        alike = budget is None or not step.cost or step.currency == budget.currency
        return step.cost if alike else None

    @property
    def _spending(self) -> Spending:
        return self._book.status.spending or Spending(budget=self._allowance.budget)


def _of_cap(step: Step, cap: Cap, told: str, shown: dict[str, str]) -> Hold:
    """What is asked where a limit of egress would be exceeded.

    Raises:
        StageFailed: nobody may let it pass.
    """
    kind = ErrorKind.BUDGET_EXCEEDED if cap.rule == MAX_EGRESS else ErrorKind.POLICY_VIOLATION
    if cap.final:
        raise StageFailed(StageError(kind=kind, message=f"{told}; nobody may waive it", hint=hint_for(kind)))
    return _hold(cap.rule, step, f"{told}. Go on?", shown, kind=kind, approvers=cap.approvers)


def _hold(
    rule: str,
    step: Step,
    question: str,
    shown: dict[str, str],
    *,
    kind: ErrorKind = ErrorKind.BUDGET_EXCEEDED,
    approvers: tuple[str, ...] = (),
) -> Hold:
    return Hold(rule=rule, kind=kind, question=question, shown=shown, approvers=approvers, about=step.id)
