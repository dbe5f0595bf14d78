"""Where a stage runs and why, what that was to cost and what it did cost: drawings, the Web UI and reports say the same."""

import io
from datetime import timedelta
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console

from contracts.candidates import Candidate
from contracts.ledger import Spent
from contracts.quotes import Quote, QuoteLine
from contracts.runs import RunRequest, RunStatus
from starter.document import run_document
from starter.pages.flow import flow_of
from starter.pages.mermaid import mermaid
from starter.pages.picture import svg
from starter.pages.report import html, markdown
from starter.show import report
from starter.spending import Compared, compared, sums
from tests.unit.pages import BEGAN, HOSTILE, QUICK, status_of
from workflows.details import stage_table

PAGE = "http://localhost/x"
CANDIDATES = (
    Candidate(connection="aws/default", chosen=True, why="the cheapest"),
    Candidate(connection="gcp/eu", why=f"0.31 USD dearer {HOSTILE}"),
)


def line(name: str, likely: str | None, **fields: Any) -> QuoteLine:
    known = {
        "kind": "compute",
        "connection": "aws/default",
        "unit": "s",
        "currency": "USD",
        "low": Decimal(0),
    }
    return QuoteLine.model_validate(
        {**known, "name": name, "likely": likely and Decimal(likely), "high": Decimal(4), **fields}
    )


def spent(name: str, cost: str | None, **fields: Any) -> Spent:
    known = {"pipeline": "play", "kind": "compute", "connection": "aws/default", "unit": "s", "quantity": 60}
    times = {"started_at": BEGAN, "ended_at": BEGAN + timedelta(minutes=1)}
    money = {"cost": cost and Decimal(cost), "currency": "USD" if cost else ""}
    return Spent.model_validate({**known, **times, **money, "stage": name, **fields})


def explained(**changes: Any) -> RunStatus:
    status = status_of(QUICK)
    train = status.stages["train"].model_copy(update={"candidates": CANDIDATES})
    lines = (
        line("train", "1.25"),
        line("score", None, low=None, high=None, currency="", why="no price is known"),
    )
    charges = (spent("train", "1.50"), spent("after", "0.25", currency="EUR"))
    fields = {"stages": {**status.stages, "train": train}, "quote": Quote(lines=lines), "charges": charges}
    return status.model_copy(update={**fields, **changes})


def text_of(status: RunStatus) -> str:
    out = Console(file=io.StringIO(), width=80, highlight=False)
    out.print(report(status))
    return out.file.getvalue()  # type: ignore[attr-defined] # it is a StringIO


def test_a_drawing_says_where_a_stage_might_have_run_and_why_it_does_not() -> None:
    flow = flow_of(QUICK, explained())
    drawn = svg(flow)
    ElementTree.fromstring(drawn)
    assert "train on aws (the cheapest)" in drawn
    assert "not gcp/eu: 0.31 USD dearer" in drawn
    assert 'stroke-dasharray="2 3"' in drawn
    assert "<script>" not in drawn
    told = mermaid(flow)
    (node,) = [line for line in told.splitlines() if '["train: train' in line]
    assert "<br/>not gcp/eu: 0.31 USD dearer" in node
    assert "<script>" not in node
    assert 'stroke-dasharray="2 3"' not in svg(flow_of(QUICK))


def test_the_web_ui_says_where_and_why_in_a_line_a_stage() -> None:
    (told,) = [line for line in stage_table(explained()).splitlines() if "runs on" in line]
    assert told.startswith("`train` runs on `aws/default`: the cheapest; not `gcp/eu` (")
    # What others wrote is code, of which nothing is read as markup.
    assert "(`0.31 USD dearer </svg><script>" in told
    assert told.count("`") % 2 == 0


def test_a_step_that_was_quoted_stands_beside_what_it_cost() -> None:
    rows = {row.name: row for row in compared(explained())}
    assert (rows["train"].likely, rows["train"].spent, rows["train"].within) == (
        Decimal("1.25"),
        Decimal("1.50"),
        True,
    )
    assert (rows["score"].spent, rows["score"].within) == (None, None)
    assert (rows["after"].low, rows["after"].currency, rows["after"].spent) == (None, "EUR", Decimal("0.25"))


def test_sums_are_of_one_currency_each_and_bound_nothing_where_a_price_is_missing() -> None:
    euro, dollar = sums(explained())
    assert (euro.currency, euro.likely, euro.spent) == ("EUR", None, Decimal("0.25"))
    assert (dollar.currency, dollar.likely, dollar.high, dollar.spent) == (
        "USD",
        Decimal("1.25"),
        None,
        Decimal("1.50"),
    )
    assert sums(explained(quote=Quote(lines=(line("train", "1.25"),))))[-1].high == 4


@pytest.mark.parametrize(("cost", "within"), [("4.01", False), ("4", True), (None, None)])
def test_what_left_its_bounds_is_told(cost: str | None, within: bool | None) -> None:
    found = compared(explained(charges=(spent("train", cost),)))[0]
    assert found.within is within
    assert (" !" in text_of(explained(charges=(spent("train", cost),)))) is (within is False)


def test_less_than_what_was_certain_is_told_too() -> None:
    quote = Quote(lines=(line("train", "2", low=Decimal(2)),))
    assert compared(explained(quote=quote))[0].within is False


def test_several_generations_of_a_job_are_one_step() -> None:
    charges = (spent("train", "1"), spent("train", "0.5", sku="ml.m5.large"), spent("train", None))
    rows = [row for row in compared(explained(charges=charges)) if row.name == "train"]
    assert [row.spent for row in rows] == [Decimal("1.5")]


def test_every_form_of_the_report_has_the_quote_beside_the_cost() -> None:
    status = explained()
    request = RunRequest(spec=QUICK, key="k")
    forms = (text_of(status), markdown(status, PAGE), html(request, status, PAGE))
    assert all("1.25" in form and "1.50" in form for form in forms)
    assert "no price is known" in forms[2]
    assert "1 of 2 steps have no known cost" in forms[0]
    assert all(len(row) <= 80 for row in forms[0].splitlines())
    document = run_document(status, PAGE)
    assert document["costs"][0] == {
        "name": "train",
        "kind": "compute",
        "currency": "USD",
        "low": "0",
        "likely": "1.25",
        "high": "4",
        "spent": "1.50",
        "within": True,
    }
    assert [one["connection"] for one in document["stages"][1]["candidates"]] == ["aws/default", "gcp/eu"]


def test_a_run_of_before_there_were_quotes_tells_nothing_of_them() -> None:
    status = status_of(QUICK)
    assert "costs" not in run_document(status, PAGE)
    assert "Quote and cost" not in markdown(status, PAGE)
    assert "at most" not in text_of(status)
    assert Compared("a", "", "USD", None, None, None, None).within is None
