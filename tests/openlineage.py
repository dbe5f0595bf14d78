"""What an OpenLineage event must be, as JSON Schema: derived from the classes that OpenLineage generates from its schema."""

import types
import typing
from datetime import datetime
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

import attr
from jsonschema import Draft202012Validator, FormatChecker
from openlineage.client import event_v2, facet_v2

FORMATS = {"runId": "uuid", "eventTime": "date-time", "producer": "uri", "_producer": "uri"}
FACETS: dict[str, type] = {
    "parent": facet_v2.parent_run.ParentRunFacet,
    "errorMessage": facet_v2.error_message_run.ErrorMessageRunFacet,
    "jobType": facet_v2.job_type_job.JobTypeJobFacet,
}
"""Every facet that Causeway writes; no other passes."""


CHECKER = FormatChecker()


@CHECKER.checks("date-time", raises=ValueError)
def _is_moment(value: object) -> bool:
    return datetime.fromisoformat(str(value)).tzinfo is not None


@CHECKER.checks("uri", raises=ValueError)
def _is_uri(value: object) -> bool:
    return bool(urlsplit(str(value)).scheme)


def check(event: dict[str, Any]) -> None:
    """Pass if the event is one; the error says what of it is not."""
    schema = {
        **schema_of(event_v2.RunEvent),
        "required": ["eventType", "eventTime", "run", "job", "producer"],
    }
    Draft202012Validator(schema, format_checker=CHECKER).validate(event)


def schema_of(kind: type, *, facets: bool = True) -> dict[str, Any]:
    """An object with this class's fields, no other, and those that have no default; a facet's own have none in them."""
    hints = typing.get_type_hints(kind)
    properties, required = {}, []
    for found in attr.fields(kind):
        name = found.name if found.name.startswith("_") else (found.alias or found.name)
        properties[name] = _value(name, hints[found.name], facets)
        if found.default is attr.NOTHING or name in {"_producer", "_schemaURL", "schemaURL"}:
            required.append(name)
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _value(name: str, hint: Any, facets: bool) -> dict[str, Any]:
    if name == "facets":
        known = {key: schema_of(facet, facets=False) for key, facet in FACETS.items()} if facets else {}
        return {"type": "object", "properties": known, "additionalProperties": False}
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in {typing.Union, types.UnionType}:
        return _value(name, next(one for one in inner if one is not type(None)), facets)
    if origin is list:
        return {"type": "array", "items": _value("", inner[0], facets)}
    if origin is dict:
        return {"type": "object"}
    if attr.has(hint):
        return schema_of(hint, facets=facets)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {"enum": [member.value for member in hint]}
    named = {str: "string", bool: "boolean", int: "integer"}
    found = {"type": named[hint]} if hint in named else {}
    return found | ({"format": FORMATS[name]} if name in FORMATS else {})
