"""What fake-gcs-server does not know of a bucket: its policy, and how it is kept. A file may say otherwise.

https://cloud.google.com/storage/docs/json_api/v1/buckets/getIamPolicy and .../buckets#resource
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sandbox.servers.fronts.messages import Reply

Fetch = Callable[[str], dict[str, Any] | None]
"""What the server behind answers to a path; None where there is nothing."""
_BUCKET = re.compile(r"/storage/v1/b/(?P<bucket>[^/]+)(?P<iam>/iam)?/?")


class Buckets:
    """The buckets of one store; what the file says of one holds from the next request on."""

    def __init__(self, path: Path, fetch: Fetch) -> None:
        """Read the file at `path`, which need not exist: `policy` and `metadata` by the bucket's name."""
        self._path = path
        self._fetch = fetch

    def answer(self, method: str, target: str) -> Reply | None:
        """Answer who asks for a policy, or for metadata that the file has a word on; None leaves it to the server."""
        found = _BUCKET.fullmatch(urlsplit(target).path)
        if method != "GET" or not found:
            return None
        name = unquote(found["bucket"])
        said = self._said().get(name, {})
        if not found["iam"] and "metadata" not in said:
            return None
        kept = self._fetch(f"/storage/v1/b/{found['bucket']}")
        if kept is None:
            return None
        return _json(_policy(name, said) if found["iam"] else {**kept, **said["metadata"]})

    def _said(self) -> dict[str, Any]:
        return dict(json.loads(self._path.read_text())) if self._path.exists() else {}


def _policy(name: str, said: dict[str, Any]) -> dict[str, Any]:
    held = {
        "kind": "storage#policy",
        "resourceId": f"projects/_/buckets/{name}",
        "version": 1,
        "etag": "CAE=",
    }
    return {**held, "bindings": [], **said.get("policy", {})}


def _json(body: dict[str, Any]) -> Reply:
    return Reply(200, {"Content-Type": "application/json; charset=UTF-8"}, json.dumps(body).encode())
