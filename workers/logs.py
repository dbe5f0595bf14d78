"""Structured logs: one JSON object a line, with the run, stage and attempt it is about."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from activities.run_lines import KEPT
from telemetry.current import trace_id

QUIET = ("azure", "urllib3", "google", "botocore", "msal", "msrest")
"""Libraries whose information lines would drown ours; their warnings stay."""


def configure(worker: str) -> None:
    """Send everything to standard error as JSON lines that name this worker, and hold what is about a stage."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(worker))
    KEPT.setFormatter(JsonLines(worker))
    logging.basicConfig(level=logging.INFO, handlers=[handler, KEPT], force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON."""

    def __init__(self, worker: str) -> None:
        """Name this worker on each line."""
        super().__init__()
        self._worker = worker

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; tracebacks are kept as text in `error`."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "worker": self._worker,
            "message": record.getMessage().split(" ({", 1)[0],
            **_about(record),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def _about(record: logging.LogRecord) -> dict[str, Any]:
    info = getattr(record, "temporal_activity", None) or getattr(record, "temporal_workflow", None) or {}
    about = {
        "run": info.get("workflow_id"),
        "activity": info.get("activity_type"),
        "attempt": info.get("attempt"),
        "stage": getattr(record, "stage", None),
        "trace": trace_id(),
    }
    return {name: value for name, value in about.items() if value is not None}
