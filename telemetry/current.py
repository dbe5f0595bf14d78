"""The span that is open here and now; where nothing traces, nothing of OpenTelemetry is loaded for the question."""

import sys
from collections.abc import Mapping
from typing import Any


def _span() -> Any | None:
    loaded = sys.modules.get("opentelemetry.trace")
    span: Any = loaded.get_current_span() if loaded else None
    return span if span is not None and span.get_span_context().is_valid else None


def trace_id() -> str | None:
    """The id of the trace that this work belongs to, in hexadecimal; None where nothing traces it."""
    span = _span()
    return f"{span.get_span_context().trace_id:032x}" if span else None


def mark(attributes: Mapping[str, str | int | list[str]]) -> None:
    """Set attributes of the open span, if there is one: names and numbers alone, never a URL or a value of a pipeline."""
    span = _span()
    if span:
        span.set_attributes(dict(attributes))
