"""The JSON Schema of `connections.yaml`, for editors: made from the very models that workers read."""

from typing import Any

from contracts.queues import Cloud
from workers.connections import ENVIRONMENT, SECRET, fields_of, settings_of


def schema() -> dict[str, Any]:
    """The JSON Schema of the file, for editors."""
    patterns: dict[str, Any] = {}
    shared: dict[str, Any] = {}
    for cloud in Cloud:
        held = settings_of(cloud).model_json_schema(by_alias=False, ref_template="#/$defs/{model}")
        shared |= held.pop("$defs", {})
        properties = {name: held["properties"][name] for name in fields_of(settings_of(cloud))}
        properties[ENVIRONMENT] = {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "propertyNames": {"not": {"pattern": SECRET.pattern}},
            "description": "Variables of the SDK that are no secret, such as AWS_PROFILE.",
        }
        patterns[f"^{cloud}(/[a-z][a-z0-9-]{{0,31}})?$"] = {
            "type": "object",
            "properties": properties,
            "additionalProperties": False,
        }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "connections.yaml",
        "type": "object",
        "properties": {
            "connections": {"type": "object", "patternProperties": patterns, "additionalProperties": False}
        },
        "required": ["connections"],
        "additionalProperties": False,
        "$defs": shared,
    }
