"""What egress costs: by the tiers of a month, from dated data, and never zero because nobody knows."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.prices import BOOK, OVERRIDE, PriceBook, read
from contracts.prices import GB, EgressPrice, Tier

TB = 1024 * GB
LISTED = EgressPrice(
    currency="USD",
    tiers=tuple(
        Tier(up_to_gb=None if end is None else Decimal(end), per_gb=Decimal(price))
        for end, price in ((10240, "0.09"), (51200, "0.085"), (153600, "0.07"), (None, "0.05"))
    ),
    as_of="2026-03-01",  # type: ignore[arg-type] # pydantic reads it
    source="the issue",
)


@pytest.mark.parametrize(
    ("terabytes", "dollars"),
    [(10, "921.600"), (11, "1008.640"), (60, "5120.000"), (100, "7987.200"), (200, "14131.200")],
)
def test_each_byte_costs_what_its_own_tier_costs(terabytes: int, dollars: str) -> None:
    assert LISTED.cost(terabytes * TB) == Decimal(dollars)


@pytest.mark.parametrize(("terabytes", "dollars"), [(10, "912.60"), (11, "999.640"), (60, "5111.000")])
def test_the_free_gigabytes_of_a_month_are_free_once(terabytes: int, dollars: str) -> None:
    price = PriceBook.from_environment().quote("aws/default", "gcp/default").price
    assert price is not None
    assert price.cost(terabytes * TB) == Decimal(dollars)
    assert price.cost(100 * GB) == 0
    assert price.cost(100 * GB, 100 * GB) == Decimal(9)


@given(st.lists(st.integers(0, 80 * TB), max_size=6))
def test_a_month_costs_the_same_however_it_is_divided(sizes: list[int]) -> None:
    total, before = Decimal(0), 0
    for size in sizes:
        cost = LISTED.cost(size, before)
        assert cost >= 0
        total, before = total + cost, before + size
    assert total == LISTED.cost(before)


@pytest.mark.parametrize(
    ("source", "destination"),
    [("onprem/default", "aws/default"), ("aws/default", "aws/eu"), ("gcp/default", "gcp/eu")],
)
def test_what_nobody_knows_is_not_zero(source: str, destination: str) -> None:
    quote = PriceBook.from_environment().quote(source, destination)
    assert quote.price is None
    assert "not known" in quote.why


@pytest.mark.parametrize(
    ("cloud", "regions", "cents"),
    [
        ("aws", ("us-east-1", "us-east-1"), 0),
        ("aws", ("us-east-1", "us-east-2"), 1),
        ("aws", ("eu-central-1", "us-east-1"), 2),
        ("aws", ("ap-southeast-1", "us-east-1"), None),
        ("aws", ("", "us-east-1"), None),
        ("azure", ("eastus2", "westus"), 2),
        ("azure", ("westeurope", "uksouth"), 2),
        ("azure", ("westeurope", "eastus"), 5),
        ("azure", ("brazilsouth", "eastus"), None),
        ("gcp", ("europe-west3", "europe-west1"), 2),
        ("gcp", ("us-central1", "europe-west1"), None),
    ],
)
def test_between_regions_of_one_cloud_a_price_needs_both_regions(
    cloud: str, regions: tuple[str, str], cents: int | None
) -> None:
    price = PriceBook.from_environment().quote(f"{cloud}/default", f"{cloud}/eu", *regions).price
    assert (price and price.cost(GB) * 100) == cents


def test_an_entry_of_ones_own_that_names_two_connections_needs_no_region(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own.yaml"
    rest = "currency: EUR, as_of: 2026-10-01, source: our line, tiers: [{up_to_gb: null, per_gb: '0.01'}]}"
    own.write_text(f"- {{from: aws, to: aws/eu, {rest}\n- {{from: onprem, to: aws/eu, {rest}\n")
    monkeypatch.setenv(OVERRIDE, str(own))
    book = PriceBook.from_environment()
    assert book.quote("aws/default", "aws/eu").price is None
    line = book.quote("onprem/default", "aws/eu").price
    assert line is not None
    assert line.currency == "EUR"
    assert book.quote("onprem/default", "aws/default").price is None
    own.write_text(f"- {{from: aws/default, to: aws/eu, {rest}\n")
    assert PriceBook.from_environment().quote("aws/default", "aws/eu").price is not None


def test_a_price_of_ones_own_goes_before_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(
        "- {from: aws/eu, currency: EUR, as_of: 2026-10-01, source: contract 7,"
        " tiers: [{up_to_gb: null, per_gb: '0.02'}]}\n"
    )
    monkeypatch.setenv(OVERRIDE, str(own))
    book = PriceBook.from_environment()
    price = book.quote("aws/eu", "gcp/default").price
    assert price is not None
    assert (price.currency, price.cost(GB)) == ("EUR", Decimal("0.02"))
    other = book.quote("aws/default", "gcp/default").price
    assert other is not None
    assert other.currency == "USD"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not a list of entries"),
        ("- 3", "not a list of entries"),
        ("from: aws", "not a list of entries, such as"),
        ("[" * 3000 + "]" * 3000, "not a list of entries"),
        (
            "- {from: gcp, currency: EUR, as_of: 2026-10-01, source: x, per_tib: '1'}\n- {from: aws, as_of: 2026-10-01}",
            r"entry 2 \(from aws\): currency: Field required",
        ),
        ("- {from: ibm, currency: EUR}", r"entry 1 \(from ibm\): from: 'ibm' is not a connection"),
        ("- {from: aws}", "currency"),
        (
            "- {from: aws, currency: EUR, as_of: 2026-10-01, source: x, tiers: [{up_to_gb: 5, per_gb: '1'}]}",
            "the last have no end",
        ),
        (
            "- {from: aws, currency: EUR, as_of: 2026-10-01, source: x, tiers: [{up_to_gb: null, per_gb: '-1'}]}",
            "below zero",
        ),
        ("- {from: was, currency: EUR}", "'was' is not a connection"),
        ("- {from: gcp, per_tib: '-5', currency: EUR, as_of: 2026-10-01, source: x}", "per_tib"),
        ("- {from: gcp, per_tib: '5', currency: euro, as_of: 2026-10-01, source: x}", "currency"),
        ("- {from: aws, form_regions: [eu-*], currency: EUR}", "form_regions"),
    ],
)
def test_a_price_file_that_says_no_prices_is_refused_by_name(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=words) as raised:
        read(path)
    assert "prices.yaml" in str(raised.value)


def test_every_price_of_ours_has_a_date_and_a_source() -> None:
    for entry in read(BOOK):
        assert entry.source
        assert entry.as_of.year >= 2026


def test_the_example_of_the_docs_is_a_sound_price_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Path(__file__).resolve().parents[2].joinpath("docs/plan.md").read_text()
    own = tmp_path / "own.yaml"
    own.write_text(written.partition("```text prices\n")[2].partition("```")[0])
    monkeypatch.setenv(OVERRIDE, str(own))
    book = PriceBook.from_environment()
    between = book.quote("aws/eu", "aws/us", "eu-central-1", "us-east-1").price
    assert between is not None
    assert between.cost(GB) == Decimal("0.018")
    assert book.quote("onprem/default", "azure/default").price is not None
    asked = book.queries("gcp/default")
    assert asked is not None
    assert asked.cost(2**40) == Decimal("5.80")
