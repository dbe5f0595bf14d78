"""The price book: what it costs to bring bytes from one connection to another, from dated data that a user can override."""

import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from temporalio import activity

from contracts.prices import EgressPrice, EgressQuery, EgressQuote, PriceActivities
from contracts.queues import Cloud, cloud_of

OVERRIDE = "CAUSEWAY_PRICES"
BOOK = Path(__file__).with_name("egress.yaml")


class Entry(EgressPrice):
    """One entry of a price file."""

    origin: str
    """A cloud, or one of its connections; written `from`."""


_ENTRIES = TypeAdapter(list[Entry])


class PriceBook(PriceActivities):
    """Our list prices, and the user's own before them."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        """Look prices up in these, the first that fits."""
        self._entries = tuple(entries)

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
        return self.quote(query.source, query.destination)

    def quote(self, source: str, destination: str) -> EgressQuote:
        """Return the price between two connections; None where nobody knows one."""
        if cloud_of(source) is cloud_of(destination):
            why = f"{source} and {destination} are one cloud: between its regions bytes may cost, which is not known here"
            return EgressQuote(price=None, why=why)
        if cloud_of(source) is Cloud.ONPREM:
            return EgressQuote(price=None, why="what a line out of your own premises costs is not known here")
        found = next((entry for entry in self._entries if entry.origin in _names(source)), None)
        if found is None:
            return EgressQuote(price=None, why=f"the price book has no entry for {source}")
        price = EgressPrice.model_validate(found.model_dump(exclude={"origin"}))
        return EgressQuote(price=price, why=f"egress of {found.origin}, {found.source}, as of {found.as_of}")


def read(path: Path) -> list[Entry]:
    """Read a price file.

    Raises:
        ValueError: it is absent, no YAML, or says something that is no price.
    """
    try:
        written = YAML(typ="safe", pure=True).load(path.read_text())
        renamed = [{**entry, "origin": entry.get("from")} for entry in written]
        entries = _ENTRIES.validate_python(renamed)
    except OSError as error:
        raise ValueError(f"the price file {path} cannot be read: {error.strerror}") from None
    except (YAMLError, TypeError, AttributeError) as error:
        raise ValueError(f"the price file {path} is not a list of entries: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(f"the price file {path}: {where}: {first['msg']}") from None
    for entry in entries:
        _check(entry, path)
    return entries


def _check(entry: Entry, path: Path) -> None:
    ends = [tier.up_to_gb for tier in entry.tiers]
    bounded = [end for end in ends if end is not None]
    rising = all(one < next_one for one, next_one in pairwise(bounded))
    if not ends or ends[-1] is not None or len(bounded) != len(ends) - 1 or not rising:
        raise ValueError(
            f"the price file {path}: the tiers of {entry.origin} must rise, and the last have no end"
        )
    if any(tier.per_gb < 0 for tier in entry.tiers):
        raise ValueError(f"the price file {path}: a price of {entry.origin} is below zero")


def _names(connection: str) -> set[str]:
    return {connection, cloud_of(connection).value}
