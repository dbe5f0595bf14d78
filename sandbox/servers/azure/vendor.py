"""Checks of request bodies against the vendor's own model, as `azure-ai-ml` ships it.

Checked: unknown members, members of the wrong type, missing required ones, enumerations, discriminators, ISO
8601 durations and times. Not checked, because the generated classes do not carry them: lengths, patterns and
ranges (the job name's pattern is checked by hand), and which member belongs to which api-version (the model
is the newest one's). Read-only members are accepted and ignored, as ARM does.
"""

from __future__ import annotations

import enum
import importlib
import importlib.util
import sys
import types
import typing
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

_ALIAS = "_causeway_vendor_arm"


def problems(model: str, body: object) -> list[str]:
    """What is wrong with a body meant to be the named model, as `properties.limits: …`; empty if nothing."""
    return list(_check(getattr(_models(), model), body, ""))


@cache
def _models() -> Any:
    """The generated models alone.

    Imported past `azure.ai.ml` itself, whose package takes seconds and 100 MB to import; these take 0.3 s.
    They are private to the SDK: the lock file pins the version, and `test_azure` notices when they move.
    """
    spec = importlib.util.find_spec("azure.ai.ml")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("azure-ai-ml is not installed")
    package = types.ModuleType(_ALIAS)
    package.__path__ = [
        str(Path(next(iter(spec.submodule_search_locations))) / "_restclient" / "arm_ml_service")
    ]
    sys.modules[_ALIAS] = package
    return importlib.import_module(f"{_ALIAS}.models")


@cache
def _fields(model: type) -> dict[str, tuple[Any, bool]]:
    """Member name on the wire -> (its type, whether only the service sets it)."""
    hints = typing.get_type_hints(model, localns={"_models": _models()})
    found: dict[str, tuple[Any, bool]] = {}
    for base in reversed(model.__mro__):
        for attribute, field in vars(base).items():
            if hasattr(field, "_rest_name_input"):
                read_only = getattr(field, "_visibility", None) == ["read"]
                found[field._rest_name_input or attribute] = (hints[attribute], read_only)
    return found


def _check(kind: Any, value: object, path: str) -> Iterator[str]:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return
    if origin is typing.Union:
        yield from _check_union(arguments, value, path)
    elif origin is typing.Literal:
        if value != getattr(arguments[0], "value", arguments[0]):
            yield f"{path}: '{value}' is not '{getattr(arguments[0], 'value', arguments[0])}'"
    elif origin is dict:
        if not isinstance(value, dict):
            yield f"{path}: an object is expected"
            return
        for key, item in value.items():
            # The service makes text of numbers here, and the SDK relies on it: `hash_version` of a code.
            if not (arguments[1] is str and isinstance(item, int | float)):
                yield from _check(arguments[1], item, f"{path}.{key}")
    elif origin is list:
        if not isinstance(value, list):
            yield f"{path}: an array is expected"
            return
        for index, item in enumerate(value):
            yield from _check(arguments[0], item, f"{path}[{index}]")
    elif getattr(kind, "_is_model", False):
        yield from _check_model(kind, value, path)
    else:
        yield from _check_scalar(kind, value, path)


def _check_union(arguments: tuple[Any, ...], value: object, path: str) -> Iterator[str]:
    if value is None and type(None) in arguments:
        return
    choices = [choice for choice in arguments if choice is not type(None)]
    enums = [choice for choice in choices if isinstance(choice, type) and issubclass(choice, enum.Enum)]
    # The type is "str or one of these" so that old clients survive new values; the service itself is strict.
    for choice in enums or choices:
        if not list(_check(choice, value, path)):
            return
    yield from _check((enums or choices)[0], value, path)


def _check_model(model: Any, value: object, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path or 'body'}: an object is expected"
        return
    discriminator = model._get_discriminator([])
    if discriminator is not None and "__mapping__" in vars(model):
        name, known = discriminator._rest_name_input, model.__mapping__
        chosen = known.get(value.get(name))
        if chosen is None:
            yield f"{path}.{name}: '{value.get(name)}' is none of {', '.join(sorted(map(str, known)))}"
            return
        model = chosen
    fields = _fields(model)
    for name, item in value.items():
        here = f"{path}.{name}".lstrip(".")
        if name not in fields:
            yield f"{here}: could not find member '{name}' on object of type '{model.__name__}'"
        elif not fields[name][1] and not (item is None and _optional(fields[name][0])):
            yield from _check(fields[name][0], item, here)
    for name, (kind, read_only) in fields.items():
        if value.get(name) is None and not read_only and not _optional(kind):
            yield f"{f'{path}.{name}'.lstrip('.')}: is required"


def _check_scalar(kind: Any, value: object, path: str) -> Iterator[str]:
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        allowed = [str(member.value) for member in kind]
        if not isinstance(value, str) or value.lower() not in {name.lower() for name in allowed}:
            yield f"{path}: '{value}' is none of {', '.join(allowed)}"
    elif kind is timedelta or kind is datetime:
        if not _is_iso(kind, value):
            yield f"{path}: '{value}' is not an ISO 8601 {'duration' if kind is timedelta else 'time'}"
    elif kind is float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            yield f"{path}: a number is expected"
    elif isinstance(kind, type) and (
        not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)
    ):
        yield f"{path}: {kind.__name__} is expected, not {type(value).__name__}"


def _is_iso(kind: type, value: object) -> bool:
    if not isinstance(value, str) or (kind is timedelta and not value.startswith("P")):
        return False
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return False
    return True


def _optional(kind: Any) -> bool:
    return kind is Any or (typing.get_origin(kind) is typing.Union and type(None) in typing.get_args(kind))
