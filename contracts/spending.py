"""What a run may spend before it asks, and how it stands: spent, still under way, and allowed on top. Code over data."""

from collections.abc import Sequence
from decimal import Decimal

from pydantic import Field

from contracts.model import Message
from contracts.money import Amount
from contracts.policy import Policy, Tightening
from contracts.spec import PipelineSpec

BUDGET, MAX_EGRESS = "budget", "max_egress"
EGRESS_RUN, EGRESS_MONTH = "egress_run", "egress_month"
UNKNOWN_KEPT = 50


class Cap(Message):
    """A limit on what leaves clouds."""

    rule: str
    """`max_egress` of the pipeline, or `egress_run` and `egress_month` of a policy."""
    size_bytes: int
    approvers: tuple[str, ...] = ()
    """Who may let a transfer exceed it; anybody if there are none, unless it is final."""
    final: bool = False
    """Whether nobody may."""


class Allowance(Message):
    """What a run may do before it asks."""

    budget: Amount | None = None
    egress: tuple[Cap, ...] = ()
    """Of the run alone."""
    month: tuple[Cap, ...] = ()
    """Over all runs of a month."""


class Reservation(Message):
    """What a step that is under way may still spend."""

    stage: str
    cost: Decimal | None = None
    """At most; None where nobody knows, and a person let it go on."""
    size_bytes: int = 0
    """What may leave a cloud by it."""
    unsized: bool = False
    """Nobody knows how much may leave, and a person let it go on."""
    raised: Decimal = Decimal(0)
    """The part of `cost` that is above the budget, as a person allowed."""
    raised_bytes: dict[str, int] = Field(default_factory=dict)
    """By the rule of each limit that a person let it exceed: how much of `size_bytes` is above it."""


class Spending(Message):
    """How a run stands to its budget and to what may leave clouds."""

    budget: Amount | None = None
    spent: Decimal = Decimal(0)
    """By steps that have ended, as far as it is known, in the budget's currency."""
    sent_bytes: int = 0
    """What has left clouds."""
    held: dict[str, Reservation] = Field(default_factory=dict)
    """What steps under way may still spend, by step."""
    raised: Decimal = Decimal(0)
    """What ended steps spent above the budget, as people allowed."""
    raised_bytes: dict[str, int] = Field(default_factory=dict)
    """By rule: what ended steps sent above a limit, as people allowed."""
    trusted: tuple[str, ...] = ()
    """Stages that people let go on although nobody knew what they would cost."""
    unknown: tuple[str, ...] = ()
    """Steps that have ended, and nobody knows what they cost."""

    @property
    def held_cost(self) -> Decimal:
        """What steps under way may still spend, as far as it is known."""
        return sum((one.cost or Decimal(0) for one in self.held.values()), Decimal(0))

    @property
    def held_bytes(self) -> int:
        """What steps under way may still send out of clouds."""
        return sum(one.size_bytes for one in self.held.values())

    @property
    def allowed(self) -> Decimal:
        """What people allowed above the budget, for what is under way too."""
        return self.raised + sum((one.raised for one in self.held.values()), Decimal(0))

    def allowed_bytes(self, rule: str) -> int:
        """What people allowed to leave clouds above the limit of a rule."""
        under_way = sum(one.raised_bytes.get(rule, 0) for one in self.held.values())
        return self.raised_bytes.get(rule, 0) + under_way

    def over(self, step: str, cost: Decimal) -> Decimal:
        """Return by how much a step that costs so much at most would exceed the budget; nothing if it would not."""
        if self.budget is None:
            return Decimal(0)
        mine = self.held.get(step, Reservation(stage=""))
        others = self.held_cost - (mine.cost or Decimal(0))
        return max(Decimal(0), self.spent + others + cost - self.budget.value - self.allowed)

    def over_bytes(self, step: str, size_bytes: int, cap: Cap) -> int:
        """Return by how many bytes a step that sends so many at most would exceed a limit."""
        mine = self.held.get(step, Reservation(stage=""))
        others = self.held_bytes - mine.size_bytes
        return max(0, self.sent_bytes + others + size_bytes - cap.size_bytes - self.allowed_bytes(cap.rule))

    def begun(self, step: str, reservation: Reservation) -> "Spending":
        """The same with a step under way; one that begins again keeps what it was allowed."""
        before = self.held.get(step, Reservation(stage=""))
        kept = reservation.model_copy(
            update={
                "raised": before.raised + reservation.raised,
                "raised_bytes": _sum(before.raised_bytes, reservation.raised_bytes),
            }
        )
        return self.model_copy(update={"held": {**self.held, step: kept}})

    def ended(self, step: str, cost: Decimal | None, size_bytes: int = 0) -> "Spending":
        """The same once a step has ended, and cost so much; None where nobody knows: then it counts at its most.

        What was allowed for it and not needed is allowed no more.
        """
        mine = self.held.get(step)
        if mine is None:
            return self
        held = {name: one for name, one in self.held.items() if name != step}
        known = mine.cost if cost is None else cost
        paid = known or Decimal(0)
        unneeded = max(Decimal(0), mine.cost - paid) if mine.cost is not None else Decimal(0)
        raised = paid if mine.cost is None else max(Decimal(0), mine.raised - unneeded)
        spare = 0 if mine.unsized else max(0, mine.size_bytes - size_bytes)
        above = dict.fromkeys(mine.raised_bytes, size_bytes) if mine.unsized else mine.raised_bytes
        return self.model_copy(
            update={
                "held": held,
                "spent": self.spent + paid,
                "sent_bytes": self.sent_bytes + size_bytes,
                "raised": self.raised + raised,
                "raised_bytes": _sum(
                    self.raised_bytes, {rule: max(0, most - spare) for rule, most in above.items()}
                ),
                "unknown": self.unknown if known is not None else (*self.unknown, step)[-UNKNOWN_KEPT:],
            }
        )


def allowance_of(spec: PipelineSpec, policies: Sequence[Tightening]) -> Allowance | None:
    """Return what a run may do before it asks; None where neither its pipeline nor a policy bounds it."""
    own = (Cap(rule=MAX_EGRESS, size_bytes=spec.max_egress),) if spec.max_egress is not None else ()
    found = Allowance(
        budget=spec.budget,
        egress=(*own, *(cap for one in policies for cap in _caps(one, EGRESS_RUN, one.max_egress.run))),
        month=tuple(cap for one in policies for cap in _caps(one, EGRESS_MONTH, one.max_egress.month)),
    )
    return found if found != Allowance() else None


def _sum(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {rule: one.get(rule, 0) + other.get(rule, 0) for rule in sorted({*one, *other})}


def _caps(policy: Tightening, rule: str, size_bytes: int | None) -> tuple[Cap, ...]:
    if size_bytes is None:
        return ()
    approvers = _waivers(policy, rule)
    return (Cap(rule=rule, size_bytes=size_bytes, approvers=approvers, final=not approvers),)


def _waivers(policy: Tightening, rule: str) -> tuple[str, ...]:
    waivers = policy.waivers if isinstance(policy, Policy) else {}
    return next((names for held, names in waivers.items() if held == rule), ())
