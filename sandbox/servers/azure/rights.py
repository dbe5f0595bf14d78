"""Who may do what: roles, their assignments with scopes and conditions, and the judgement that follows from them.

Every judgement is written down, so that a test can ask what a run really took. Resource manager and Blob storage judge by the
same assignments; light to import, for the front of the store does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.layout import Layout
from sandbox.servers.azure.conditions import Act, matches, parse
from sandbox.servers.azure.documents import Documents
from sandbox.servers.journal import Journal

JOURNAL = "azure-rights"
Role = dict[str, list[str]]
_ML = "Microsoft.MachineLearningServices/workspaces"
_CONTAINERS = "Microsoft.Storage/storageAccounts/blobServices/containers"
_KEY = "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action"
DATA_SCIENTIST = "f6c7c914-8db3-469d-8ca1-694a8f32e121"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
BLOB_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
BLOB_READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
BLOB_DELEGATOR = "db58b8e5-c6ad-4a2a-8342-4190687cbf4a"


def _role(actions: list[str], not_actions: list[str] | None = None, data: list[str] | None = None) -> Role:
    return {
        "actions": actions,
        "notActions": not_actions or [],
        "dataActions": data or [],
        "notDataActions": [],
    }


ROLES: dict[str, Role] = {
    DATA_SCIENTIST: _role(
        [f"{_ML}/*/read", f"{_ML}/*/action", f"{_ML}/*/delete", f"{_ML}/*/write", f"{_ML}/read"],
        [f"{_ML}/delete", f"{_ML}/write", f"{_ML}/computes/*/write", f"{_ML}/computes/*/delete"],
    ),
    READER: _role(["*/read"]),
    # Contributor
    "b24988ac-6180-42a0-ab88-20f7382dd24c": _role(
        ["*"], ["Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write"]
    ),
    # Owner
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": _role(["*"]),
    BLOB_CONTRIBUTOR: _role(
        [f"{_CONTAINERS}/{verb}" for verb in ("delete", "read", "write")] + [_KEY],
        data=[
            f"{_CONTAINERS}/blobs/{verb}" for verb in ("delete", "read", "write", "move/action", "add/action")
        ],
    ),
    BLOB_READER: _role([f"{_CONTAINERS}/read", _KEY], data=[f"{_CONTAINERS}/blobs/read"]),
    BLOB_DELEGATOR: _role([_KEY]),
}
"""https://learn.microsoft.com/azure/role-based-access-control/built-in-roles: the ids, and of the actions those that are
asked for here."""
SEEDED = {
    "roles/data-scientist": {"role": DATA_SCIENTIST},
    "roles/reader": {"role": READER},
    "roles/blob-contributor": {"role": BLOB_CONTRIBUTOR},
}
"""What our application holds in a fresh sandbox, at the resource group."""


@dataclass(frozen=True)
class Asked:
    """Something that somebody wants to do to a resource."""

    principal: str
    """The object id of who asks."""
    scope: str
    """The resource's id."""
    act: Act
    data: bool = False
    """Whether it is a data action."""


class Rights:
    """The assignments of one sandbox; shared by its servers through a file."""

    def __init__(self, kept: Documents, journal: Journal) -> None:
        self.kept = kept
        self._journal = journal

    def allows(self, asked: Asked) -> bool:
        """Judge, and write it down."""
        allowed = any(_grants(role, limited, asked) for role, limited in self._held(asked))
        self._journal.write(
            principal=asked.principal,
            action=asked.act.action,
            suboperation=asked.act.suboperation,
            attributes=dict(asked.act.attributes),
            data=asked.data,
            scope=asked.scope,
            allowed=allowed,
        )
        return allowed

    def role(self, name: str) -> Role | None:
        """Return a role by its id: a built-in one, or one's own."""
        found: Role | None = ROLES.get(name) or (self.kept.get(f"definitions/{name}") or {}).get(
            "permissions"
        )
        return found

    def at(self, scope: str, principal: str) -> list[Role]:
        """Return the roles that somebody holds at a scope, whatever their conditions."""
        return [role for role, _ in self._held(Asked(principal, scope, Act("")))]

    def _held(self, asked: Asked) -> Iterator[tuple[Role, str]]:
        for held in self.kept.all("roles/").values():
            role = self.role(str(held["role"]))
            here = _covers(str(held.get("scope", "")), asked.scope)
            if role and here and held.get("principal") in (None, asked.principal):
                yield role, str(held.get("condition") or "")


def opened(layout: Layout, fresh: dict[str, dict[str, Any]]) -> Rights:
    """Return the rights of a sandbox; `fresh` is what holds until something was changed."""
    kept = Documents(Path(layout.state) / "azure" / "account.json", fresh)
    return Rights(kept, Journal(layout.requests_of(JOURNAL)))


def _covers(scope: str, resource: str) -> bool:
    return f"{resource.rstrip('/')}/".lower().startswith(f"{scope.rstrip('/')}/".lower())


def _grants(role: Role, condition: str, asked: Asked) -> bool:
    some, none = ("dataActions", "notDataActions") if asked.data else ("actions", "notActions")
    action = asked.act.action
    if not any(matches(pattern, action) for pattern in role[some]):
        return False
    if any(matches(pattern, action) for pattern in role[none]):
        return False
    # Conditions are about data actions alone.
    return not (asked.data and condition) or parse(condition)(asked.act)
