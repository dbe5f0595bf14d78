"""JSON 1.1 as SageMaker speaks it, checked against the service model that botocore ships."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import botocore.session
from botocore.model import OperationModel
from botocore.validate import ParamValidator

from sandbox.servers.sagemaker.errors import AwsError, invalid

Shape = Any
"""botocore's `Shape`; its subclasses, told apart by `type_name`, have the members."""

_MODEL = botocore.session.get_session().get_service_model("sagemaker")


def operation_model(name: str) -> OperationModel:
    """The vendor's description of an operation.

    Raises:
        AwsError: SageMaker has no such operation.
    """
    if name not in _MODEL.operation_names:
        raise AwsError("UnknownOperationException", f"SageMaker has no operation {name!r}")
    return _MODEL.operation_model(name)


def checked(operation: OperationModel, body: dict[str, Any]) -> dict[str, Any]:
    """The request's parameters with times as `datetime`, when all of them are as the model says.

    Raises:
        AwsError: A member is unknown, missing, of another type, or outside enum, pattern, length or range.
    """
    shape: Shape = operation.input_shape
    parameters: dict[str, Any] = _from_wire(shape, body)
    report = ParamValidator().validate(parameters, shape)
    if report.has_errors():
        raise invalid(report.generate_report())
    complaints = list(_complaints(shape, parameters, ""))
    if complaints:
        noun = "error" if len(complaints) == 1 else "errors"
        raise invalid(f"{len(complaints)} validation {noun} detected: {'; '.join(complaints)}")
    return parameters


def answer(operation: OperationModel, values: dict[str, Any]) -> dict[str, Any]:
    """The values as JSON, reduced to what the operation's output may hold."""
    shape = operation.output_shape
    return {} if shape is None else dict(_to_wire(shape, values))


def _from_wire(shape: Shape, value: Any) -> Any:
    kind = shape.type_name
    if kind == "structure":
        _expect(isinstance(value, dict), shape)
        unknown = sorted(set(value) - set(shape.members))
        if unknown:
            raise AwsError("SerializationException", f"{shape.name} has no member {unknown[0]!r}")
        return {
            name: _from_wire(shape.members[name], item) for name, item in value.items() if item is not None
        }
    if kind == "list":
        _expect(isinstance(value, list), shape)
        return [_from_wire(shape.member, item) for item in value]
    if kind == "map":
        _expect(isinstance(value, dict), shape)
        return {name: _from_wire(shape.value, item) for name, item in value.items()}
    if kind == "timestamp":
        _expect(isinstance(value, int | float), shape)
        return datetime.fromtimestamp(value, UTC)
    return value


def _expect(fits: bool, shape: Shape) -> None:
    if not fits:
        raise AwsError("SerializationException", f"{shape.name} must be a {shape.type_name}")


def _complaints(shape: Shape, value: Any, path: str) -> Iterator[str]:
    kind = shape.type_name
    if kind == "structure":
        for name, item in value.items():
            yield from _complaints(shape.members[name], item, f"{path}.{name[0].lower()}{name[1:]}")
        return
    if kind == "list":
        for number, item in enumerate(value, 1):
            yield from _complaints(shape.member, item, f"{path}.{number}.member")
    if kind == "map":
        for name, item in value.items():
            yield from _complaints(shape.key, name, f"{path}.key")
            yield from _complaints(shape.value, item, f"{path}.{name}")
    yield from (
        f"Value at '{path[1:]}' failed to satisfy constraint: {text}" for text in _unmet(shape, value)
    )


def _unmet(shape: Shape, value: Any) -> Iterator[str]:
    # What botocore's own validator leaves to the server; it checks types, required members and minima.
    limit = shape.metadata.get("max")
    if shape.type_name in ("string", "list", "map"):
        if limit is not None and len(value) > limit:
            yield f"Member must have length less than or equal to {limit}"
    elif limit is not None and shape.type_name in ("integer", "long", "float", "double") and value > limit:
        yield f"Member must have value less than or equal to {limit}"
    if shape.type_name == "string":
        if shape.enum and value not in shape.enum:
            yield f"Member must satisfy enum value set: {_some(shape.enum)}"
        pattern = shape.metadata.get("pattern")
        if pattern and not _matches(pattern, value):
            yield f"Member must satisfy regular expression pattern: {pattern}"


def _matches(pattern: str, value: str) -> bool:
    # The patterns are Java's; Python's `re` lacks the classes of Unicode categories, which only tags use.
    translated = pattern.replace(r"\p{L}\p{Z}\p{N}", r"\w\s")
    translated = translated.replace(r"\p{L}", r"\w").replace(r"\p{N}", r"\d").replace(r"\p{Z}", r"\s")
    return re.fullmatch(translated, value) is not None


def _some(values: list[str]) -> str:
    return f"[{', '.join(values[:8])}{', ...' if len(values) > 8 else ''}]"


def _to_wire(shape: Shape, value: Any) -> Any:
    kind = shape.type_name
    if kind == "structure":
        members = {name: value[name] for name in shape.members if value.get(name) is not None}
        return {name: _to_wire(shape.members[name], item) for name, item in members.items()}
    if kind == "list":
        return [_to_wire(shape.member, item) for item in value]
    return value
