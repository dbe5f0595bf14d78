"""The price book: what it costs to bring bytes from one connection to another, from dated data that a user can override."""

import os
from collections.abc import Sequence
from decimal import Decimal
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from temporalio import activity

from contracts.model import Message
from contracts.money import CURRENCY
from contracts.prices import EgressPrice, EgressQuery, EgressQuote, PriceActivities, QueryPrice
from contracts.queues import Cloud, cloud_of, normalise

OVERRIDE = "CAUSEWAY_PRICES"
BOOK = Path(__file__).with_name("egress.yaml")
Price = TypeVar("Price", bound=Message)


def _known(name: str) -> str:
    normalise(name)
    return name


Where = Annotated[str, AfterValidator(_known)]
"""A cloud such as `aws`, or one of its connections such as `aws/eu`."""


class Entry(EgressPrice):
    """What bytes that leave a cloud cost."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    currency: str = Field(pattern=CURRENCY)
    origin: Where
    """Written `from`."""
    to: Where | None = None
    """Without it, any other cloud."""
    from_regions: tuple[str, ...] = ()
    """Globs of regions, as the vendor writes them; without them, any."""
    to_regions: tuple[str, ...] = ()
    within_region: bool = False
    """Of bytes that stay in one region of a cloud, rather than of those that go to another."""

    def fits(self, query: EgressQuery) -> bool:
        """Whether this is the price of a movement; between regions of one cloud both have to be known."""
        named = self.origin in _names(query.source) and self._goes_to(query)
        regions = (query.source_region, self.from_regions), (query.destination_region, self.to_regions)
        return named and all(
            not globs or any(fnmatchcase(region, one) for one in globs) for region, globs in regions
        )

    def _goes_to(self, query: EgressQuery) -> bool:
        if not self.to:
            return cloud_of(query.source) is not cloud_of(query.destination)
        pair = "/" in self.origin and "/" in self.to
        other = cloud_of(query.source) is not cloud_of(query.destination)
        return self.to in _names(query.destination) and (pair or other or self._suits(query))

    def _suits(self, query: EgressQuery) -> bool:
        regions = query.source_region, query.destination_region
        return all(regions) and (regions[0] == regions[1]) == self.within_region


class Queries(QueryPrice):
    """What a query of a cloud's tables costs, by what it reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    currency: str = Field(pattern=CURRENCY)
    per_tib: Decimal = Field(ge=0)
    origin: Where


class PriceBook(PriceActivities):
    """Our list prices, and the user's own before them."""

    def __init__(self, entries: Sequence[Entry | Queries]) -> None:
        """Look prices up in these, the first that fits."""
        self._entries = tuple(entry for entry in entries if isinstance(entry, Entry))
        self._queries = tuple(entry for entry in entries if isinstance(entry, Queries))

    @classmethod
    def from_environment(cls) -> "PriceBook":
        """Read our own file and the one that `CAUSEWAY_PRICES` names.

        Raises:
            ValueError: a file cannot be read; says which and why.
        """
        own = os.environ.get(OVERRIDE)
        return cls([*(read(Path(own)) if own else ()), *read(BOOK)])

    @activity.defn(name="prices.egress")
    def egress(self, query: EgressQuery) -> EgressQuote:
        """See the contract."""
        return self.price(query)

    def quote(self, source: str, destination: str, *regions: str) -> EgressQuote:
        """See `price`; the regions are those of the source and of the destination."""
        names = zip(("source_region", "destination_region"), regions, strict=False)
        return self.price(EgressQuery(source=source, destination=destination, **dict(names)))

    def price(self, query: EgressQuery) -> EgressQuote:
        """Return the price of a movement; None where nobody knows one, or nothing leaves."""
        if query.source == query.destination:
            return EgressQuote(price=None, why=f"nothing leaves {query.source}")
        found = next((entry for entry in self._entries if entry.fits(query)), None)
        if found is None:
            return EgressQuote(price=None, why=_why_none(query))
        price = _only(found, EgressPrice)
        towards = f" to {found.to}" if found.to else ""
        why = f"egress of {found.origin}{towards}, {found.source}, as of {found.as_of}"
        return EgressQuote(price=price, why=why)

    def queries(self, connection: str) -> QueryPrice | None:
        """Return what reading a connection's tables costs; None where nobody knows."""
        found = next((entry for entry in self._queries if entry.origin in _names(connection)), None)
        return _only(found, QueryPrice) if found else None


def read(path: Path) -> list[Entry | Queries]:
    """Read a price file.

    Raises:
        ValueError: it is absent, no YAML, or says something that is no price.
    """
    try:
        written = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"the price file {path} cannot be read: {error.strerror}") from None
    except (YAMLError, UnicodeDecodeError, RecursionError) as error:
        said = " ".join(str(error).split())[:200]
        raise ValueError(f"the price file {path} is not a list of entries: {said}") from None
    if not isinstance(written, list) or not all(isinstance(entry, dict) for entry in written):
        raise ValueError(
            f"the price file {path} is not a list of entries, such as `- from: aws` with its tiers"
        )
    return [
        _entry(entry, f"the price file {path}, entry {number}") for number, entry in enumerate(written, 1)
    ]


def _entry(written: dict[str, Any], where: str) -> Entry | Queries:
    """Read one entry; a mistake is told with its number, whose price it is, and the field as it is written."""
    fields = {"origin" if name == "from" else name: value for name, value in written.items()}
    where += f" (from {written['from']})" if "from" in written else ""
    try:
        entry = (Queries if "per_tib" in fields else Entry).model_validate(fields)
    except ValidationError as error:
        # A word that is misspelt is missing, too: it is told first.
        first = min(error.errors(include_url=False), key=lambda found: found["type"] == "missing")
        at = ".".join("from" if part == "origin" else str(part) for part in first["loc"])
        raise ValueError(f"{where}: {at}: {_said(first)}") from None
    if isinstance(entry, Entry):
        _check(entry, where)
    return entry


def _said(mistake: ErrorDetails) -> str:
    if mistake["type"] == "extra_forbidden":
        return "there is no such field"
    if mistake["type"] == "string_pattern_mismatch":
        return "write a currency as ISO 4217 does, such as EUR"
    return mistake["msg"].removeprefix("Value error, ")


def _check(entry: Entry, where: str) -> None:
    ends = [tier.up_to_gb for tier in entry.tiers]
    bounded = [end for end in ends if end is not None]
    rising = all(one < next_one for one, next_one in pairwise(bounded))
    if not ends or ends[-1] is not None or len(bounded) != len(ends) - 1 or not rising:
        raise ValueError(f"{where}: the ends of tiers must rise, and the last have no end")
    if any(tier.per_gb < 0 for tier in entry.tiers):
        raise ValueError(f"{where}: a price is below zero")


def _why_none(query: EgressQuery) -> str:
    source, destination = query.source, query.destination
    if cloud_of(source) is Cloud.ONPREM:
        return "what a line out of your own premises costs is not known here"
    if cloud_of(source) is not cloud_of(destination):
        return f"the price book has no entry for {source} that is known to fit"
    if not query.source_region or not query.destination_region:
        told = "between regions of one cloud bytes may cost, and a region is not known here"
        return f"{source} and {destination} are one cloud: {told}"
    regions = f"{query.source_region} to {query.destination_region}"
    return f"what bytes from {regions} cost within {cloud_of(source)} is not known here"


def _only(entry: Message, model: type[Price]) -> Price:
    return model.model_validate(entry.model_dump(include=set(model.model_fields)))


def _names(connection: str) -> set[str]:
    return {connection, cloud_of(connection).value}
