"""What may be asked of BigQuery: its emulator asks nobody for a token or a right, so the front does once rights are planted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import h11

from sandbox.servers.fronts.messages import Lost, Reply, Substitute, text_of
from sandbox.servers.journal import Journal
from sandbox.servers.rights.of_bigquery import BigQueryNeeds
from sandbox.servers.rights.planted import Need, Rights
from sandbox.servers.vertex.tokens import CLOUD_PLATFORM, TokenOffice

_SERVICE = "https://bigquery.googleapis.com/"
_SCOPES = {CLOUD_PLATFORM, "https://www.googleapis.com/auth/bigquery"}


class BigQueryGate:
    """Lets everything pass until somebody says what the account may do; from then on a token and the rights are asked for."""

    def __init__(self, office: TokenOffice, rights: Rights, needs: BigQueryNeeds, journal: Journal) -> None:
        """Recognise tokens of this office."""
        self._office = office
        self._rights = rights
        self._needs = needs
        self._journal = journal

    def judge(self, request: h11.Request) -> Reply | Substitute | None:
        """See `Gate`: who asks."""
        if not self._rights.planted:
            return None
        scheme, _, token = (text_of(request, "authorization") or "").partition(" ")
        caller = self._office.recognise(token.strip()) if scheme.lower() == "bearer" else None
        if caller is None or caller.audience not in (None, _SERVICE):
            return _told(
                401, "authError", "Request had invalid authentication credentials.", "UNAUTHENTICATED"
            )
        if caller.audience is None and not caller.scopes & _SCOPES:
            return _told(403, "insufficientPermissions", "Insufficient Permission", "PERMISSION_DENIED")
        return None

    def watch(self, request: h11.Request, body: Iterator[memoryview]) -> Iterator[memoryview]:
        """See `Gate`: what is asked, which for a job its body tells; descriptions are small and held whole."""
        if not self._rights.planted:
            yield from body
            return
        whole = b"".join(bytes(piece) for piece in body)
        told = request.method.decode(), request.target.decode("latin-1")
        missing = self._rights.lacking(self._needs.of(*told, whole))
        if missing:
            raise Lost(_denied(missing))
        if whole:
            yield memoryview(whole)

    def note(self, request: h11.Request, order: Reply | Substitute, status: int) -> None:
        """See `Gate`: refusals."""
        path = urlsplit(request.target.decode("latin-1")).path
        self._journal.write(operation="refused", method=request.method.decode(), path=path, status=status)


def _denied(missing: Need) -> Reply:
    kind = missing.thing.type.rpartition("/")[2]
    told = f"Access Denied: {kind} {missing.thing.name}: Permission {missing.permission} denied (or it may not exist)."
    return _told(403, "accessDenied", told, "PERMISSION_DENIED")


def _told(status: int, reason: str, message: str, name: str) -> Reply:
    """Say it as the API does: https://cloud.google.com/bigquery/docs/error-messages."""
    error = {"message": message, "domain": "global", "reason": reason}
    body = {"error": {"code": status, "message": message, "errors": [error], "status": name}}
    return Reply(status, {"Content-Type": "application/json; charset=UTF-8"}, json.dumps(body).encode())
