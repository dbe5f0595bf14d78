"""What `plan` prints: a person sees where, why, how much and what is not known, in 80 columns; a script sees all of it."""

import io
import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from rich.console import Console

from activities.planning import Planner
from activities.prices import PriceBook
from contracts.candidates import Candidate
from contracts.connections import ConnectionReport
from contracts.jobs import RunRef
from contracts.ledger import MonthState, Sent
from contracts.machines import HourPrice, Machine
from contracts.plan import PlanRequest
from contracts.planned import Measured, Planned
from contracts.policy import Violation
from contracts.prices import GB
from contracts.quotes import Quote
from contracts.spec import PipelineSpec
from starter.amounts import amount, at_most
from starter.exits import Exit
from starter.plan_document import plan_document
from starter.plan_show import plan_view
from starter.plans import exit_of

PRICE = HourPrice(
    per_hour=Decimal("0.23"), currency="USD", region="us-east-1", as_of=date(2026, 11, 1), source="the list"
)
STAGES: dict[str, Any] = {
    "fetch_everything_there_is": {"kind": "copy", "on": "gcp", "source": "s3://theirs/data/"},
    "train": {
        "kind": "train",
        "on": "aws",
        "command": "x",
        "outputs": ["model"],
        "timeout": "1h",
        "expect": {"duration": "15m", "output_size": "40GB"},
    },
    "score": {"kind": "predict", "on": "azure", "command": "x", "inputs": {"model": "train.model"}},
}


def planned(**changes: Any) -> Planned:
    spec = PipelineSpec.model_validate({"pipeline": "churn", "budget": "20 USD", "stages": STAGES})
    machine = Machine(
        instance="ml.m5.xlarge", cpu=4, price=PRICE, why="the cheapest known here that has 4 CPU"
    )
    connections = {
        f"{cloud}/default": ConnectionReport(
            connection=f"{cloud}/default",
            identity="me",
            container=f"{scheme}://c/",
            region="us-east-1",
            machines={"train": machine} if cloud == "aws" else {},
        )
        for cloud, scheme in {"aws": "s3", "azure": "az", "gcp": "gs"}.items()
    }
    measured = Measured(sizes={"fetch_everything_there_is.data": 1024 * GB})
    month = MonthState(month="2026-11", sent=(Sent(connection="aws/default", size_bytes=200 * GB),))
    asked = PlanRequest(
        run=RunRef(pipeline="churn", key="plan", run_uid="plan"),
        spec=spec,
        connections=connections,
        sizes=measured.sizes,
        month=month,
    )
    plan = Planner(PriceBook.from_environment()).make(asked)
    fields = {"spec": spec, "plan": plan, "measured": measured, "month": month}
    return Planned.model_validate({**fields, **changes})


def printed(found: Planned, width: int = 80) -> str:
    out = Console(file=io.StringIO(), width=width, highlight=False)
    out.print(plan_view(found))
    text = out.file.getvalue()  # type: ignore[attr-defined] # it is a StringIO
    return "\n".join(line.rstrip() for line in text.splitlines())


def test_a_plan_fits_80_columns_and_says_where_why_and_how_much() -> None:
    text = printed(planned())
    assert max(map(len, text.splitlines())) <= 80
    words = " ".join(text.split())
    for told in (
        "nothing was changed",
        "an hour: the cheapest known here that has 4 CPU",
        "953.7 GiB",
        "92.16",
        "0.06",
        "at 0.23 USD an hour",
        "budget: 20 USD is exceeded for certain",
        "186.3 GiB were sent before",
        "rules: none is broken",
        "score: which machine it gets is not known",
    ):
        assert told in words


def test_what_nobody_knows_is_a_question_mark_and_what_nothing_bounds_says_so() -> None:
    text = printed(planned())
    (row,) = [
        line for line in text.splitlines() if line.startswith("train.model to azure") and "no bound" in line
    ]
    assert " 3.60 " in row
    assert "not known (1 of 4), and not in the sums:" in text
    (total,) = [line for line in text.splitlines() if line.startswith("in all")]
    assert "no bound" in total


def test_a_budget_in_a_currency_that_nothing_is_priced_in_is_said_to_compare_with_nothing() -> None:
    spec = PipelineSpec.model_validate({"pipeline": "churn", "budget": "20 EUR", "stages": STAGES})
    told = printed(planned(spec=spec))
    assert "prices in USD are not compared with it" in " ".join(told.split())


def test_where_no_step_has_a_price_there_is_no_table_of_costs() -> None:
    lines = tuple(line.model_copy(update={"currency": ""}) for line in planned().plan.quote.lines)  # type: ignore[union-attr]
    plan = planned().plan.model_copy(update={"quote": Quote(lines=lines)})
    assert "at most" not in printed(planned(plan=plan)).partition("not known")[0]


def test_every_candidate_says_what_it_costs_and_why_it_lost() -> None:
    found = planned()
    candidates = (
        Candidate(
            connection="aws/default",
            chosen=True,
            cost=Decimal("0.31"),
            currency="USD",
            seconds=900.0,
            why="cheapest",
        ),
        Candidate(connection="gcp/eu", rule="regions", why="data of class personal may lie in eu-* only"),
    )
    placements = {
        name: one.model_copy(update={"candidates": candidates if name == "train" else ()})
        for name, one in found.plan.placements.items()
    }
    plan = found.plan.model_copy(update={"placements": placements})
    text = printed(found.model_copy(update={"plan": plan}))
    assert "* aws" in text
    assert "0.31 USD" in text
    assert "15m00s" in text
    assert "rule regions: data of class personal" in " ".join(text.split())
    assert "places are chosen by cheapest" in " ".join(text.split())


def test_a_plan_that_breaks_a_rule_names_it_with_who_may_waive_it_and_ends_with_2() -> None:
    broken = Violation(
        rule="regions", stage="score", value="eastus", message="it is in eastus", may_waive=("ann",)
    )
    found = planned()
    found = found.model_copy(update={"plan": found.plan.model_copy(update={"violations": (broken,)})})
    text = " ".join(printed(found).split())
    assert "regions score: it is in eastus; may be waived by ann" in text
    assert (exit_of(found), exit_of(planned())) == (Exit.USAGE, Exit.SUCCEEDED)
    assert plan_document(found)["allowed"] is False


def test_what_was_not_weighed_and_who_was_left_out_is_told() -> None:
    measured = Measured(unmeasured={"s3://theirs/data/": "there is no such bucket"})
    found = planned(measured=measured, refused={"gcp/eu": "no worker serves causeway-gcp.eu"}, month=None)
    text = " ".join(printed(found).split())
    assert "not weighed: s3://theirs/data/: there is no such bucket" in text
    assert "not considered: gcp/eu: no worker serves causeway-gcp.eu" in text
    assert "ledger did not answer" in text


def test_the_document_holds_every_line_with_all_digits() -> None:
    document = json.loads(json.dumps(plan_document(planned())))
    assert [stage["name"] for stage in document["stages"]] == [*planned().plan.order]
    (fetch,) = [one for one in document["transfers"] if one["artifact"] == "fetch_everything_there_is.data"]
    assert (fetch["bytes"], fetch["cost"], fetch["at_least"]) == (1024 * GB, "92.16", False)
    assert document["quote"]["unknown"] == ["score"]
    assert document["quote"]["totals"][0]["currency"] == "USD"
    assert document["month"]["month"] == "2026-11"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "?"), (Decimal(0), "0"), (Decimal("0.0001"), "<0.01"), (Decimal("1234.5"), "1,234.50")],
)
def test_unknown_is_no_zero_and_little_is_not_nothing(value: Decimal | None, text: str) -> None:
    assert amount(value) == text
    assert at_most(value) == ("no bound" if value is None else text)
