"""What the models of a pipeline say of their fields, for editors and for the reference."""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any, get_args

from pydantic import BaseModel

from contracts.model import Declared
from contracts.spec import PipelineSpec
from contracts.units import format_duration


def said_of(model: type[BaseModel]) -> dict[str, str]:
    """Each field of a model to the text under it, on one line; fields without one are left out."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, BaseModel) and base.model_fields:
            found |= _texts(base)
    return {name: text for name, text in found.items() if name in model.model_fields}


def own_fields(model: type[BaseModel]) -> list[str]:
    """The fields that a model adds to those of its bases, or says anew."""
    return [name for name in model.__annotations__ if name in model.model_fields]


def described_schema() -> dict[str, Any]:
    """The JSON Schema of pipelines, in which every field says what its model says of it."""
    schema = PipelineSpec.model_json_schema(by_alias=True)
    parts = {**schema.get("$defs", {}), PipelineSpec.__name__: schema}
    for model in models_of(PipelineSpec):
        properties = parts[model.__name__]["properties"]
        for name, text in said_of(model).items():
            properties[model.model_fields[name].alias or name].setdefault("description", text)
        for name, field in model.model_fields.items():
            if isinstance(field.default, timedelta):
                # Pydantic writes ISO 8601 here, which no pipeline may hold.
                properties[field.alias or name]["default"] = format_duration(field.default)
    return schema


def models_of(model: type[BaseModel]) -> list[type[BaseModel]]:
    """A model and every model within it, each once."""
    found = [model]
    for known in found:
        for field in known.model_fields.values():
            found += [inner for inner in _within(field.annotation) if inner not in found]
    return found


def _within(annotation: Any) -> Iterator[type[BaseModel]]:
    # A message within, such as an amount, is written as one word and has no fields for people.
    if isinstance(annotation, type) and issubclass(annotation, Declared):
        yield annotation
    for part in get_args(annotation):
        yield from _within(part)


def _texts(model: type[BaseModel]) -> dict[str, str]:
    written = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    body = written.body if isinstance(written, ast.ClassDef) else []
    texts = {}
    for field, after in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            text = _text(after)
            if text:
                texts[field.target.id] = text
    return texts


def _text(statement: ast.stmt) -> str:
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Constant):
        return ""
    return " ".join(str(statement.value.value).split())
