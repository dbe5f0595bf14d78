"""The log of a job, as Cloud Logging holds it."""

import base64
import json
from typing import Any

from google.api_core.exceptions import from_http_response
from google.auth.transport.requests import AuthorizedSession

from contracts.jobs import LogPage

_TIMEOUT = (5.0, 60.0)
_PAGE = 1000
"""The most entries that Cloud Logging returns at once."""
NEEDS = {"post": ("logging.logEntries.list",)}
"""https://cloud.google.com/logging/docs/access-control"""
Place = tuple[str, str]
"""Timestamp and insert id of an entry: entries of one moment are ordered by their ids."""


class JobLogs:
    """Reads the logs of one project's custom jobs."""

    def __init__(self, session: AuthorizedSession, endpoint: str, project: str) -> None:
        """Ask the service at this endpoint, with the session's identity."""
        self._session = session
        self._url = f"{endpoint}/v2/entries:list"
        self._project = project

    def read(self, job_id: str, tail: int, after: str | None) -> LogPage:
        """Return the last lines, or those after a token, oldest first; empty while there is none."""
        found = self._last(job_id, tail) if after is None else self._since(job_id, after)
        lines = tuple(line for entry in found for line in _text(entry).splitlines())
        return LogPage(lines=lines, next_after=_token(_place(found[-1])) if found else after)

    def last_lines(self, wanted: str, tail: int) -> tuple[str, ...]:
        """Return the last lines of the entries that pass a filter, oldest first."""
        entries, _ = self._ask(wanted, "timestamp desc", max(1, min(tail, _PAGE)))
        return tuple(line for entry in entries[::-1] for line in _text(entry).splitlines())

    def _last(self, job_id: str, tail: int) -> list[dict[str, Any]]:
        entries, _ = self._ask(_filter(job_id), "timestamp desc", max(1, min(tail, _PAGE)))
        return entries[::-1]

    def _since(self, job_id: str, after: str) -> list[dict[str, Any]]:
        """Return a page of entries after a place; so many may be of one moment that none of the first page is new.

        An entry that Cloud Logging takes in later than one with a later time is not seen: it is ordered by time.
        """
        if not after:
            return self._ask(_filter(job_id), "timestamp asc", _PAGE)[0]
        place = _read_token(after)
        wanted, page = f'{_filter(job_id)} AND timestamp>="{place[0]}"', ""
        while True:
            entries, page = self._ask(wanted, "timestamp asc", _PAGE, page)
            found = [entry for entry in entries if _place(entry) > place]
            if found or not page:
                return found

    def _ask(self, wanted: str, order: str, size: int, page: str = "") -> tuple[list[dict[str, Any]], str]:
        body = {
            "resourceNames": [f"projects/{self._project}"],
            "filter": wanted,
            "orderBy": order,
            "pageSize": size,
        } | ({"pageToken": page} if page else {})
        answer = self._session.post(self._url, json=body, timeout=_TIMEOUT)
        if not answer.ok:
            raise from_http_response(answer)  # type: ignore[no-untyped-call] # the SDK has no types
        told = answer.json()
        return told.get("entries", []), told.get("nextPageToken", "")


def _filter(job_id: str) -> str:
    return f'resource.type="ml_job" AND resource.labels.job_id="{job_id}"'


def _text(entry: dict[str, Any]) -> str:
    payload = entry.get("jsonPayload") or {}
    return str(entry.get("textPayload") or payload.get("message") or "").rstrip("\n")


def _place(entry: dict[str, Any]) -> Place:
    return entry["timestamp"], entry.get("insertId", "")


def _token(place: Place) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _read_token(token: str) -> Place:
    timestamp, entry = json.loads(base64.urlsafe_b64decode(token))
    return str(timestamp), str(entry)
