"""Who may ask Cloud Storage, and what it takes: fake-gcs-server asks nobody and compares nothing, so the front does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

import h11

from sandbox.servers.fronts.buckets import Buckets
from sandbox.servers.fronts.digests import Mismatch, compared
from sandbox.servers.fronts.messages import Lost, Reply, Substitute, text_of
from sandbox.servers.fronts.signatures import Refused, SignedUrls, is_signed
from sandbox.servers.journal import Journal
from sandbox.servers.rights.of_storage import StorageNeeds
from sandbox.servers.rights.planted import Need, Rights
from sandbox.servers.vertex.tokens import CLOUD_PLATFORM, Caller, TokenOffice

_SERVICE = "https://storage.googleapis.com/"
_SCOPES = {
    CLOUD_PLATFORM,
    *(
        f"https://www.googleapis.com/auth/devstorage.{rights}"
        for rights in ("full_control", "read_write", "read_only")
    ),
}
# The address of an upload that was begun is leave enough to go on with it, there as here.
_BEGUN = "/upload/resumable/"
_DESCRIBED_BYTES = 64 * 1024
"""In so much of an upload its description ends."""
_OF_JSON = ("/storage/", "/upload/storage/", "/download/storage/", "/batch/storage/")


class GcsGate:
    """Lets pass whoever proves to be the sandbox's service account, or to have been granted the request by it."""

    def __init__(
        self,
        office: TokenOffice,
        signed: SignedUrls,
        journal: Journal,
        rights: Rights,
        needs: StorageNeeds,
        buckets: Buckets,
    ) -> None:
        """Recognise tokens of this office and signatures of this account; let it do what it has the rights for."""
        self._buckets = buckets
        self._office = office
        self._signed = signed
        self._journal = journal
        self._rights = rights
        self._needs = needs

    def judge(self, request: h11.Request) -> Reply | Substitute | None:
        """See `Gate`."""
        if is_signed(request):
            try:
                self._signed.check(request)
            except Refused as refused:
                return _xml(refused.status, refused.code, refused.message, str(refused))
            return self._judge_rights(request)
        scheme, _, token = (text_of(request, "authorization") or "").partition(" ")
        if scheme.lower() == "bearer":
            caller = self._office.recognise(token.strip())
            reply = self._judge_caller(caller, request) or self._judge_rights(request)
            return reply or self._buckets.answer(request.method.decode(), request.target.decode("latin-1"))
        if _path(request).startswith(_BEGUN):
            return None
        return _unauthenticated(request, "Anonymous caller does not have access to the sandbox's objects.")

    def watch(self, request: h11.Request, body: Iterator[memoryview]) -> Iterator[memoryview]:
        """See `Gate`: content whose checksum is another than its sender said is refused, as the service does."""
        try:
            yield from compared(request, self._read(request, body))
        except Mismatch as error:
            raise Lost(_told(request, 400, "BadDigest", str(error), "invalid")) from None

    def note(self, request: h11.Request, order: Reply | Substitute, status: int) -> None:
        """See `Gate`: refusals, without what was signed."""
        if status < 400:
            return
        self._journal.write(
            operation="refused", method=request.method.decode(), path=_path(request), status=status
        )

    def _judge_caller(self, caller: Caller | None, request: h11.Request) -> Reply | None:
        if caller is None or caller.audience not in (None, _SERVICE):
            return _unauthenticated(request, "Invalid Credentials")
        if caller.audience is None and not caller.scopes & _SCOPES:
            return _told(request, 403, "AccessDenied", "Insufficient Permission", "insufficientPermissions")
        return None

    def _judge_rights(self, request: h11.Request) -> Reply | None:
        if not self._rights.planted:
            return None
        told = request.method.decode(), request.target.decode("latin-1")
        missing = self._rights.lacking(self._needs.of_head(*told))
        return _forbidden(request, missing, self._office.email) if missing else None

    def _read(self, request: h11.Request, body: Iterator[memoryview]) -> Iterator[memoryview]:
        """Judge what only a body tells: its beginning is held back until then."""
        path = _path(request)
        told_within = path.endswith("/compose") or path.startswith("/upload/storage/")
        if not (self._rights.planted and told_within and request.method == b"POST"):
            yield from body
            return
        ahead = b""
        while len(ahead) < _DESCRIBED_BYTES and (piece := next(body, None)) is not None:
            ahead += bytes(piece)
        needs = self._needs.of_body("POST", request.target.decode("latin-1"), ahead)
        missing = self._rights.lacking(needs)
        if missing:
            raise Lost(_forbidden(request, missing, self._office.email))
        yield memoryview(ahead)
        yield from body


def _forbidden(request: h11.Request, missing: Need, email: str) -> Reply:
    text = (
        f"{email} does not have {missing.permission} access to the Google Cloud Storage "
        f"{missing.thing.type.rpartition('/')[2].lower()}. Permission '{missing.permission}' denied on resource "
        "(or it may not exist)."
    )
    return _told(request, 403, "AccessDenied", text, "forbidden")


def _unauthenticated(request: h11.Request, message: str) -> Reply:
    return _told(request, 401, "AuthenticationRequired", message, "authError")


def _told(request: h11.Request, status: int, code: str, message: str, reason: str) -> Reply:
    """Say it as the API does that was asked: https://cloud.google.com/storage/docs/json_api/v1/status-codes."""
    if not _path(request).startswith(_OF_JSON):
        return _xml(status, code, message, "")
    error = {"domain": "global", "reason": reason, "message": message}
    body = {"error": {"code": status, "message": message, "errors": [error]}}
    return Reply(
        status,
        {"Content-Type": "application/json; charset=UTF-8", **_challenge(status)},
        json.dumps(body).encode(),
    )


def _xml(status: int, code: str, message: str, details: str) -> Reply:
    inner = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
    inner += f"<Details>{escape(details)}</Details>" if details else ""
    return Reply(
        status,
        {"Content-Type": "application/xml; charset=UTF-8", **_challenge(status)},
        f"<?xml version='1.0' encoding='UTF-8'?><Error>{inner}</Error>".encode(),
    )


def _challenge(status: int) -> dict[str, str]:
    return {"WWW-Authenticate": f'Bearer realm="{_SERVICE}"'} if status == 401 else {}


def _path(request: h11.Request) -> str:
    return urlsplit(request.target.decode("latin-1")).path
