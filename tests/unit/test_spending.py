"""What a run has spent, may still spend and is allowed on top: added up step by step, and told in a line."""

from datetime import UTC, datetime
from decimal import Decimal

from contracts.jobs import RunRef
from contracts.money import Amount
from contracts.policy import Policy, Tightening
from contracts.runs import RunStatus
from contracts.spec import PipelineSpec
from contracts.spending import Cap, Reservation, Spending, allowance_of
from starter.document import run_document
from starter.show import live_view
from tests.unit.test_show import text_of
from workflows.told import money

BUDGET = Amount(value=Decimal(20), currency="USD")
CAP = Cap(rule="max_egress", size_bytes=100)
OTHER = Cap(rule="egress_run", size_bytes=150)


def held(cost: int | None, **fields: object) -> Reservation:
    return Reservation(stage="s", cost=None if cost is None else Decimal(cost), **fields)  # type: ignore[arg-type]


def spec_of(**fields: object) -> PipelineSpec:
    stage = {"kind": "train", "on": "aws", "command": "go", "outputs": ["out"]}
    return PipelineSpec.model_validate({"pipeline": "p", "stages": {"s": stage}, **fields})


def test_steps_under_way_count_with_what_they_may_still_spend() -> None:
    spending = Spending(budget=BUDGET, spent=Decimal(5)).begun("a", held(10))
    assert spending.over("b", Decimal(5)) == 0
    assert spending.over("b", Decimal(8)) == Decimal(3)
    assert spending.over("a", Decimal(12)) == 0, "a step that begins again counted twice"


def test_what_was_allowed_and_not_needed_is_allowed_no_more() -> None:
    spending = Spending(budget=BUDGET, spent=Decimal(15)).begun("a", held(10, raised=Decimal(5)))
    assert spending.ended("a", Decimal(9)).raised == Decimal(4)
    assert spending.ended("a", Decimal(2)).raised == 0
    assert spending.ended("a", None).spent == Decimal(25), "a cost that nobody told is less than its bound"


def test_a_step_of_unknown_cost_that_people_allowed_takes_nothing_from_the_budget() -> None:
    spending = Spending(budget=BUDGET).begun("a", held(None)).ended("a", Decimal(50))
    assert (spending.spent, spending.raised) == (Decimal(50), Decimal(50))
    assert spending.over("b", Decimal(20)) == 0
    assert Spending(budget=BUDGET).begun("a", held(None)).ended("a", None).unknown == ("a",)


def test_what_one_limit_of_egress_was_exceeded_by_says_nothing_of_another() -> None:
    sent = held(0, size_bytes=120, raised_bytes={"max_egress": 20})
    spending = Spending().begun("a", sent).ended("a", Decimal(0), 120)
    assert spending.raised_bytes == {"max_egress": 20}
    assert spending.over_bytes("b", 40, CAP) == 40
    assert spending.over_bytes("b", 40, OTHER) == 10


def test_a_pipeline_that_bounds_nothing_has_no_allowance() -> None:
    assert allowance_of(spec_of(), ()) is None
    found = allowance_of(spec_of(budget="20 USD", max_egress="1GB"), ())
    assert found is not None
    assert (found.budget, found.egress) == (BUDGET, (Cap(rule="max_egress", size_bytes=1_000_000_000),))


def test_only_those_whom_a_policy_names_may_let_its_limits_be_exceeded() -> None:
    limits = {"run": "1kB", "month": "2kB"}
    policy = Policy.model_validate({"max_egress": limits, "waivers": {"egress_run": ["ann"]}})
    found = allowance_of(spec_of(), (policy, Tightening.model_validate({"max_egress": limits})))
    assert found is not None
    assert [(cap.approvers, cap.final) for cap in found.egress] == [(("ann",), False), ((), True)]
    assert [(cap.approvers, cap.final) for cap in found.month] == [((), True), ((), True)]


def test_amounts_are_written_for_people() -> None:
    assert money(Decimal("3.456"), "USD") == "3.46 USD"
    assert money(Decimal("0.000020"), "USD") == "0.00002 USD"
    assert money(Decimal(0), "USD") == "0.00 USD"


def test_a_run_says_how_it_stands_to_its_budget() -> None:
    spending = Spending(budget=BUDGET, spent=Decimal(12), sent_bytes=2048, unknown=("ask/q1",))
    spending = spending.begun("a", held(3, raised=Decimal(1)))
    now = RunStatus(
        run=RunRef(pipeline="p", key="k", run_uid="u"),
        started_at=datetime.now(UTC),
        stages={},
        spending=spending,
    )
    told = "budget 20 USD: 12.00 USD spent, at most 3.00 USD under way, 1.00 USD allowed above it"
    assert told in " ".join(text_of(live_view(now)).split())
    said = run_document(now, "")["budget"]
    assert (said["budget"], said["spent"], said["under_way"]) == ("20 USD", "12", "3")
