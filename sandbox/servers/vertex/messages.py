"""JSON to the vendor's messages and back, as strict as Google's own gateway."""

from __future__ import annotations

import json
import re
from typing import Any

from google.protobuf import json_format

from sandbox.servers.vertex.errors import GoogleError, field_violations

_UNKNOWN = re.compile(r'has no field named "([^"]+)" at "\w+\.?([^"]*)"')
# Query parameters of every Google API: https://cloud.google.com/apis/docs/system-parameters
SYSTEM_PARAMETERS = frozenset(
    {"alt", "fields", "key", "prettyPrint", "quotaUser", "callback", "access_token"}
)


def read_json(body: bytes) -> dict[str, Any]:
    """The body's JSON object; no body is an empty one.

    Raises:
        GoogleError: `INVALID_ARGUMENT` when it is not a JSON object.
    """
    try:
        parsed = json.loads(body or b"{}")
    except ValueError as exc:
        raise GoogleError("INVALID_ARGUMENT", f"Invalid JSON payload received. {exc}") from None
    if not isinstance(parsed, dict):
        raise GoogleError(
            "INVALID_ARGUMENT", "Invalid JSON payload received. Root element must be a message."
        )
    return parsed


def fill(message_type: Any, fields: dict[str, Any]) -> Any:
    """A message of the vendor's type (the plain protobuf one) with these fields.

    Args:
        message_type: The generated class.
        fields: JSON names and values, as Google's JSON mapping writes them.

    Raises:
        GoogleError: `INVALID_ARGUMENT` for a field the type does not have, or a value of the wrong kind.
    """
    message = message_type.pb(message_type())
    try:
        return json_format.ParseDict(fields, message)
    except json_format.ParseError as exc:
        raise _refused(str(exc)) from None


def plain(message: Any, query: dict[str, str]) -> dict[str, Any]:
    """The message as JSON; enums are numbers when the client asked for that, as the generated clients do."""
    as_numbers = "enum-encoding=int" in query.get("$alt", query.get("alt", ""))
    answer: dict[str, Any] = json_format.MessageToDict(message, use_integers_for_enums=as_numbers)
    return answer


def request_parameters(query: dict[str, str]) -> dict[str, str]:
    """The query parameters that are fields of the request, without those every Google API knows."""
    return {key: value for key, value in query.items() if key.lstrip("$") not in SYSTEM_PARAMETERS}


def _refused(reason: str) -> GoogleError:
    found = _UNKNOWN.search(reason)
    if found is None:
        return GoogleError("INVALID_ARGUMENT", f"Invalid value: {reason}")
    where = re.sub(r"(?<=[a-z])([A-Z])", r"_\1", found[2]).lower()
    place = f" at '{where}'" if where else ""
    text = f'Invalid JSON payload received. Unknown name "{found[1]}"{place}: Cannot find field.'
    return GoogleError("INVALID_ARGUMENT", text, [field_violations({where: text})])
