"""Blob storage as roles judge it: azurite knows who asks, and lets everyone with a token do everything.

Which action an operation takes: https://learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

import h11

from sandbox.servers.azure.conditions import Act
from sandbox.servers.azure.rights import Asked, Rights
from sandbox.servers.fronts.messages import Reply, Substitute, text_of
from sandbox.servers.fronts.proxy import Gate

_SERVICE = "Microsoft.Storage/storageAccounts/blobServices"
_CONTAINERS = f"{_SERVICE}/containers"
_BLOBS = f"{_CONTAINERS}/blobs"
_OF_CONTAINERS = {"GET": "read", "HEAD": "read", "PUT": "write", "DELETE": "delete"}
_OF_BLOBS = {"GET": "read", "HEAD": "read", "PUT": "write", "DELETE": "delete"}


class Denied(Reply):
    """What a request without the right gets; nothing behind heard of it."""


@dataclass(frozen=True)
class Target:
    """What a request is about."""

    container: str
    name: str
    query: dict[str, str]


class JudgedGate:
    """Asks the roles of whoever holds a token, or signed by delegation; an account's key is above all roles."""

    def __init__(self, gate: Gate, rights: Rights, account_id: str) -> None:
        """Stand before this gate of an account with this ARM id."""
        self._gate = gate
        self._rights = rights
        self._account_id = account_id

    def judge(self, request: h11.Request) -> Reply | Substitute | None:
        """See `Gate`."""
        target = _target(request)
        principal = _bearer(request) or target.query.get("skoid")
        if principal and not self._rights.allows(self._asked(principal, request.method.decode(), target)):
            return _denied()
        return self._gate.judge(request)

    def watch(self, request: h11.Request, body: Iterator[memoryview]) -> Iterator[memoryview]:
        """See `Gate`."""
        return self._gate.watch(request, body)

    def note(self, request: h11.Request, order: Reply | Substitute, status: int) -> None:
        """See `Gate`."""
        if not isinstance(order, Denied):
            self._gate.note(request, order, status)

    def _asked(self, principal: str, method: str, target: Target) -> Asked:
        scope = self._account_id
        if target.container:
            scope = f"{scope}/blobServices/default/containers/{target.container}"
        act, data = act_of(method, target)
        return Asked(principal, scope, act, data)


def act_of(method: str, target: Target) -> tuple[Act, bool]:
    """Return what a request takes, and whether it is a data action."""
    part = target.query.get("comp", "")
    if not target.container:
        if part == "userdelegationkey":
            return Act(f"{_SERVICE}/generateUserDelegationKey/action"), False
        word = (
            f"{_CONTAINERS}/read" if part == "list" else f"{_SERVICE}/{_OF_CONTAINERS.get(method, 'write')}"
        )
        return Act(word), False
    attributes = {f"@Resource[{_CONTAINERS}:name]": target.container}
    if not target.name:
        if part == "list":
            attributes[f"@Request[{_BLOBS}:prefix]"] = target.query.get("prefix", "")
            return Act(f"{_BLOBS}/read", "Blob.List", attributes), True
        if part == "acl":
            return Act(f"{_CONTAINERS}/{'setAcl' if method == 'PUT' else 'getAcl'}/action"), False
        return Act(f"{_CONTAINERS}/{_OF_CONTAINERS.get(method, 'write')}"), False
    attributes[f"@Resource[{_BLOBS}:path]"] = target.name
    group = f"{_BLOBS}/tags" if part == "tags" else _BLOBS
    return Act(f"{group}/{_OF_BLOBS.get(method, 'write')}", "", attributes), True


def _target(request: h11.Request) -> Target:
    parts = urlsplit(request.target.decode("latin-1"))
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    # The emulator's addresses begin with the account.
    _, _, rest = parts.path.lstrip("/").partition("/")
    container, _, name = rest.partition("/")
    return Target(unquote(container), unquote(name), query)


def _bearer(request: h11.Request) -> str | None:
    """Return the object id in a token; whether it is genuine is asked behind."""
    kind, _, token = (text_of(request, "authorization") or "").partition(" ")
    if kind.lower() != "bearer":
        return None
    try:
        body = token.split(".")[1]
        return str(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["oid"])
    except (IndexError, KeyError, ValueError):
        return None


def _denied() -> Denied:
    code = "AuthorizationPermissionMismatch"
    text = "This request is not authorized to perform this operation using this permission."
    headers = {
        "Content-Type": "application/xml",
        "x-ms-error-code": code,
        "x-ms-request-id": str(uuid.uuid4()),
    }
    body = (
        f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{text}</Message></Error>'
    )
    return Denied(403, headers, body.encode())
