"""What the sandbox's service account may do in Google Cloud, once a test has said so: until then everything.

Roles and bindings lie in a file that `python -m starter permissions` could have written. Each permission that a request
takes is written down with what became of it, so that a run's rights can be compared with those that were printed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.layout import Layout
from sandbox.servers.journal import Journal
from sandbox.servers.rights.conditions import holds

JOURNAL = "google-rights"


@dataclass(frozen=True)
class Thing:
    """A resource as conditions and bindings know it."""

    name: str
    type: str
    within: tuple[str, ...]
    """The places whose bindings hold for it: `gs://bucket`, `projects/…`, `serviceAccounts/…`."""

    @property
    def service(self) -> str:
        """The service that has it."""
        return self.type.partition("/")[0]


@dataclass(frozen=True)
class Need:
    """One permission on one resource."""

    permission: str
    thing: Thing


class Rights:
    """The rights of one account, read anew whenever the file changes."""

    def __init__(self, path: Path, journal: Journal) -> None:
        """Judge by the file at `path`, which need not exist."""
        self._path = path
        self._journal = journal
        self._seen: tuple[int, int] | None = None
        self._bindings: list[tuple[frozenset[str], str, str]] = []

    @classmethod
    def of(cls, layout: Layout) -> Rights:
        """The rights that every server of Google's in this sandbox judges by."""
        return cls(planted_at(layout), Journal(layout.requests_of(JOURNAL)))

    @property
    def planted(self) -> bool:
        """Whether anybody has said what the account may do. Costs one `stat` while the file does not change."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            self._seen = None
            return False
        stamp = (found.st_mtime_ns, found.st_ino)
        if stamp != self._seen:
            self._bindings = _read(json.loads(self._path.read_text()))
            self._seen = stamp
        return True

    def lacking(self, needs: Iterable[Need]) -> Need | None:
        """Return the first of these that the account does not have, and write down all of them."""
        if not self.planted:
            return None
        missing = None
        for need in needs:
            granted = self.has(need)
            self._journal.write(permission=need.permission, resource=need.thing.name, granted=granted)
            missing = missing or (None if granted else need)
        return missing

    def has(self, need: Need) -> bool:
        """Whether a binding gives this; nothing is written down."""
        thing = need.thing
        attributes = {"name": thing.name, "type": thing.type, "service": thing.service}
        return any(
            need.permission in permissions
            and place in thing.within
            and (not condition or holds(condition, attributes))
            for permissions, place, condition in self._bindings
        )


def planted_at(layout: Layout) -> Path:
    """Where the roles and bindings lie."""
    return layout.state / "vertex" / "rights.json"


def _read(held: dict[str, Any]) -> list[tuple[frozenset[str], str, str]]:
    roles = {name: frozenset(role["includedPermissions"]) for name, role in held["roles"].items()}
    return [
        (roles[binding["role"]], binding["resource"], binding.get("condition", {}).get("expression", ""))
        for binding in held["bindings"]
    ]
