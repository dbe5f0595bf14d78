"""The condition of a role assignment: which containers and names below them its data actions reach.

https://learn.microsoft.com/azure/role-based-access-control/conditions-format, and for what is compared
https://learn.microsoft.com/azure/storage/blobs/storage-auth-abac-attributes
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from activities.azure.actions import BLOB_READ, BLOBS, CONTAINERS
from activities.settings import SettingsError

VERSION = "2.0"
_LIST = "SubOperationMatches{'Blob.List'}"


@dataclass(frozen=True, order=True)
class Place:
    """Blobs that a role reaches: one by its name, or all below a prefix that ends in `/`; all of a container without a name."""

    container: str
    name: str
    written: bool


def condition(places: Iterable[Place], writes: Iterable[str]) -> str:
    """Return the condition that limits reads to all places, and these write actions to those that are written.

    Lists reach a whole container where something is written, since what an upload left behind may lie anywhere in it.

    Raises:
        SettingsError: a name holds a quote, which no condition can be trusted with.
    """
    held = sorted(set(places))
    written = [place for place in held if place.written]
    read = f"ActionMatches{{'{BLOB_READ}'}}"
    changes = [f"ActionMatches{{'{action}'}}" for action in writes]
    clauses = [
        _unless([f"{read} AND NOT {_LIST}"], _reached(held, _path)),
        _unless([f"{read} AND {_LIST}"], _reached(held, _prefix)),
        *([_unless(changes, _reached(written, _path))] if written and changes else []),
    ]
    return " AND ".join(clauses)


def _unless(actions: Iterable[str], reached: str) -> str:
    return f"(({' AND '.join(f'!({action})' for action in actions)}) OR {reached})"


def _reached(places: Sequence[Place], term: Callable[[Place], str]) -> str:
    return _any(
        [
            _within(container, _alike(list(held), term))
            for container, held in groupby(places, key=lambda place: place.container)
        ]
    )


def _alike(places: Sequence[Place], term: Callable[[Place], str]) -> str:
    """One of these places of one container; nothing where that is all of it."""
    if any(not place.name for place in places):
        return ""
    if term is _prefix and any(place.written for place in places):
        return ""
    return _any(list(dict.fromkeys(term(place) for place in places)))


def _within(container: str, more: str) -> str:
    here = f"@Resource[{CONTAINERS}:name] StringEquals {_quoted(container)}"
    return f"({here} AND {more})" if more else f"({here})"


def _path(place: Place) -> str:
    operator = "StringStartsWith" if place.name.endswith("/") else "StringEquals"
    return f"@Resource[{BLOBS}:path] {operator} {_quoted(place.name)}"


def _prefix(place: Place) -> str:
    return f"@Request[{BLOBS}:prefix] StringStartsWith {_quoted(place.name)}"


def _any(terms: Sequence[str]) -> str:
    return terms[0] if len(terms) == 1 else f"({' OR '.join(terms)})"


def _quoted(text: str) -> str:
    if "'" in text:
        raise SettingsError(f"a role's condition cannot hold the quote in {text!r}: name the folder above it")
    return f"'{text}'"
