"""Lists of jobs: filters, order and pages as the vendor's list operations have them."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import datetime
from typing import Any

from sandbox.servers.sagemaker.errors import invalid

DEFAULT_PAGE = 10


def page(
    entries: list[dict[str, Any]], prefix: str, parameters: dict[str, Any]
) -> tuple[list[dict[str, Any]], str | None]:
    """The entries that the parameters ask for, in order, and the token of the next page.

    `entries` are descriptions; `prefix` begins their members' names, as in `TrainingJobName`.
    """
    status = f"{prefix}Status"
    chosen = [entry for entry in entries if _wanted(entry, prefix, parameters)]
    member = {"Name": f"{prefix}Name", "Status": status}.get(parameters.get("SortBy", ""), "CreationTime")
    keyed = [([entry[member], entry[f"{prefix}Name"]], entry) for entry in chosen]
    keyed.sort(key=lambda pair: pair[0], reverse=parameters.get("SortOrder") == "Descending")
    digest = _digest(parameters)
    if "NextToken" in parameters:
        after = _after(parameters["NextToken"], digest)
        backwards = parameters.get("SortOrder") == "Descending"
        keyed = [pair for pair in keyed if (pair[0] < after if backwards else pair[0] > after)]
    size = parameters.get("MaxResults", DEFAULT_PAGE)
    shown = keyed[:size]
    token = _token(digest, shown[-1][0]) if len(keyed) > size else None
    return [entry for _, entry in shown], token


def _wanted(entry: dict[str, Any], prefix: str, parameters: dict[str, Any]) -> bool:
    if parameters.get("NameContains", "").lower() not in entry[f"{prefix}Name"].lower():
        return False
    if parameters.get("StatusEquals", entry[f"{prefix}Status"]) != entry[f"{prefix}Status"]:
        return False
    for member in ("CreationTime", "LastModifiedTime"):
        after: datetime | None = parameters.get(f"{member}After")
        before: datetime | None = parameters.get(f"{member}Before")
        if after is not None and entry[member] <= after.timestamp():
            return False
        if before is not None and entry[member] >= before.timestamp():
            return False
    return True


def _digest(parameters: dict[str, Any]) -> str:
    filters = {
        name: str(value) for name, value in parameters.items() if name not in ("NextToken", "MaxResults")
    }
    return hashlib.sha256(json.dumps(filters, sort_keys=True).encode()).hexdigest()[:16]


def _token(digest: str, last: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps([digest, last]).encode()).decode()


def _after(token: str, digest: str) -> list[Any]:
    try:
        of, last = json.loads(base64.urlsafe_b64decode(token.encode()))
    except ValueError:
        raise invalid("NextToken is not one of ours") from None
    if of != digest:
        raise invalid("NextToken belongs to a list with other parameters")
    return list(last)
