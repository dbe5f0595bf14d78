"""Long-running operations on models and endpoints, kept on disk: what was asked, and how it went."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox.servers.records import Record, Records
from sandbox.servers.vertex.errors import GoogleError

_TYPES = "type.googleapis.com/google.cloud.aiplatform.v1"
EMPTY = {"@type": "type.googleapis.com/google.protobuf.Empty"}


class Operations:
    """All operations, by their number."""

    def __init__(self, root: Path) -> None:
        """Keep them below `root`."""
        self._records = Records(root)

    def begin(self, resource: str, kind: str) -> Record:
        """Note that something of this kind, such as `DeployModel`, was begun on a resource."""
        while True:
            number = str(time.time_ns())
            record: Record = {"Name": f"{resource}/operations/{number}", "Resource": resource, "Kind": kind}
            record |= {"Began": _now(), "Updated": _now(), "Done": False, "Error": None, "Response": None}
            if self._records.add(number, record):
                return record

    def end(
        self, name: str, response: dict[str, Any] | None = None, error: dict[str, Any] | None = None
    ) -> None:
        """Say how it went; what has ended stays as it is."""
        if not self.known(name)["Done"]:
            news = {"Done": True, "Updated": _now(), "Response": response, "Error": error}
            self._records.change(name.rsplit("/", 1)[1], **news)

    def end_all(self, resource: str, kind: str, response: dict[str, Any]) -> None:
        """Say that what was begun of a kind on a resource has succeeded."""
        for record in self._of(resource):
            if record["Kind"] == kind:
                self.end(record["Name"], response)

    def known(self, name: str) -> Record:
        """The operation of this name.

        Raises:
            GoogleError: `NOT_FOUND`.
        """
        record = self._records.get(name.rsplit("/", 1)[1])
        if record is None or record["Name"] != name:
            raise GoogleError("NOT_FOUND", f"The operation does not exist: {name}")
        return record

    def get(self, name: str, body: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        """`GetOperation`."""
        return shown(self.known(name))

    def listed(self, name: str, body: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        """`ListOperations`: in no order that anybody may rely on."""
        found = self._of(name.removesuffix("/operations"))
        return {"operations": [shown(record) for record in reversed(found)]}

    def _of(self, resource: str) -> list[Record]:
        return [record for record in self._records.all() if record["Resource"] == resource]


def shown(record: Record) -> dict[str, Any]:
    """An operation as the vendor answers it."""
    generic = {"createTime": record["Began"], "updateTime": record["Updated"]}
    metadata = {"@type": f"{_TYPES}.{record['Kind']}OperationMetadata", "genericMetadata": generic}
    answer = {"name": record["Name"], "metadata": metadata}
    if not record["Done"]:
        return answer
    ending = {"error": record["Error"]} if record["Error"] else {"response": record["Response"] or EMPTY}
    return {**answer, "done": True, **ending}


def typed(message: str, value: dict[str, Any]) -> dict[str, Any]:
    """A resource as an operation's response."""
    return {"@type": f"{_TYPES}.{message}", **value}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
